"""Reading a snapshot: from a file, or from anything that has bytes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from dstop.errors import SnapshotError
from dstop.snapshot.load.columns import Events
from dstop.snapshot.load.machine import Machine
from dstop.snapshot.load.parse import parse
from dstop.snapshot.load.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable

    from dstop.snapshot.values import Snapshot


def load_snapshot(path: str | Path, progress: Callable[[int], None] | None = None) -> Snapshot:
    """Read a snapshot file, plain or gzip, of any torch since 1.13.

    Args:
        path: of the file.
        progress: told how many bytes have been read, after decompression, each time more are.

    Raises:
        SnapshotError: when it cannot be read, is no snapshot, or asks for anything but data. Nothing in it is ever run.
    """
    try:
        with Path(path).open("rb") as file:
            return read_snapshot(file, progress)
    except SnapshotError as error:
        raise SnapshotError(f"{path}: {error.message}", fix=error.fix) from error.__cause__
    except OSError as error:
        raise SnapshotError(f"cannot read {path}: {error.strerror or error}", fix="check the name") from error


def read_snapshot(file: BinaryIO, progress: Callable[[int], None] | None = None) -> Snapshot:
    """Read a snapshot from an open file, which need not be seekable; as `load_snapshot`.

    Raises:
        SnapshotError: as `load_snapshot`.
    """
    events = Events()
    return parse(Machine(Source(file, progress), events).run(), events)
