"""The allocator's cache holds enough, but not in one usable piece

What it means
    PyTorch has already given back every cached segment that is wholly unused when it raises this error. What is still reserved
    and unallocated lies in segments that live tensors pin: pieces, each smaller than the request.

Evidence
    `request <= reserved but unallocated` although it failed, and what lies idle is a good part of what is reserved (a healthy
    process keeps 3 to 6 %), or many times the request. Memory in private pools of CUDA graphs does not count: eager code cannot
    use it. A snapshot shows the pieces, the blocks that pin them and who asked for those; and its requests are replayed under
    other settings: a setting under which they do not fit either is not recommended.

Fix
    `expandable_segments:True` maps pages instead of fixed segments, so that pieces join (PyTorch 2.1 and newer); before that
    `max_split_size_mb`. With expandable segments on already, shapes that vary too much are left: bucket them, or release the
    cache between phases.

When it is wrong
    A request of 2 or 20 MiB on a full card takes any free block: then the idle memory is of the other pool or too small, and
    the card is simply full (DS101, DS102).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.live.fragmented import watch
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.questions.remembering import pin_lines, room_lines, room_of, told
from dstop.doctor.questions.replayed import asked, surely_fails, surely_fits, verdict_lines
from dstop.doctor.rule import FITS, PROVEN, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence
from dstop.units import MIB

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_MUCH, _MOST = 0.1, 0.2
"""Of what is reserved: three, and six times what lies idle in a healthy process."""
_MANY_REQUESTS = 8
_SMALL_BYTES = 32 * MIB
_MIDDLING_BYTES = 64 * MIB
_SMALL_SHARE = 0.3
_SETTINGS = ("expandable_segments", "max_split_size")
_DUMP_SHARE, _DUMP_BYTES = 0.3, 512 * MIB
"""Of a snapshot without any failure: what lies idle in used segments, to be worth a word."""


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None:
        return _of_dump(case)
    if failure.tried_bytes is None or failure.is_spilling:
        return None
    idle, reserved = failure.reserved_unallocated_bytes, failure.reserved_bytes
    if idle is None or idle < failure.tried_bytes or reserved == 0:
        return None
    if failure.free_bytes is not None and failure.free_bytes >= failure.tried_bytes:
        return None  # free memory refused it: something else did
    strength = _replayed(case, _strength(failure.tried_bytes, idle, reserved))
    if strength is None:
        return None
    is_on = failure.is_expandable or case.has("torch.expandable_on")
    proof, against = verdict_lines(case, () if is_on else _SETTINGS)
    evidence = [
        *failure_lines(case),
        Evidence(
            source=str(failure.place),
            says=f"{gib(idle)} lies idle in PyTorch's cache{_of(idle, reserved)}, {gib(failure.tried_bytes)} was asked for",
            value=idle,
        ),
        *proof,
        *room_lines(case),
        *([] if case.memory is None or room_of(case) is None else pin_lines(case.memory)),
        *rank_lines(case),
    ]
    if is_on:
        against.append("expandable segments are on already: the message's own advice does not help here")
    recovers = {"expandable_segments": idle, "max_split_size": idle, "empty_cache": None}
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        against=tuple(against),
        at=failure.place,
        fixes=prescribe(case, *_fixes(case, is_on=is_on), recovers=recovers),
    )


def _replayed(case: Case, strength: int | None) -> int | None:
    """Let the replay decide where it can: pieces that would not have joined were not the cause."""
    verdict = asked(case, "expandable_segments")
    if verdict is None or strength is None:
        return strength
    if surely_fits(case, verdict):
        return max(strength, PROVEN + 4)
    return min(strength, SUGGESTS) if surely_fails(verdict) else strength


def _of_dump(case: Case) -> Assessment | None:
    """Answer for a snapshot of a run that did not fail: much of its cache is of no use as it lies."""
    memory = case.memory
    if memory is None or memory.failure is not None:
        return None
    split, reserved = memory.fragmentation.split_bytes, memory.fragmentation.reserved_bytes
    if split < max(_DUMP_BYTES, _DUMP_SHARE * reserved):
        return None
    says = f"{gib(split)} of {gib(reserved)} reserved is free in segments that are in use; the largest piece has {gib(memory.fragmentation.largest_hole_bytes)}"
    return Assessment(
        strength=FITS + 5,
        evidence=(told(memory, says, split), *pin_lines(memory)),
        at=memory.place,
        title="A good part of PyTorch's cache is in pieces between live tensors",
        fixes=prescribe(
            case, "bucket_sequence_lengths" if memory.is_expandable else "expandable_segments", "empty_cache"
        ),
    )


def _of(idle: int, reserved: int | None) -> str:
    return f" ({100 * idle / reserved:.0f} % of what it reserved)" if reserved else ""


def _strength(tried: int, idle: int, reserved: int | None) -> int | None:
    if reserved is None:  # a message that was quoted in part
        return FITS + 6 if tried >= _MIDDLING_BYTES else None
    share = idle / reserved
    if tried <= _SMALL_BYTES:
        return FITS if share >= _SMALL_SHARE else None
    if share >= _MOST:
        return PROVEN + 1
    if share >= _MUCH:
        return FITS + 9
    return FITS + 3 if tried >= _MIDDLING_BYTES and idle >= _MANY_REQUESTS * tried else None


def _fixes(case: Case, *, is_on: bool) -> tuple[str, ...]:
    if is_on:
        return ("empty_cache", "bucket_sequence_lengths", "reduce_batch", "allocate_largest_first")
    if case.says(r"reserved in total by PyTorch|max_split_size_mb to avoid"):
        return (
            "max_split_size",
            "reduce_batch",
            "expandable_segments",
            "empty_cache",
            "bucket_sequence_lengths",
        )
    return ("expandable_segments", "reduce_batch", "empty_cache", "bucket_sequence_lengths", "max_split_size")


RULE = Rule(
    id="DS201",
    name="fragmented-cache",
    cause="fragmentation",
    title="PyTorch's cache holds enough, but not in one usable piece",
    page=__doc__ or "",
    examine=_examine,
    watch=watch,
    fires=(
        """torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a total capacity of 39.39 GiB of which 300.50 MiB is free. Including non-PyTorch memory, this process has 39.08 GiB memory in use. Of the allocated memory 29.80 GiB is allocated by PyTorch, and 8.70 GiB is reserved by PyTorch but unallocated. If reserved but unallocated memory is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation.
""",
    ),
    near_miss=(
        """torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a total capacity of 39.39 GiB of which 300.50 MiB is free. Including non-PyTorch memory, this process has 39.08 GiB memory in use. Of the allocated memory 37.80 GiB is allocated by PyTorch, and 700.70 MiB is reserved by PyTorch but unallocated. If reserved but unallocated memory is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True to avoid fragmentation.
""",
    ),
)
