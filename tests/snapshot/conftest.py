"""Recordings of real programs; `recordings/README.md` says what each is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dstop.snapshot.load import load_snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.snapshot.values import Snapshot

RECORDINGS = Path(__file__).parent / "recordings"


@pytest.fixture(scope="session")
def recording() -> Callable[[str], Snapshot]:
    """Give what loads a recording by its name, each once: `recording("training")`."""
    loaded: dict[str, Snapshot] = {}

    def load(name: str) -> Snapshot:
        if name not in loaded:
            loaded[name] = load_snapshot(RECORDINGS / f"{name}.pickle.gz")
        return loaded[name]

    return load
