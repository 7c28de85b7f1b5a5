"""`dstop plan --list`: the models, tiers and cards that are known by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.cli import terminal

if TYPE_CHECKING:
    from collections.abc import Mapping


def list_verb(options: Mapping[str, Any]) -> None:
    """Print the catalog as text or JSON."""
    from dstop.footprint.catalog.hardware import gpus  # noqa: PLC0415 - a verb loads what it needs
    from dstop.footprint.catalog.models import model_names  # noqa: PLC0415 - as above
    from dstop.footprint.catalog.tiers import tiers  # noqa: PLC0415 - as above

    models, known, cards = model_names(), tiers(), gpus()
    if options["json"]:
        from dstop.export.plan_json import catalog_line  # noqa: PLC0415 - as above

        terminal.write(catalog_line(models, known, cards))
        return
    from dstop.cli.doctor import write_lines  # noqa: PLC0415 - as above
    from dstop.draw.plan_catalog import catalog_lines  # noqa: PLC0415 - as above

    write_lines(lambda width: catalog_lines(models, known, cards, width), options)
