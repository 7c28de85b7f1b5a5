"""A sample longer than those before it

What it means
    Steps before this one fitted, and within one pass over the data their lengths differ: activations grow with the length
    (attention without a fused kernel with its square), and the longest sample of the epoch decides whether the job fits.

Evidence
    The first epoch is under way, steps have passed, and the failure is in the forward or backward pass of a job whose inputs have
    a length (text, audio).

Fix
    Cap or bucket the lengths; give batches by tokens instead of samples; start with the longest batch, so that it fails at once
    or never.

When it is wrong
    After a whole epoch every length had its turn: then it is a leak (DS301).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.questions.frameworks import ENGINES
from dstop.doctor.rule import FITS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_LEAST_STEPS = 10
_TEXT = r"(?i)llama|qwen|gpt|bert|glm|mistral|gemma|tokeni[sz]er|max_length|cutoff_len|seq_?len|whisper|wav2vec|modeling_"


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None or failure.tried_bytes is None or case.framework in ENGINES:
        return None
    if case.phase not in {"forward", "backward", "training"} or (case.last_epoch or 0) >= 2:  # noqa: PLR2004 - as in DS301
        return None
    step = case.last_step
    if step is None or step < _LEAST_STEPS or not case.says(_TEXT):
        return None
    says = f"{step} steps fitted before, in the first pass over the data"
    return Assessment(
        strength=FITS + 2,
        evidence=(
            *failure_lines(case),
            Evidence(source=str(failure.place), says=says, value=step),
            *rank_lines(case),
        ),
        at=failure.place,
        fixes=prescribe(
            case,
            "reduce_seq_len",
            "reduce_batch",
            "bucket_sequence_lengths",
            "allocate_largest_first",
            "grad_checkpointing",
        ),
    )


RULE = Rule(
    id="DS108",
    name="long-sample",
    cause="capacity_activations",
    title="A sample longer than those before it does not fit",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """{'loss': 1.91, 'epoch': 0.21}
 21%|██▏       | 840/4000 [31:12<1:57:20,  2.23s/it]
  File "/opt/venv/lib/python3.11/site-packages/transformers/models/llama/modeling_llama.py", line 257, in forward
    down_proj = self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.75 GiB. GPU 0 has a total capacity of 79.15 GiB of which 1.20 GiB is free. Including non-PyTorch memory, this process has 77.94 GiB memory in use. Of the allocated memory 75.40 GiB is allocated by PyTorch, and 1.02 GiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """  0%|          | 0/4000 [00:00<?, ?it/s]
  File "/opt/venv/lib/python3.11/site-packages/transformers/models/llama/modeling_llama.py", line 257, in forward
    down_proj = self.down_proj(self.act_fn(self.gate_proj(x)) * self.up_proj(x))
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.75 GiB. GPU 0 has a total capacity of 79.15 GiB of which 1.20 GiB is free. Including non-PyTorch memory, this process has 77.94 GiB memory in use. Of the allocated memory 75.40 GiB is allocated by PyTorch, and 1.02 GiB is reserved by PyTorch but unallocated.
""",
    ),
)
