"""The words of `dstop web`; what it does is in `dstop.cli.web`."""

from __future__ import annotations

import click


@click.command(
    context_settings={"allow_interspersed_args": False}, short_help="Serve the live screen to a browser."
)
@click.option(
    "--bind",
    metavar="ADDRESS",
    default="127.0.0.1",
    show_default=True,
    help="Where to listen; 0.0.0.0 or :: is for all.",
)
@click.option("--port", type=click.IntRange(0, 65535), default=8778, show_default=True, metavar="N")
@click.option(
    "--most", type=click.IntRange(1, 64), default=8, show_default=True, metavar="N", help="Tabs at a time."
)
@click.option("--hands", is_flag=True, help="Offer what changes processes, too; without it all is read-only.")
@click.option("--cert", metavar="FILE", help="Speak TLS with this certificate (PEM).")
@click.option("--key", metavar="FILE", help="Its key, where it is not in the same file.")
@click.argument("words", metavar="[-- WORDS...]", nargs=-1, type=click.UNPROCESSED)
def web(words: tuple[str, ...], **options: object) -> None:
    """Serve the live screen to a browser: one dstop a tab, read-only, for whoever has the token.

    \b
    dstop web                        prints the address with its token, once
    dstop web -- demo --gpus 4       the simulated server; as well: replay FILE, fleet ..., attach PID
    ssh -L 8778:127.0.0.1:8778 host  to see it from elsewhere without opening a port

    Needs textual-serve: pip install 'dstop[web]'.
    """  # noqa: D301 - click keeps lines after the character itself
    from dstop.cli.web import web_verb  # noqa: PLC0415 - a verb loads what it needs

    web_verb(words, options)
