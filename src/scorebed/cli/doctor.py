"""``scorebed doctor``."""

from __future__ import annotations

from typing import Annotated

import typer

from scorebed.cli.console import put


def doctor(
    *,
    json_: Annotated[bool, typer.Option("--json", help="One JSON object on stdout.")] = False,
) -> None:
    """Checks what the main job needs; exit code 4 when it could not run."""
    from scorebed.doctor import examine, healthy, to_json  # noqa: PLC0415 - `--help` must not wait
    from scorebed.errors import ToolError  # noqa: PLC0415

    findings = examine()
    if json_:
        put(to_json(findings))
    else:
        for finding in findings:
            put(f"{'LACK' if finding.remedy else 'ok  '} {finding.what}: {finding.found}")
            if finding.remedy:
                put(f"     {finding.remedy}")
    if not healthy(findings):
        raise typer.Exit(ToolError.exit_code)
