"""Memory was refused, and the run went on

What it means
    The program caught the failure and tried something else: a smaller batch, the next sample, another algorithm, the CPU. What
    is in the log is a warning, not the reason why anything ended.

Evidence
    Its own words (`not a failure`, `retrying`, `skipping batch`, `Decreasing batch size to`), or progress after the last refused
    allocation, and no error behind it.

Fix
    None is needed. If it happens often it costs time: a smaller batch, or a cap on the longest sample.

When it is wrong
    A second command in the same log may be the one that succeeded, and with several ranks the others may go on while one has died.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.survival import survived
from dstop.doctor.rule import PROVEN, SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case


def _examine(case: Case) -> Assessment | None:
    found = survived(case)
    if found is None:
        return None
    failure = found.failure
    evidence = [Evidence(source=str(failure.place), says=failure.text, value=failure.tried_bytes)]
    if found.words is not None:
        evidence.append(Evidence(source=str(found.words.place), says=found.words.text))
    if found.went_on is not None:
        evidence.append(
            Evidence(source=str(found.went_on.place), says=f"the run went on: {found.went_on.text}")
        )
    times = "once" if found.count == 1 else f"{found.count} times"
    return Assessment(
        strength=SAYS_SO + 5
        if found.went_on is not None or failure.place == getattr(found.words, "place", None)
        else PROVEN + 10,
        evidence=tuple(evidence),
        at=failure.place,
        title=f"Memory was refused {times}, and the run went on",
        fixes=prescribe(case, "ignore_warning", "reduce_batch"),
    )


RULE = Rule(
    id="DS931",
    name="survived",
    cause="benign_warning",
    title="Memory was refused, and the run went on",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 23.57 GiB of which 310.50 MiB is free.
Decreasing batch size to: 8.
Training completed. Do not forget to share your model on huggingface.co/models =)
""",
        """| WARNING: OOM in all workers: CUDA out of memory. Tried to allocate 512.00 MiB (GPU 0; 15.78 GiB total capacity; 13.60 GiB already allocated; 310.50 MiB free; 14.20 GiB reserved in total by PyTorch)
| WARNING: ran out of memory, skipping batch
epoch 002:  12% 120/1000 loss=4.113
epoch 002:  13% 130/1000 loss=4.108
""",
    ),
    near_miss=(
        """Epoch 1:   1%|          | 10/1000 [00:10<16:30,  1.00it/s]
Traceback (most recent call last):
  File "/home/u/train.py", line 88, in <module>
    loss.backward()
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 23.57 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 23.25 GiB memory in use. Of the allocated memory 22.41 GiB is allocated by PyTorch, and 401.20 MiB is reserved by PyTorch but unallocated.
Epoch 1:   1%|          | 11/1000 [00:11<16:29,  1.00it/s]
""",
        """CUDA out of memory. Tried to allocate 512.00 MiB (GPU 0; 15.78 GiB total capacity; 13.60 GiB already allocated; 310.50 MiB free; 14.20 GiB reserved in total by PyTorch)
Decreasing batch size to: 1.
RuntimeError: No executable batch size found, reached zero.
""",
    ),
)
