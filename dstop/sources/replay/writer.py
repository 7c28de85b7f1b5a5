"""Writing a recording: moments gather for half a minute, then a block is appended in one write."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from dstop.errors import RecordingError
from dstop.model.new_events import NewEvents
from dstop.sources.replay.file import CUT_OFF, MAGIC, MOST_MOMENTS, open_file, packed_block, scan
from dstop.sources.replay.moment import Moment
from dstop.sources.replay.pack import Packer

if TYPE_CHECKING:
    from typing import BinaryIO

    from dstop.model.frame import Frame
    from dstop.sources.replay.file import Scanned

BLOCK_S = 30.0
"""What a crash can cost, and what a seek has to unpack."""


class RecordingWriter:
    """Appends the frames of one monitor to a file.

    Args:
        path: of the file; it must not be there yet, unless it is to be continued.
        step_s: seconds between two frames.
        append: continue a recording; what was cut off at its end is dropped.

    Raises:
        RecordingError: the file cannot be written, is there already, is no recording, or is being written.
    """

    def __init__(self, path: str, *, step_s: float, append: bool = False) -> None:
        self.path = path
        self.moments = 0
        """How many there are by now, those not yet written too."""
        self.written_bytes = 0
        self._packer = Packer(step_s)
        self._step_ns = int(step_s * 1e9)
        self._last_ns = 0
        self._begins = True
        self._fresh = NewEvents()
        self._file = self._opened(path, append=append)

    def _opened(self, path: str, *, append: bool) -> BinaryIO:
        if append and os.path.lexists(path):
            file = open_file(path, os.O_RDWR)
        else:
            if os.path.lexists(path):
                raise RecordingError(f"{path} is there already", fix="add --append, or name another file")
            file = open_file(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise RecordingError(f"{path} is being recorded into", fix="name another file") from None
        if os.fstat(file.fileno()).st_size == 0:
            self._write(file, MAGIC)
            return file
        try:
            found = _continued(file, path)
        except RecordingError:
            file.close()
            raise
        file.truncate(found.end)
        file.seek(found.end)
        self._last_ns = found.headers[-1].last_ns + 1 if found.headers else 0
        return file

    def add(self, frame: Frame) -> None:
        """Take a frame; every half minute it is written with those before it.

        Raises:
            RecordingError: they cannot be written.
        """
        moment = Moment(
            at_ns=self._place(frame),
            sample=frame.sample,
            guests=tuple(frame.guests.values()),
            events=self._fresh.of(frame),
            problem=frame.problem,
            begins=self._begins,
        )
        self._packer.add(moment)
        self._begins = False
        self._last_ns = moment.at_ns
        self.moments += 1
        waiting = self._packer.moments
        if (
            moment.at_ns - waiting[0].at_ns >= BLOCK_S * 1e9
            or len(waiting) >= MOST_MOMENTS
            or self._packer.is_full
        ):
            self.flush()

    def flush(self) -> None:
        """Write what waits.

        Raises:
            RecordingError: it cannot be written; it is then lost, and the file ends with its last whole block.
        """
        moments = self._packer.moments
        if moments:
            block = packed_block(
                self._packer.take(),
                first_ns=moments[0].at_ns,
                last_ns=moments[-1].at_ns,
                moments=len(moments),
                of_weight=sum(moment.has_weight for moment in moments),
            )
            self._write(self._file, block)

    def close(self) -> None:
        """Write what waits, and let go of the file; safe to call twice."""
        if not self._file.closed:
            try:
                self.flush()
            finally:
                self._file.close()

    def _place(self, frame: Frame) -> int:
        """Give the frame's place, which never falls: a clock that was set back does not undo what was recorded."""
        now = frame.sample.taken_at_ns
        if frame.problem is not None or now <= self._last_ns:
            now = self._last_ns + (self._step_ns if self._packer.moments or self._last_ns else 0)
        return now

    def _write(self, file: BinaryIO, data: bytes) -> None:
        begin = file.tell()
        try:
            left = memoryview(data)
            while left:
                left = left[file.write(left) :]
        except OSError as error:
            file.truncate(begin)
            raise RecordingError(
                f"{self.path} cannot be written: {error.strerror}", fix="record where there is room"
            ) from None
        self.written_bytes += len(data)


def _continued(file: BinaryIO, path: str) -> Scanned:
    """Find where to go on: behind the last whole block, where nothing but a cut block follows it.

    Raises:
        RecordingError: it is no recording, or what follows may be good, and would be lost.
    """
    found = scan(file, path)
    if found.trouble in {None, CUT_OFF}:
        return found
    raise RecordingError(f"{path} is not continued: {found.trouble}", fix="record into another file")
