"""The handler of an out-of-memory error keeps what it wants to free

What it means
    Inside `except`, the exception holds its traceback, the traceback its frames, and the frames every tensor of the failed step.
    A retry with a smaller batch from there fails again, although it would fit.

Evidence
    A second out-of-memory error "during handling of the above exception".

Fix
    Leave the `except` block before the retry; then collect.

When it is wrong
    A retry outside the block that fails is simply too large (DS101).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.rule import PROVEN, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_DURING = "During handling of the above exception, another exception occurred"


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None or _DURING not in case.text:
        return None
    before, _, after = case.text.partition(_DURING)
    if "out of memory" not in before or "out of memory" not in after:
        return None
    evidence = [*failure_lines(case), *rank_lines(case)]
    evidence.append(
        Evidence(
            source=str(failure.place),
            says="a second out-of-memory error was raised while the first was handled",
        )
    )
    fixes = prescribe(case, "free_outside_except", "reduce_batch", "empty_cache")
    return Assessment(strength=PROVEN + 6, evidence=tuple(evidence), at=failure.place, fixes=fixes)


RULE = Rule(
    id="DS304",
    name="handler-keeps",
    cause="leak",
    title="The handler of an out-of-memory error keeps what it wants to free",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """  File "/home/u/run.py", line 20, in step
    out = model(batch)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.20 GiB. GPU 0 has a total capacity of 79.15 GiB of which 311.20 MiB is free. Including non-PyTorch memory, this process has 78.84 GiB memory in use. Of the allocated memory 75.40 GiB is allocated by PyTorch, and 1.02 GiB is reserved by PyTorch but unallocated.

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/home/u/run.py", line 24, in step
    out = model(batch[:4])
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 600.00 MiB. GPU 0 has a total capacity of 79.15 GiB of which 311.20 MiB is free. Including non-PyTorch memory, this process has 78.84 GiB memory in use. Of the allocated memory 75.40 GiB is allocated by PyTorch, and 1.02 GiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """  File "/home/u/run.py", line 12, in lookup
    return cache[key]
KeyError: 'b'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/home/u/run.py", line 24, in step
    out = model(batch[:4])
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 600.00 MiB. GPU 0 has a total capacity of 79.15 GiB of which 311.20 MiB is free. Including non-PyTorch memory, this process has 78.84 GiB memory in use. Of the allocated memory 75.40 GiB is allocated by PyTorch, and 1.02 GiB is reserved by PyTorch but unallocated.
""",
    ),
)
