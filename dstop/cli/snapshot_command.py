"""The words of `dstop snapshot`; what it does is in `dstop.cli.snapshot`."""

from __future__ import annotations

import click

from dstop.settings.values import COLORS, THEMES


@click.command(short_help="Look into PyTorch memory snapshots.")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(allow_dash=True))
@click.option("-1", "--once", is_flag=True, help="Print a summary as text and stop.")
@click.option("--json", is_flag=True, help="Print it as JSON, one object a line.")
@click.option("--top", type=click.IntRange(1, 1000), metavar="N", help="List N sites (10 unless given).")
@click.option("--device", type=click.IntRange(0, 1024), metavar="N", help="This device alone.")
@click.option("--at", metavar="WHEN", help="What is live then: peak, end, oom, an event, 2.5s.")
@click.option("--compare", is_flag=True, help="Two files: what grew from the first to the second.")
@click.option(
    "--what-if",
    multiple=True,
    metavar="CHANGE",
    help="Would it have fitted? expandable, max_split=128, batch=12->8, checkpointing, no-leak, ...",
)
@click.option("--batch", type=click.IntRange(min=1), metavar="N", help="The batch that was recorded.")
@click.option("--capacity", metavar="SIZE", help="What the process may have, such as 40GiB.")
@click.option(
    "--html", type=click.Path(), metavar="FILE", help="Write it as a page that opens without a network."
)
@click.option(
    "--perfetto", type=click.Path(), metavar="FILE", help="Write it as a trace for ui.perfetto.dev."
)
@click.option("--ascii", is_flag=True, help="Draw with ASCII alone.")
@click.option("--color", type=click.Choice(COLORS), help="When to use colour.")
@click.option("--theme", type=click.Choice(THEMES), help="Colours of the screen.")
@click.option("--config", metavar="FILE", help="Read this configuration file.")
@click.pass_context
def snapshot(context: click.Context, /, files: tuple[str, ...], **options: object) -> None:
    """Look into PyTorch memory snapshots: the peak, who held it, what grows, what is in the way.

    \b
    dstop snapshot run.pickle            on the screen; in a pipe as text
    dstop snapshot run.pickle --at oom   what was live when memory ran out
    dstop snapshot run.pickle --what-if expandable
    dstop snapshot --compare before.pickle now.pickle

    Files of any torch since 1.13, plain or gzip; FILE may be - or the directory of an incident.
    Nothing in a file is ever run.
    """  # noqa: D301 - click keeps lines after the character itself
    from dstop.cli.attach import settings_of  # noqa: PLC0415 - a verb loads what it needs
    from dstop.cli.snapshot import snapshot_verb  # noqa: PLC0415 - as above

    snapshot_verb(files, options, settings_of(context))
