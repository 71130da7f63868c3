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
    from scorebed.settings import (  # noqa: PLC0415
        Delivery,
        Kind,
        load_preset,
        preset_folder,
        preset_names,
    )
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
        return
    kinds = [kind for kind in get_args(Kind) if name in preset_names(kind)]
    if not kinds:
        everything = [*preset_names("delivery"), *preset_names("style")]
        raise SettingsError(
            f"there is no preset {name!r}", remedy=f"Use one of: {', '.join(everything)}"
        )
    for kind in kinds:
        put((preset_folder(kind) / f"{name}.toml").read_text(encoding="utf-8").rstrip("\n"))
