"""What `dstop export` prints about itself: the table of names, the dashboard, the alert rules, a unit for systemd."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dstop.export import dashboards

if TYPE_CHECKING:
    from collections.abc import Mapping

UNIT = """[Unit]
Description=dstop exporter: GPU memory of this machine for Prometheus

[Service]
ExecStart={command}
Restart=on-failure
RestartSec=30
Nice=10
MemoryMax=512M

[Install]
WantedBy=default.target
"""

_FILES = ("cert", "key", "client_ca", "auth_file", "config")
_VALUES = ("bind", "port", "most_processes", "interval", "source", "tier")
_FLAGS = ("links", "demo")


def names_text() -> str:
    """Give the table of metrics in Markdown, in the order of the page."""
    from dstop.export.metrics.names import METRICS  # noqa: PLC0415 - a verb loads what it needs

    lines = ["| metric | kind | labels | |", "|---|---|---|---|"]
    lines += [f"| `{each.name}` | {each.kind} | {', '.join(each.labels)} | {each.help} |" for each in METRICS]
    return "\n".join(lines) + "\n"


def dashboard_text() -> str:
    """Give the dashboard that Grafana imports."""
    return dashboards.read(dashboards.DASHBOARD)


def rules_text() -> str:
    """Give the alert rules that Prometheus loads."""
    return dashboards.read(dashboards.RULES)


def unit_text(options: Mapping[str, Any]) -> str:
    """Write the unit that starts this very program again with the options that were given."""
    program = shutil.which(sys.argv[0]) or shutil.which("dstop")
    words = [str(Path(program).resolve())] if program else [sys.executable, "-m", "dstop"]
    words.append("export")
    for name in _VALUES:
        if options[name] is not None:
            value = options[name]
            words += [_option(name), f"{value:g}" if isinstance(value, float) else str(value)]
    for name in _FILES:
        if options[name] is not None:
            words += [_option(name), str(Path(options[name]).absolute())]
    words += [_option(name) for name in _FLAGS if options[name]]
    # In a unit a percent sign begins a specifier, a dollar a variable.
    command = " ".join(shlex.quote(word).replace("%", "%%").replace("$", "$$") for word in words)
    return UNIT.format(command=command)


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"
