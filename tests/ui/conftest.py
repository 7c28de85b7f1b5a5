"""The stage of the pictures and the twins, for the tests of the live screen."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

LOOK_AGAIN_S = 0.01
"""How often a pilot looks whether the program has come to rest; Textual's 20 ms make most of these tests waiting."""
ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "screenshots"), str(ROOT / "tests" / "ui")]


@pytest.fixture(autouse=True)
def _same_everywhere(monkeypatch):
    """One time zone and all colours, whatever the machine says; all is given back."""
    monkeypatch.setenv("TZ", "UTC")
    for name in ("NO_COLOR", "TEXTUAL_THEME", "TEXTUAL_FILTERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("textual._wait.SLEEP_GRANULARITY", LOOK_AGAIN_S)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
