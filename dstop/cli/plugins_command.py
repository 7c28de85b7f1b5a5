"""The words of `dstop plugins`; what it does is in `dstop.cli.plugins`."""

from __future__ import annotations

import click


@click.command(short_help="List plugins, or begin one.")
@click.option("--json", is_flag=True, help="Print the list as JSON.")
@click.option("--new", "new", metavar="NAME", help="Write a plugin to begin from into the folder NAME.")
def plugins(**options: object) -> None:
    """List the plugins that are installed: version, what each adds, and why one is not used.

    \b
    dstop plugins
    dstop plugins --new dstop-mine      a package with a rule, a label and tests, ready for pip
    """  # noqa: D301 - click keeps lines after the character itself
    from dstop.cli.plugins import plugins_verb  # noqa: PLC0415 - a verb loads what it needs

    plugins_verb(options)
