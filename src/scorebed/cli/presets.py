"""``scorebed presets``."""

from __future__ import annotations

from typing import Annotated, get_args

import typer

from scorebed.cli.console import put


def presets(
    name: Annotated[
        str | None, typer.Argument(help="A preset to print whole.", show_default=False)
    ] = None,
) -> None:
    """Lists the presets, or prints one as the TOML it is: a start for your own."""
    from scorebed.errors import SettingsError  # noqa: PLC0415 - `--help` must not wait
    from scorebed.presets import (  # noqa: PLC0415
        Kind,
        load_preset,
        preset_folder,
        preset_names,
    )
    from scorebed.settings import Delivery  # noqa: PLC0415
    from scorebed.style import Style  # noqa: PLC0415

    if name is None:
        put("delivery (--preset)")
        for known in preset_names("delivery"):
            delivery = load_preset("delivery", known, Delivery)
            put(
                f"  {known:<17} {delivery.target_lufs:g} LUFS, {delivery.true_peak_dbtp:g} dBTP, "
                f"speech margin {delivery.speech_margin_lu:g} LU ({delivery.certainty})"
            )
        put("style (--style)")
        for known in preset_names("style"):
            put(f"  {known:<17} {load_preset('style', known, Style).description}")
        put("service (--service)")
        for known in preset_names("service"):
            path = preset_folder("service") / f"{known}.toml"
            put(f"  {known:<17} {path.read_text(encoding='utf-8').splitlines()[0].lstrip('# ')}")
        return
    kinds = [kind for kind in get_args(Kind) if name in preset_names(kind)]
    if not kinds:
        everything = [known for kind in get_args(Kind) for known in preset_names(kind)]
        raise SettingsError(
            f"there is no preset {name!r}", remedy=f"Use one of: {', '.join(everything)}"
        )
    for kind in kinds:
        put((preset_folder(kind) / f"{name}.toml").read_text(encoding="utf-8").rstrip("\n"))
