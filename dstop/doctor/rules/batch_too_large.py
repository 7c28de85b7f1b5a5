"""The activations of this step do not fit beside what is on the card

What it means
    The process itself holds the card, nearly all of it in live tensors, and a request of the forward or backward pass found
    no room. What grows with batch, sequence or resolution is what has to give.

Evidence
    Live tensors dominate the balance sheet; little is cached; no other process matters; the frames are those of a forward or
    backward pass, or nothing tells another phase. `2.00 MiB` and `20.00 MiB` are the allocator's own segment sizes: such a
    request says that the card is full, and nothing about the line that failed.

    A snapshot tells what was live by what it is for, and its requests are replayed with a smaller batch. Where the log names
    the model, its batch and its sequence, smaller batches are tried in the arithmetic of `dstop plan`: what fits also at the high
    end of its band fits, what fits by the expected value may. A plan by which the batch that failed fits is not used; then
    what was live at the failure is taken to grow with the batch, which is rough: the step may not have been at its peak.

Fix
    Halve the micro-batch and double the accumulation: the global batch, and so the result, stays. Checkpointing keeps about
    2 bytes x batch x sequence x hidden a layer instead of all its activations (Korthikanti et al., arXiv 2205.05198).

When it is wrong
    If the same work fitted before, it is a leak (DS301) or a long sample; if it fails while loading, it is the weights (DS102).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import (
    activation_bytes,
    batch_that_fits,
    checkpointing_recovers_bytes,
    gib,
    is_any_request,
)
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.questions.engines import is_engine
from dstop.doctor.questions.frameworks import IMAGE_GENERATORS
from dstop.doctor.questions.remembering import live_lines
from dstop.doctor.questions.replayed import asked, surely_fits, verdict_lines
from dstop.doctor.rule import DEFAULT, FITS, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.model.diagnosis import Fix

_PROGRAMS = frozenset(
    ("relion", "blender", "julia", "cupy", "rmm", "numba", "nvrm", "directml", "mxnet", "onnxruntime")
)
"""Refusals of programs that are no training loop."""
_OF_BATCH = ("activations", "logits", "temporaries", "input")
_MUCH, _LITTLE = 0.4, 0.1
"""Of what is live: from where on the batch is to blame, and below which it is not."""
_STRENGTH = {
    "backward": FITS,
    "forward": FITS - 6,
    "training": FITS - 6,
    "inference": SUGGESTS + 3,
    "eval": SUGGESTS - 3,
    "unknown": DEFAULT + 8,
    "save": DEFAULT,
    "load": DEFAULT,
    "optimizer": DEFAULT,
    "capture": DEFAULT - 5,
}


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None or failure.is_absurd or case.phase == "build" or is_engine(case):
        return None
    strength = _STRENGTH.get(case.phase, DEFAULT)
    if failure.tried_bytes is None and failure.total_bytes is None:
        strength -= 4
    strength = _remembered(case, strength)
    proof, against = verdict_lines(case, ("reduce_batch", "grad_checkpointing"))
    evidence = [*failure_lines(case), *live_lines(case), *proof, *rank_lines(case)]
    cached = failure.reserved_unallocated_bytes
    if cached is not None and failure.tried_bytes is not None and cached < failure.tried_bytes:
        against.append(
            f"expandable_segments will not help: {gib(cached)} is reclaimable, {gib(failure.tried_bytes)} is needed"
        )
    fits = batch_that_fits(case)
    if fits is not None and not fits.likely:
        against.append(f"a smaller batch will not do, by {fits.says}")
    if is_any_request(failure.tried_bytes):
        says = "a segment of the allocator's own size: the card was full, and the failing line is innocent"
        evidence.append(Evidence(source=str(failure.place), says=says))
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        against=tuple(against),
        at=failure.place,
        fixes=_prescribed(case),
    )


def _remembered(case: Case, strength: int) -> int:
    """Let a snapshot speak where it knows what most of the memory is for."""
    memory = case.memory
    if memory is None or not memory.live_bytes or not (memory.is_of_failure or memory.failure is not None):
        return strength
    live = memory.live_bytes
    if memory.share("unknown") > live // 2:
        return strength
    part = memory.share(*_OF_BATCH) / live
    if part >= _MUCH and case.phase not in {"eval", "inference"}:
        return max(strength, FITS + 2)
    return min(strength, DEFAULT) if part < _LITTLE else strength


def _prescribed(case: Case) -> tuple[Fix, ...]:
    """Put figures to the batch and to checkpointing where the log names what they are computed from."""
    activations, batch = activation_bytes(case), case.number("batch")
    fits = batch_that_fits(case)
    recovers = {"grad_checkpointing": checkpointing_recovers_bytes(case)}
    titles: dict[str, str] = {}
    if activations is not None and batch and batch > 1:
        recovers["reduce_batch"] = int(activations * (1 - max(1, batch // 2) / batch))
    verdict = asked(case, "reduce_batch")
    if verdict is not None and surely_fits(case, verdict):
        titles["reduce_batch"] = f"Smaller batch: {verdict.what} fits, by a replay of the recorded requests"
    elif fits is not None and fits.likely and batch:
        titles["reduce_batch"] = f"Smaller batch: {fits.claim(batch)}"
    return prescribe(case, *_fixes(case), recovers=recovers, titles=titles)


def _fixes(case: Case) -> tuple[str, ...]:
    family = "" if case.failure is None else case.failure.family
    draws = case.framework in IMAGE_GENERATORS and case.phase not in {"backward", "training", "optimizer"}
    if draws:
        return _of_pictures(case)
    if family in {"xla", "tensorflow"}:
        return ("reduce_batch", "bigger_gpu", "reduce_seq_len", "use_smaller_model", "mixed_precision")
    if family in _PROGRAMS:
        return ("reduce_batch", "bigger_gpu", "reduce_parallelism", "reduce_resolution", "kill_other_process")
    if case.phase == "inference":
        return (
            "reduce_batch",
            "no_grad_eval",
            "quantize",
            "mixed_precision",
            "limit_output_tokens",
            "use_smaller_model",
        )
    if case.phase == "eval":
        return ("reduce_eval_batch", "no_grad_eval", "eval_accumulation_steps", "reduce_batch")
    if case.failure is not None and case.failure.total_bytes is None and family != "torch":
        return ("reduce_batch", "kill_other_process", "fix_cuda_visible_devices", "use_smaller_model")
    return _of_anything(case) if case.phase == "unknown" else _of_training(case)


def _of_anything(case: Case) -> tuple[str, ...]:
    """Give what helps whether it was training or inference, where nothing tells."""
    if _is_vision(case):
        return ("reduce_batch", "reduce_resolution", "mixed_precision", "bigger_gpu")
    if _is_text(case):
        return ("reduce_batch", "reduce_seq_len", "quantize", "bigger_gpu", "grad_checkpointing")
    return ("reduce_batch", "quantize", "bigger_gpu", "grad_checkpointing", "mixed_precision")


def _of_pictures(case: Case) -> tuple[str, ...]:
    if case.says(r"(?i)\bVAE\b|vae_?decode|autoencoder|decode_first_stage"):
        return ("vae_tiling", "lowvram_mode", "reduce_resolution", "cpu_vae", "use_smaller_model")
    if case.in_frames(r"attention|attn|softmax") is not None:
        return ("flash_attention", "reduce_resolution", "attention_slicing", "lowvram_mode")
    return ("reduce_resolution", "lowvram_mode", "attention_slicing", "reduce_batch", "mixed_precision")


def _of_training(case: Case) -> tuple[str, ...]:
    """Order by what the inputs are: pictures have a resolution, text has a length, of others a smaller batch is sure."""
    if _is_vision(case):
        fixes = ["reduce_batch", "reduce_resolution", "mixed_precision", "grad_checkpointing"]
    elif _is_text(case):
        fixes = ["reduce_batch", "reduce_seq_len", "grad_checkpointing", "mixed_precision"]
    else:
        fixes = ["reduce_batch", "grad_checkpointing", "reduce_seq_len", "mixed_precision"]
    if case.flag("gradient_checkpointing"):
        fixes.remove("grad_checkpointing")
    return (*fixes, "grad_accumulation", "lora")


def _is_vision(case: Case) -> bool:
    return case.framework in {"ultralytics", "mmdetection"} or case.says(
        r"(?i)\bconv2d\b|conv\.py|\bimg(?:s|_size)?\b|image|resnet|unet|imgsz|batch_norm|interpolate|\bpixel"
    )


def _is_text(case: Case) -> bool:
    return case.says(
        r"(?i)llama|qwen|gpt|bert|glm|mistral|gemma|token|lora|cutoff_len|seq_?len|modeling_|lm_head"
    )


RULE = Rule(
    id="DS101",
    name="batch-too-large",
    cause="capacity_activations",
    title="The activations of this step do not fit beside what is on the card",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """Traceback (most recent call last):
  File "/home/u/train.py", line 88, in train_one_epoch
    loss.backward()
  File "/opt/venv/lib/python3.11/site-packages/torch/_tensor.py", line 581, in backward
    torch.autograd.backward(
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 23.57 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 23.25 GiB memory in use. Of the allocated memory 22.41 GiB is allocated by PyTorch, and 401.20 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """Epoch 3: 40%|████      | 410/1024 [02:11<03:17, 3.11it/s]
RuntimeError: The size of tensor a (512) must match the size of tensor b (514) at non-singleton dimension 1
""",
    ),
)
