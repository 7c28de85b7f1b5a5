"""Reading a snapshot in a thread, and saying how far it is."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dstop.units import bytes_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dstop.model.guest import ProcessId
    from dstop.snapshot.study import DeviceStudy
    from dstop.sources.guests import Guests


def read_file(path: str | Path, tell: Callable[[str], None]) -> Sequence[DeviceStudy]:
    """Read a file and give the study of each of its devices.

    Args:
        path: of the snapshot.
        tell: called with what is being done, as often as there is news.

    Raises:
        SnapshotError: when it cannot be read.
    """
    # numpy comes with these: the first frame of the screen is on the terminal by now.
    from dstop.snapshot.load import load_snapshot  # noqa: PLC0415 - a verb loads what it needs
    from dstop.snapshot.study import studies_of  # noqa: PLC0415

    path = Path(path)
    size = path.stat().st_size if path.is_file() else None
    packed = path.suffix == ".gz"

    def progress(count: int) -> None:
        of = "" if packed or size is None else f" of {bytes_text(size)}"
        tell(f"reading {path.name}: {bytes_text(count)}{of}")

    snapshot = load_snapshot(path, progress)
    tell("putting the events in order …")
    return studies_of(snapshot)


def read_guest(guests: Guests, process: ProcessId, tell: Callable[[str], None]) -> Sequence[DeviceStudy]:
    """Have a process take a snapshot, and read it; the file lies in a private folder, and is gone afterwards.

    Args:
        guests: ask the process.
        process: with a hook in it.
        tell: called with what is being done.

    Raises:
        DstopError: when the process gives none, or it cannot be read.
    """
    tell(f"asking {process.pid} for a snapshot: its Python may stand still meanwhile …")
    with TemporaryDirectory(prefix="dstop-") as folder:
        path = Path(folder) / f"{process.pid}.pickle.gz"
        guests.snapshot(process, str(path))
        return read_file(path, tell)
