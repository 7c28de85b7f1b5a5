"""One tokens x vocabulary tensor is the request that fails

What it means
    Logits have a row of the whole vocabulary for each token: batch x sequence x vocabulary x 4 bytes in float32, and the loss
    makes copies of them. For a vocabulary of 128,256 and 8,192 tokens that is 3.9 GiB a copy.

Evidence
    The frames are `cross_entropy`, `log_softmax`, `lm_head`, log-probabilities or an upcast of logits, and the request is large;
    or its bytes factor into tokens x vocabulary x {2, 4} with the figures of the log. An engine's sampler warm-up is the same
    tensor with `max_num_seqs` rows. A snapshot adds what is held already: the first copy, when the second is refused.

Fix
    Compute the loss in slices or with a fused kernel (the tensor never exists as a whole), keep logits of the needed positions
    alone, or fewer tokens at once.

When it is wrong
    A request of 2 or 20 MiB in these frames is any request on a full card (DS101).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib, is_any_request
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.questions.engines import is_engine
from dstop.doctor.questions.remembering import kept_line, live_lines
from dstop.doctor.questions.shapes import inductor_logits, logits_shape
from dstop.doctor.rule import FITS, PROVEN, Assessment, Rule
from dstop.model.diagnosis import Evidence
from dstop.units import MIB

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_FRAMES = (
    r"cross_entropy|log_softmax|logsumexp|lm_head|logits|log_?probs|logprob|selective_log|entropy_from|gather_log|vocab_parallel|"
    r"nll_loss|CrossEntropy|sampler\.py|softmax\(.*vocab"
)
_INNERMOST = re.compile(
    r"log_softmax\(|cross_entropy\(|logits\.float\(|logprobs? = |lm_head\(|float\(\)\.log"
)
_LARGE_SHARE = 0.02
_LARGE_BYTES = 256 * MIB


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None or is_any_request(failure.tried_bytes):
        return None
    if failure.tried_bytes is None:
        return _without_figures(case)
    if case.phase in {"load", "optimizer", "save", "build"}:
        return None
    frame = case.in_frames(_FRAMES)
    shape = logits_shape(case) or inductor_logits(case)
    share = failure.tried_bytes / failure.total_bytes if failure.total_bytes else 0.0
    if frame is None and shape is None:
        return None
    if frame is not None and shape is None and share < _LARGE_SHARE and failure.tried_bytes < _LARGE_BYTES:
        return None
    if frame is None and share < _LARGE_SHARE:
        return None
    strength = FITS + 4 if frame is not None else FITS - 3
    evidence = [*failure_lines(case), *live_lines(case), *rank_lines(case)]
    if shape is not None:
        strength = max(strength, PROVEN if frame is not None else FITS + 2)
        evidence.append(Evidence(source=str(failure.place), says=f"{gib(failure.tried_bytes)} = {shape}"))
    if case.memory is not None and case.memory.logits.size_bytes:
        evidence.append(kept_line(case.memory, "of logits and loss is live already", case.memory.logits))
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        at=failure.place,
        fixes=prescribe(
            case,
            *(
                ("reduce_batch", "chunked_logprobs", "reduce_seq_len")
                if case.phase != "inference"
                else ("reduce_batch", "chunked_logprobs", "reduce_max_num_seqs")
            ),
            "mixed_precision",
            recovers={"chunked_logprobs": int(failure.tried_bytes * 7 / 8)},
        ),
    )


def _without_figures(case: Case) -> Assessment | None:
    """Answer for an error that is quoted without its figures: the innermost line alone makes logits or their logarithm."""
    failure = case.failure
    if failure is None or not case.frames or failure.family != "torch":
        return None
    last = case.frames[-1]
    if _INNERMOST.search(f"{last.function}:{last.code}") is None:
        return None
    fixes = ("reduce_max_num_seqs", "enable_chunked_prefill", "lower_gpu_memory_utilization")
    fixes = fixes if is_engine(case) else ("reduce_batch", "chunked_logprobs", "reduce_seq_len")
    evidence = (*failure_lines(case), *rank_lines(case))
    return Assessment(strength=FITS + 7, evidence=evidence, at=failure.place, fixes=prescribe(case, *fixes))


RULE = Rule(
    id="DS104",
    name="logits-spike",
    cause="logits_spike",
    title="One tokens x vocabulary tensor is the request that fails",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """  File "/opt/venv/lib/python3.11/site-packages/transformers/loss/loss_utils.py", line 36, in ForCausalLMLoss
    logits = logits.float()
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 7.83 GiB. GPU 2 has a total capacity of 79.15 GiB of which 5.20 GiB is free. Including non-PyTorch memory, this process has 73.94 GiB memory in use. Of the allocated memory 71.40 GiB is allocated by PyTorch, and 1.62 GiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """  File "/opt/venv/lib/python3.11/site-packages/transformers/loss/loss_utils.py", line 36, in ForCausalLMLoss
    logits = logits.float()
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 2 has a total capacity of 79.15 GiB of which 5.20 MiB is free. Including non-PyTorch memory, this process has 79.14 GiB memory in use. Of the allocated memory 78.40 GiB is allocated by PyTorch, and 101.62 MiB is reserved by PyTorch but unallocated.
""",
    ),
)
