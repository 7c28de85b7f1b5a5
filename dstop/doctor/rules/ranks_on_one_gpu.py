"""Other ranks of the job sit on this card too

What it means
    Every process that touches a card keeps a context there, 0.3 to 0.7 GiB, and whatever it puts on it. A rank that has not
    chosen its card uses card 0: through `torch.load` without map_location, `.cuda()` before `set_device`, or an NCCL barrier
    without a device.

Evidence
    Several processes of about a context's size are named on the card of a distributed job, mostly on card 0; or processes that
    hold just what this rank holds: siblings on the same card.

Fix
    `torch.cuda.set_device(local_rank)` before anything else, `map_location=f"cuda:{local_rank}"` or `"cpu"`, or show each rank
    one card only. Recovers what the others hold here.

When it is wrong
    Small processes can be other users' or a desktop's: `nvidia-smi` names them. If what they hold is less than what was short,
    this rank alone is too large.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.questions.placement import contexts_of, is_distributed, siblings_of
from dstop.doctor.rule import FITS, PROVEN, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_SEVERAL = 2
_MANY = 4


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None or not is_distributed(case):
        return None
    contexts, siblings = contexts_of(failure), siblings_of(failure)
    found = contexts if len(contexts) >= _SEVERAL else siblings
    if not found or len(found) < len(failure.others) - 1:
        return None  # somebody else is there as well, and explains more
    held = sum(size for _, size in found)
    strength = _strength(case, held, len(found), is_siblings=found is siblings)
    kind = "as much as this rank" if found is siblings else "about a context each"
    says = f"{len(found)} other processes hold {kind} on this card ({gib(held)} together): ranks that have not chosen theirs"
    recovers = {
        "one_gpu_per_rank": held,
        "fix_device_placement": held,
        "fix_cuda_visible_devices": held,
        "map_location_cpu": held,
    }
    first = ("map_location_cpu",) if case.in_frames(r"torch\.load\(|serialization\.py") is not None else ()
    fixes = prescribe(
        case,
        *first,
        "one_gpu_per_rank",
        "fix_device_placement",
        "fix_cuda_visible_devices",
        "map_location_cpu",
        "kill_other_process",
        recovers=recovers,
        commands={
            "fix_device_placement": "torch.cuda.set_device(int(os.environ['LOCAL_RANK']))  # before anything else"
        },
    )
    where = Evidence(source=str(failure.place), says=says, value=held)
    evidence = (*failure_lines(case), where, *rank_lines(case))
    title = f"{len(found)} other ranks sit on this card too, with {gib(held)}"
    return Assessment(strength=strength, evidence=evidence, at=failure.place, title=title, fixes=fixes)


def _strength(case: Case, held: int, count: int, *, is_siblings: bool) -> int:
    if held < (case.balance.short_bytes or 0):
        return SUGGESTS
    if is_siblings:
        return PROVEN + 4
    return PROVEN + 4 if count >= _MANY else FITS + 6


RULE = Rule(
    id="DS606",
    name="ranks-on-one-gpu",
    cause="wrong_device",
    title="Other ranks of the job sit on this card too",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """[rank0]: Traceback (most recent call last):
[rank0]:   File "/home/u/train.py", line 31, in main
[rank0]:     state = torch.load(path)
[rank0]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 224.00 MiB. GPU 0 has a total capacity of 39.39 GiB of which 60.00 MiB is free. Process 101 has 525.00 MiB memory in use. Process 102 has 525.00 MiB memory in use. Process 103 has 525.00 MiB memory in use. Process 104 has 525.00 MiB memory in use. Including non-PyTorch memory, this process has 37.20 GiB memory in use. Of the allocated memory 36.10 GiB is allocated by PyTorch, and 310.10 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """[rank0]: Traceback (most recent call last):
[rank0]:   File "/home/u/train.py", line 75, in main
[rank0]:     loss.backward()
[rank0]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 224.00 MiB. GPU 0 has a total capacity of 39.39 GiB of which 60.00 MiB is free. Including non-PyTorch memory, this process has 39.30 GiB memory in use. Of the allocated memory 38.10 GiB is allocated by PyTorch, and 310.10 MiB is reserved by PyTorch but unallocated.
""",
    ),
)
