"""The stage of the pictures and the twins, for the tests of the live screen."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "screenshots"), str(ROOT / "tests" / "ui")]


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch):
    """One time zone and all colours, whatever the machine says; both are given back."""
    monkeypatch.setenv("TZ", "UTC")
    for name in ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_FILTERS"):
        monkeypatch.delenv(name, raising=False)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
