"""What others show and watch dstop's figures with: a dashboard for Grafana, alert rules for Prometheus."""

from __future__ import annotations

from pathlib import Path

DASHBOARD = "dstop.json"
RULES = "dstop.rules.yml"


def read(name: str) -> str:
    """Give one of the two files."""
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
