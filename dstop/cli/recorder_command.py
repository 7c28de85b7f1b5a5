"""The words of `dstop recorder`; what it does is in `dstop.cli.recorder`."""

from __future__ import annotations

import click


@click.command(short_help="Record this machine, without a screen.")
@click.option("--file", "path", metavar="FILE", help="Record into this file.")
@click.option(
    "-i",
    "--interval",
    type=click.FloatRange(1, 60),
    default=1.0,
    show_default=True,
    metavar="S",
    help="Read every S seconds.",
)
@click.option("--most", metavar="SIZE", default="512MiB", show_default=True, help="Bytes the file may take.")
@click.option("--config", metavar="FILE", help="Read this configuration file: its alerts.")
@click.option("--status", is_flag=True, help="Say what is recorded, and stop.")
@click.option("--try-alerts", is_flag=True, help="Send each alert once as a trial, and stop.")
@click.option("--print-unit", is_flag=True, help="Print a systemd user unit, and stop.")
@click.option("--for", "seconds", type=click.FloatRange(min=0), metavar="S", help="Stop after S seconds.")
def recorder(**options: object) -> int:
    """Record this machine's cards and processes, without a screen.

    \b
    dstop recorder                 until Ctrl-C
    dstop recorder --print-unit > ~/.config/systemd/user/dstop.service
    systemctl --user enable --now dstop

    Seconds are kept for an hour, ten seconds for a day, minutes for a month, in one file of bounded size.
    """  # noqa: D301 - click keeps lines after the character itself
    if options["try_alerts"]:
        from dstop.cli.alerting import try_alerts  # noqa: PLC0415 - a verb loads what it needs

        config = options["config"]
        return try_alerts(None if config is None else str(config))
    from dstop.cli.recorder import recorder_verb  # noqa: PLC0415 - as above

    recorder_verb(options)
    return 0
