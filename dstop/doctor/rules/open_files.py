"""Too many open files: shared tensors need a descriptor each

What it means
    With the sharing strategy `file_descriptor`, the default on Linux, every tensor that a worker hands over keeps a descriptor
    open in the parent. `ulimit -n` is often 1024.

Evidence
    `Too many open files`, `received 0 items of ancdata`, a shared memory object that cannot be opened.

Fix
    `ulimit -n 65536`, or `torch.multiprocessing.set_sharing_strategy("file_system")`, or fewer workers; do not keep tensors
    that came from a worker (copy what is to stay).

When it is wrong
    A program that opens files without closing them runs into the same limit: `ls /proc/PID/fd | wc -l` while it runs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import FITS, SAYS_SO, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_FIXES = ("raise_ulimit_nofile", "sharing_strategy_file_system", "reduce_num_workers", "num_workers_zero")


def _examine(case: Case) -> Assessment | None:
    sign = case.first("fd.too_many")
    strength = SAYS_SO - 1
    if sign is None:
        sign, strength = case.first("shm.open"), FITS + 4
        if sign is None or "No space left" in sign.text:
            return None
    return Assessment(
        strength=strength,
        evidence=(told_by(sign),),
        at=sign.place,
        subcause="fd_limit",
        fixes=prescribe(case, *_FIXES),
    )


RULE = Rule(
    id="DS710",
    name="open-files",
    cause="shm_too_small",
    title="Too many open files: shared tensors need a descriptor each",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "RuntimeError: unable to open shared memory object </torch_29919_1396182366> in read-write mode: Too many open files (24)\n",
        "RuntimeError: received 0 items of ancdata\n",
        "OSError: [Errno 24] Too many open files: '/tmp/pymp-8sk2'\n",
    ),
    near_miss=(
        "RuntimeError: unable to write to file </torch_38_1a2b>: No space left on device (28)\n",
        "FileNotFoundError: [Errno 2] No such file or directory: 'data/train.bin'\n",
    ),
)
