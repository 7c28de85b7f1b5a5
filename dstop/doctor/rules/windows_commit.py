"""Windows' commit limit was reached, not the card's memory

What it means
    Windows backs every allocation, on a card too, with RAM or page file: the sum is the commit limit. Each process that loads
    the CUDA libraries commits gigabytes, each loader worker is such a process, and WDDM commits what a card holds once more.

Evidence
    `[WinError 1455]`, `os error 1455`, "the paging file is too small". Or an out-of-memory error of CUDA while far more is free
    than was asked for, without a limit and without the clause about this process, which WDDM cannot fill; or figures that a
    card cannot have (17179869184.00 GiB; more allocated than there is).

Fix
    Enlarge the page file (system managed, or 64 GB and more on a fast disk), use fewer loader workers, add RAM.

When it is wrong
    On Linux a request that is refused with memory free is a limit (DS202), a MIG slice (DS403) or another process that was
    quicker (DS401).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.host import is_windows
from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import told_by
from dstop.doctor.questions.frameworks import IMAGE_GENERATORS
from dstop.doctor.rule import FITS, PROVEN, SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence
from dstop.units import GIB

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import AllocationFailure

_MANY_TIMES = 2
_NEW_WORDS = "is free"
"""Since 2.1 the message names this process wherever the driver tells its figure."""


def _examine(case: Case) -> Assessment | None:
    sign = case.first("host.paging_file")
    if sign is not None:
        return Assessment(
            strength=SAYS_SO + 2,
            evidence=(told_by(sign),),
            at=sign.place,
            fixes=prescribe(case, *_fixes(case)),
        )
    failure = case.failure
    if failure is None or failure.tried_bytes is None or failure.total_bytes is None:
        return None
    refused = _refused_with_room(case, failure)
    if refused is not None:
        says = f"{gib(failure.free_bytes)} was free when {gib(failure.tried_bytes)} was refused: it is not the card that is full"
        return _of_failure(case, failure, refused, says)
    nonsense = case.first("host.nonsense_figures")
    if failure.is_spilling or (nonsense is not None and "memory in use" in nonsense.text):
        says = "the driver's figures are those of WDDM, which pages GPU memory out to the host"
        if failure.is_spilling:
            says = f"{gib(failure.allocated_bytes)} is allocated on a card of {gib(failure.total_bytes)}: Windows pages it to the host"
        return _of_failure(case, failure, FITS + 2 if failure.is_spilling else FITS, says)
    return None


def _refused_with_room(case: Case, failure: AllocationFailure) -> int | None:
    """Give how well it fits that free memory was refused; None where it was not, or something else explains it."""
    free, tried, total = failure.free_bytes, failure.tried_bytes, failure.total_bytes
    if (
        free is None
        or tried is None
        or total is None
        or free < _MANY_TIMES * tried
        or failure.process_bytes is not None
    ):
        return None
    if failure.others or (failure.allowed_bytes is not None and failure.allowed_bytes < total):
        return None
    if case.has("torch.nvml_assert") or case.says(r"per_process_memory_fraction|\bMIG\b"):
        return None
    if is_windows(case) or case.has("host.wsl"):
        return PROVEN + 8 if free >= GIB else FITS
    if case.says(r'"/(?:home|root|opt|usr|workspace|data|mnt)/'):
        return None
    if _NEW_WORDS not in failure.text:
        return FITS + 2 if free >= GIB else None
    return PROVEN + 4 if free >= max(GIB, 8 * tried) else FITS + 2


def _of_failure(case: Case, failure: AllocationFailure, strength: int, says: str) -> Assessment:
    evidence = (
        Evidence(source=str(failure.place), says=failure.text, value=failure.tried_bytes),
        Evidence(source=str(failure.place), says=says, value=failure.free_bytes),
    )
    return Assessment(
        strength=strength,
        evidence=evidence,
        at=failure.place,
        title="Windows' commit limit refused memory that the card has free"
        if not failure.is_spilling
        else None,
        fixes=prescribe(case, *_fixes(case)),
    )


def _fixes(case: Case) -> tuple[str, ...]:
    if case.framework in IMAGE_GENERATORS:
        return ("increase_pagefile", "increase_host_ram", "lowvram_mode", "reduce_num_workers")
    if case.has("host.paging_file"):
        return ("increase_pagefile", "reduce_num_workers", "increase_host_ram", "num_workers_zero")
    return ("increase_pagefile", "increase_host_ram", "reduce_num_workers", "reduce_batch")


RULE = Rule(
    id="DS708",
    name="windows-commit",
    cause="windows_commit_limit",
    title="Windows' commit limit was reached, not the card's memory",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        r"""OSError: [WinError 1455] The paging file is too small for this operation to complete. Error loading "C:\envs\ml\lib\site-packages\torch\lib\cublas64_11.dll" or one of its dependencies.
""",
        "safetensors_rust.SafetensorError: Error while deserializing header: The paging file is too small for this operation to complete. (os error 1455)\n",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 202.00 MiB. GPU 0 has a total capacity of 23.99 GiB of which 14.98 GiB is free. Of the allocated memory 7.31 GiB is allocated by PyTorch, and 85.98 MiB is reserved by PyTorch but unallocated.\n",
    ),
    near_miss=(
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.02 GiB. GPU 0 has a total capacity of 23.99 GiB of which 1.98 GiB is free. Of the allocated memory 20.31 GiB is allocated by PyTorch, and 85.98 MiB is reserved by PyTorch but unallocated.\n",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 202.00 MiB. GPU 0 has a total capacity of 23.99 GiB of which 14.98 GiB is free. 9.60 GiB allowed; Of the allocated memory 9.31 GiB is allocated by PyTorch, and 85.98 MiB is reserved by PyTorch but unallocated.\n",
    ),
)
