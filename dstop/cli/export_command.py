"""The words of `dstop export`; what it does is in `dstop.cli.export`."""

from __future__ import annotations

import click


@click.command(short_help="Serve this machine's figures to Prometheus.")
@click.option(
    "--bind",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; 0.0.0.0 or :: is for all.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=9778,
    show_default=True,
    metavar="N",
    help="Which port; 0 is any that is free.",
)
@click.option("-i", "--interval", type=float, metavar="S", help="Seconds between readings (at least 0.25).")
@click.option(
    "--most-processes",
    type=click.IntRange(0, 10_000),
    default=512,
    show_default=True,
    metavar="N",
    help="Processes with series of their own.",
)
@click.option("--links", is_flag=True, help="Read PCIe, NVLink and GPM too: 40 ms of the driver a card.")
@click.option("--cert", metavar="FILE", help="Speak TLS with this certificate (PEM).")
@click.option("--key", metavar="FILE", help="Its key, where it is not in the same file.")
@click.option("--client-ca", metavar="FILE", help="Let in clients of these authorities alone.")
@click.option("--auth-file", metavar="FILE", help="Let in who is in this file: lines NAME:PASSWORD.")
@click.option("-1", "--once", is_flag=True, help="Print the page and stop.")
@click.option("--for", "seconds", type=click.FloatRange(min=0), metavar="S", help="Stop after S seconds.")
@click.option("--demo", is_flag=True, help="Export a simulated server.")
@click.option("--source", metavar="NAME", help="Read from a plugin's source.")
@click.option("--tier", metavar="TIER", help="What unknown models are, such as deepseek-pro.")
@click.option("--config", metavar="FILE", help="Read this configuration file.")
@click.option("--names", is_flag=True, help="Print the table of metrics, and stop.")
@click.option("--print-dashboard", is_flag=True, help="Print a dashboard for Grafana, and stop.")
@click.option("--print-rules", is_flag=True, help="Print alert rules for Prometheus, and stop.")
@click.option("--print-unit", is_flag=True, help="Print a systemd user unit, and stop.")
def export(**options: object) -> None:
    """Serve this machine's figures to Prometheus, in OpenMetrics.

    \b
    dstop export                       http://127.0.0.1:9778/metrics, until Ctrl-C
    dstop export --bind 0.0.0.0 --cert host.pem --key host.key --auth-file users
    dstop export --once > gpu.prom     for node_exporter's textfile collector
    dstop export --print-rules > dstop.rules.yml
    dstop export --print-dashboard > dstop.json

    Beside all that NVML says: what PyTorch's allocator holds, what the models should need, and findings.
    """  # noqa: D301 - click keeps lines after the character itself
    from dstop.cli.export import export_verb  # noqa: PLC0415 - a verb loads what it needs

    export_verb(options)
