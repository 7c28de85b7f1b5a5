"""The words of `dstop fleet`; what it does is in `dstop.cli.fleet`."""

from __future__ import annotations

import click

from dstop.settings.values import COLORS, THEMES

SORTS = ("worst", "mem", "util", "power", "temp", "findings", "host")
SHOWS = ("gpus", "hosts", "jobs", "findings")


@click.command(short_help="Show all hosts and GPUs that a Prometheus server knows.")
@click.option(
    "--prometheus", metavar="URL", envvar="DSTOP_PROMETHEUS", help="The server; else DSTOP_PROMETHEUS."
)
@click.option("-1", "--once", is_flag=True, help="Print it once as text and stop.")
@click.option("--json", is_flag=True, help="Print it once as JSON and stop.")
@click.option(
    "-i",
    "--interval",
    type=click.FloatRange(1, 3600),
    default=10.0,
    show_default=True,
    metavar="S",
    help="Ask every S seconds.",
)
@click.option("--sort", type=click.Choice(SORTS), default="worst", show_default=True, help="Who is first.")
@click.option("-f", "--filter", "text", metavar="FILTER", default="", help="Such as 'node-1 h100 mem>90'.")
@click.option("--show", type=click.Choice(SHOWS), help="One table.")
@click.option("--host", metavar="NAME", help="One host, close up.")
@click.option(
    "--top",
    type=click.IntRange(1, 100_000),
    default=40,
    show_default=True,
    metavar="N",
    help="Rows of --once.",
)
@click.option(
    "--match", metavar="MATCHERS", multiple=True, help="Ask for these series alone: 'cluster=\"a\"'."
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 600),
    default=10.0,
    show_default=True,
    metavar="S",
    help="How long one query may take.",
)
@click.option("--token-file", metavar="FILE", help="Its first line is a bearer token.")
@click.option("--basic-file", metavar="FILE", help="Its first line is NAME:PASSWORD.")
@click.option("--ca", metavar="FILE", help="Trust this authority (PEM) instead of the system's.")
@click.option("--cert", metavar="FILE", help="Show this certificate to the server (PEM).")
@click.option("--key", metavar="FILE", help="Its key, where it is not in the same file.")
@click.option("--ascii", is_flag=True, help="Draw with ASCII alone.")
@click.option("--color", type=click.Choice(COLORS), help="When to use colour.")
@click.option("--theme", type=click.Choice(THEMES), help="Colours of the screen.")
@click.option("--config", metavar="FILE", help="Read this configuration file.")
@click.pass_context
def fleet(context: click.Context, /, **options: object) -> None:
    """Show all hosts and GPUs that a Prometheus server knows, the worst first.

    \b
    dstop fleet --prometheus http://prometheus:9090
    dstop fleet --prometheus https://host/prometheus --token-file ~/.token --once
    dstop fleet --json --filter 'mem>95' | jq '.hosts[].host'

    It reads what these exporters tell: dstop export, NVIDIA's dcgm-exporter, nvitop-exporter. Secrets are
    read from a file, or from DSTOP_PROMETHEUS_TOKEN or DSTOP_PROMETHEUS_BASIC (NAME:PASSWORD).
    """  # noqa: D301 - click keeps lines after the character itself
    from dstop.cli.attach import settings_of  # noqa: PLC0415 - a verb loads what it needs
    from dstop.cli.fleet import fleet_verb  # noqa: PLC0415 - as above

    fleet_verb(options, settings_of(context))
