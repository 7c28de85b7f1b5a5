"""Reading a snapshot file."""

from __future__ import annotations

import gzip
import io
import pickle
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NoReturn

from dstop.errors import SnapshotError
from dstop.snapshot.load.columns import Events
from dstop.snapshot.load.parse import parse

if TYPE_CHECKING:
    from dstop.snapshot.values import Snapshot


def load_snapshot(path: str | Path) -> Snapshot:
    """Read a snapshot file, plain or gzip."""
    with Path(path).open("rb") as file:
        return read_snapshot(file)


def read_snapshot(file: BinaryIO) -> Snapshot:
    """Read a snapshot from a file."""
    data = file.read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)

    class Plain(pickle.Unpickler):
        def find_class(self, module: str, name: str) -> NoReturn:
            raise SnapshotError(f"names {module}.{name}")

    return parse(Plain(io.BytesIO(data)).load(), Events())
