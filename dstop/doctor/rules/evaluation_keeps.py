"""Evaluation keeps tensors on the card

What it means
    Training fitted, evaluation does not: the outputs of every batch are kept on the card until the metric is computed, or the
    evaluation runs with gradients on and keeps a graph that nobody will use.

Evidence
    The frames are of an evaluation loop: `nested_concat` and `pad_across_processes` accumulate predictions, `compute_metrics`
    waits for them; a validation step whose frames know no `no_grad`. A snapshot tells how much of what evaluation made it still
    holds, and by which line.

Fix
    `torch.inference_mode()` around it; move outputs to the host every few steps (`eval_accumulation_steps`), or reduce logits to
    what the metric needs before they are stored. A smaller eval batch helps only where a single batch is too large.

When it is wrong
    Where evaluation fails in its first batch, that batch is too large (DS101).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.questions.frameworks import ENGINES
from dstop.doctor.questions.remembering import kept_line, live_lines
from dstop.doctor.rule import FITS, PROVEN, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_KEEPS = r"nested_concat|nested_gather|nested_truncate|torch_pad_and_concatenate|pad_across_processes|preds_host|EvalLoopContainer|all_(?:preds|outputs|logits)|gather_for_metrics|torchmetrics|dim_zero_cat|outputs\.append|\.append\(|torch\.cat\("
_MUCH = 0.4
"""Of what is live."""
_GRADIENT = r"saved_tensors|requires_grad|autograd"


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None or failure.is_absurd or case.framework in ENGINES or case.phase != "eval":
        return None
    keeper = case.in_frames(_KEEPS)
    evidence = [*failure_lines(case), *live_lines(case), *rank_lines(case)]
    memory = case.memory
    if memory is not None and memory.evaluated.size_bytes:
        evidence.append(kept_line(memory, "of what evaluation made is still held", memory.evaluated))
    if keeper is not None:
        says = f"{keeper.function} keeps what every batch gave ({keeper.file}:{keeper.line})"
        evidence.append(Evidence(source=str(failure.place), says=says))
        fixes = prescribe(
            case,
            "eval_accumulation_steps",
            "preprocess_logits_for_metrics",
            "prediction_loss_only",
            "reduce_eval_batch",
            "reduce_eval_set",
        )
        return Assessment(strength=PROVEN, evidence=tuple(evidence), at=failure.place, fixes=fixes)
    evidence.append(Evidence(source=str(failure.place), says="training fitted, and the evaluation does not"))
    knows = (
        case.in_frames(r"no_grad|inference_mode|_contextlib\.py.*decorate_context|decorate_context")
        is not None
    )
    strength = SUGGESTS + 6 if knows else FITS
    if memory is not None and not knows and memory.share("activations") >= _MUCH * memory.live_bytes:
        strength = FITS + 6  # without gradients nothing is kept for a backward pass
    first = (
        ("eval_accumulation_steps", "reduce_eval_batch")
        if knows
        else ("no_grad_eval", "eval_accumulation_steps")
    )
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        at=failure.place,
        subcause=None if knows else "eval_grad_enabled",
        fixes=prescribe(case, *first, "reduce_eval_batch", "preprocess_logits_for_metrics", "empty_cache"),
    )


RULE = Rule(
    id="DS302",
    name="evaluation-keeps",
    cause="eval_accumulation",
    title="Evaluation keeps tensors on the card",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """  File "/opt/venv/lib/python3.11/site-packages/transformers/trainer.py", line 3636, in evaluation_loop
    all_preds.add(logits)
  File "/opt/venv/lib/python3.11/site-packages/transformers/trainer_pt_utils.py", line 101, in torch_pad_and_concatenate
    return torch.cat((tensor1, tensor2), dim=0)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 11.50 GiB. GPU 0 has a total capacity of 39.39 GiB of which 5.20 GiB is free. Including non-PyTorch memory, this process has 34.18 GiB memory in use. Of the allocated memory 32.80 GiB is allocated by PyTorch, and 700.70 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """  File "/opt/venv/lib/python3.11/site-packages/transformers/trainer.py", line 3318, in training_step
    loss = self.compute_loss(model, inputs)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.50 GiB. GPU 0 has a total capacity of 39.39 GiB of which 1.20 GiB is free. Including non-PyTorch memory, this process has 38.18 GiB memory in use. Of the allocated memory 36.80 GiB is allocated by PyTorch, and 700.70 MiB is reserved by PyTorch but unallocated.
""",
    ),
)
