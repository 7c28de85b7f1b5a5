"""A large log, block by block: its begin, its end, and what lies around telling places; never more of it than that."""

from __future__ import annotations

import os
from collections import deque
from typing import TYPE_CHECKING

from dstop.doctor.text.anchors import ANCHORS, OTHERS, STRONG
from dstop.doctor.text.numbering import Numbered
from dstop.doctor.text.quota import FOR_OTHERS, FOR_STRONG, Quota
from dstop.doctor.text.search import searcher
from dstop.doctor.text.spans import Scanned, Span, scan, spans_of
from dstop.doctor.text.windows import Region, joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

HEAD_BYTES, TAIL_BYTES = 64 << 10, 256 << 10
_LOOKED_AGAIN_BYTES = 4 << 10
"""The end of the begin: what follows a place here is wanted, too."""
_MOST_THREADS = 4


class Digest:
    """What is kept of a large log."""

    def __init__(self) -> None:
        self.total_bytes = 0
        self.total_lines = 0
        self._quotas = (*(Quota(FOR_STRONG) for _ in STRONG), *(Quota(FOR_OTHERS) for _ in OTHERS))
        self._next_line = 1
        self._head = Region(0, b"", 1)
        self._ends: deque[bytes] = deque(maxlen=2)

    def read(self, blocks: Iterable[bytes]) -> None:
        """Read blocks of one size to their end."""
        for scanned in self._scanned(spans_of(blocks)):
            span = scanned.span
            numbered = Numbered(scanned, self._next_line)
            self._next_line = numbered.next_line
            for index, places, more in scanned.places:
                quota = self._quotas[index]
                quota.passed += more
                quota.add(numbered, places)
            block = span.data[span.start : span.end]
            if not self.total_bytes:
                self._head = Region(0, _to_line_end(block[:HEAD_BYTES]), 1)
            self.total_bytes += len(block)
            self._ends.append(block)
        ended = not self._ends or self._ends[-1].endswith(b"\n")
        self.total_lines = self._next_line - 1 if ended else self._next_line

    def regions(self) -> list[Region]:
        """Give what is kept, in order."""
        kept = [self._head, self._tail()]
        for quota in self._quotas:
            kept += quota.regions()
        return joined(kept)

    def passed(self) -> str:
        """Say of which words there were too many, and about how many were not read; empty where none were."""
        return ", ".join(
            f"{float(f'{quota.passed:.3g}'):,.0f} × '{word.decode().strip()}'"
            for word, quota in zip(ANCHORS, self._quotas, strict=True)
            if quota.passed
        )

    def _tail(self) -> Region:
        data = b"".join(self._ends)[-TAIL_BYTES:]
        if len(data) < self.total_bytes:
            data = data[data.find(b"\n", 0, len(data) - 1) + 1 :]
        return Region(self.total_bytes - len(data), data, self._next_line - data.count(b"\n"))

    def _scanned(self, spans: Iterable[Span]) -> Iterator[Scanned]:
        """Scan in as many threads as there are processors: the C library's search leaves them to each other."""
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - for large logs alone

        threads = min(_MOST_THREADS, len(os.sched_getaffinity(0)))
        contains = searcher()
        waiting: deque[Future[Scanned]] = deque()
        skip = HEAD_BYTES - _LOOKED_AGAIN_BYTES
        with ThreadPoolExecutor(threads) as pool:
            for span in spans:
                wanted = tuple(quota.wanted for quota in self._quotas)
                waiting.append(pool.submit(scan, span, skip, wanted, contains))
                skip = 0
                if len(waiting) > threads + 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


def _to_line_end(data: bytes) -> bytes:
    return data[: data.rfind(b"\n") + 1] or data
