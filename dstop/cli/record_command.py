"""The words of `dstop record` and `dstop replay`; what they do is in `dstop.cli.record` and `dstop.cli.replay`."""

from __future__ import annotations

import click

from dstop.cli.options import request_of, watch_options


@click.command(short_help="Record everything that dstop shows, into a file.")
@click.argument("path", metavar="FILE")
@click.option(
    "-i",
    "--interval",
    type=click.FloatRange(0.25, 60),
    default=1.0,
    show_default=True,
    metavar="S",
    help="Read every S seconds.",
)
@click.option("--for", "seconds", type=click.FloatRange(min=0), metavar="S", help="Stop after S seconds.")
@click.option("--append", is_flag=True, help="Continue a recording.")
@click.option("--demo", is_flag=True, help="Record the simulated server.")
@click.option("--tier", metavar="TIER", help="What unknown models are, such as deepseek-pro.")
@click.option("--config", metavar="FILE", help="Read this configuration file.")
def record(path: str, **options: object) -> None:
    """Record everything that dstop shows, until Ctrl-C, into a file that any dstop can replay.

    \b
    dstop record trouble.dstop
    dstop replay trouble.dstop     here, or on any other machine
    """  # noqa: D301 - click keeps lines after the character itself
    from dstop.cli.record import record_verb  # noqa: PLC0415 - a verb loads what it needs

    record_verb(path, options)


@click.command(short_help="Show a recording, as it was.")
@click.argument("path", metavar="FILE")
@watch_options
@click.option(
    "--at", metavar="TIME", help="Begin at 17:03:20, +90s, -5m (before the end), 50%, incident or end."
)
@click.option(
    "--speed",
    type=click.FloatRange(0.01, 1000),
    default=1.0,
    show_default=True,
    metavar="N",
    help="Seconds of the recording per second.",
)
@click.pass_context
def replay(context: click.Context, /, path: str, at: str | None, speed: float, **_options: object) -> None:
    """Show a recording of dstop record, with everything that the live screen can do.

    \b
    dstop replay trouble.dstop                      p pauses, [ ] 10 s, { } a minute, ( ) incidents, + - speed
    dstop replay trouble.dstop --once --at 17:03:20 that moment as text; --json for programs
    dstop replay trouble.dstop --json -i 10         all of it, a line each ten seconds of the recording
    """  # noqa: D301 - as above
    from dstop.cli.replay import replay_verb  # noqa: PLC0415 - a verb loads what it needs

    replay_verb(path, request_of(context), at=at, speed=speed)
