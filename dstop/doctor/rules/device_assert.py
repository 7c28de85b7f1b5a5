"""A kernel's own check failed: an index is out of range, or a value is none

What it means
    A kernel found a label, a token id or an index outside its table, or a probability that is no number. The context is dead, and
    whatever library is called next fails in its own words, often cuBLAS or cuDNN as if memory were short.

Evidence
    The assertion's line with file and condition is proof; without it `device-side assert triggered` says so. A cuBLAS or cuDNN
    call that fails to execute, with no assertion, may have the same reason.

Fix
    By the condition: labels lie in 0 to classes - 1 (and ignore_index), token ids below the rows of the embedding. On the CPU the
    same call names the index. Probabilities with inf or nan: another precision than float16.

When it is wrong
    Every CUDA error of PyTorch ends with an advice about device-side assertions; that is not one. A cuBLAS handle that cannot be
    created with a full card is memory (DS106).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.aftermath import device_failure_before
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import DEFAULT, SAYS_SO, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Sign

_LABELS = re.compile(r"n_classes|cur_target|target|\blabel|input_val >= zero|t >= 0|ignore_index|num_classes")
_PROBABILITIES = re.compile(
    r"(?i)probability tensor|\bnan\b|\binf\b|isfinite|cumdist|sum of probabilities|prob"
)
_TEXT = r"(?i)token|vocab|embedding|llama|qwen|gpt|bert|mistral|gemma|roberta|\bt5\b|lm_head|modeling_"


def _examine(case: Case) -> Assessment | None:
    line = case.first("fault.assert_line")
    said = case.first("fault.assert")
    sign = line or said
    if sign is None:
        return _of_a_library(case)
    condition = str(line.values.get("condition", "")) if line is not None else ""
    evidence = [told_by(one) for one in (line, said) if one is not None]
    later = case.first(
        "fault.cublas_run", "fault.cudnn_run", "torch.cublas_init", "torch.cudnn_init", "torch.cublas_alloc"
    )
    if later is not None and later.place.order > sign.place.order:
        evidence.append(
            Evidence(source=str(later.place), says=f"{later.text}: its aftermath, not a lack of memory")
        )
    strength = SAYS_SO + 2 if line is not None else SAYS_SO - 3
    if device_failure_before(case, sign.place) is not None:
        strength = SUGGESTS
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        at=sign.place,
        title=_title(condition),
        fixes=prescribe(case, *_fixes(case, condition), titles=_titles(condition)),
    )


def _of_a_library(case: Case) -> Assessment | None:
    sign = case.first("fault.cublas_run", "fault.cudnn_run")
    handle = case.first("torch.cublas_init", "torch.cudnn_init")
    if case.failure is not None or (sign is None and handle is None) or case.has("torch.no_cudnn"):
        return None
    if sign is None:
        return _perhaps(case, handle, DEFAULT + 5)
    text = sign.text
    strength = SUGGESTS + 3
    if "CUDNN" in text or "INVALID_VALUE" in text:
        strength = SUGGESTS - 5
    return _perhaps(case, sign, strength)


def _perhaps(case: Case, sign: Sign | None, strength: int) -> Assessment | None:
    if sign is None or case.has("fault.illegal_access", "driver.mismatch"):
        return None
    says = "without an assertion this is a guess: an index out of range, a library of another version, or a full card"
    fixes = (
        "cuda_launch_blocking",
        "match_tokenizer_model" if case.says(_TEXT) else "check_labels_indices",
        "upgrade_version",
        "reduce_batch",
        "pin_version",
    )
    return Assessment(
        strength=strength,
        evidence=(told_by(sign), Evidence(source=str(sign.place), says=says)),
        at=sign.place,
        title="A CUDA library failed to execute, perhaps after an index out of range",
        fixes=prescribe(case, *fixes),
    )


def _title(condition: str) -> str | None:
    if not condition:
        return None
    if _PROBABILITIES.search(condition):
        return "Sampling met a probability that is inf, nan or negative"
    if _LABELS.search(condition):
        return f"A label is out of range: `{condition[:60]}` does not hold"
    return f"An index is out of range: `{condition[:60]}` does not hold"


def _fixes(case: Case, condition: str) -> tuple[str, ...]:
    if _PROBABILITIES.search(condition):
        return ("change_config", "upgrade_version", "cuda_launch_blocking", "match_tokenizer_model")
    if _LABELS.search(condition):
        return ("check_labels_indices", "cuda_launch_blocking", "match_tokenizer_model")
    if case.says(_TEXT):
        return ("match_tokenizer_model", "check_labels_indices", "cuda_launch_blocking")
    return ("check_labels_indices", "cuda_launch_blocking", "match_tokenizer_model")


def _titles(condition: str) -> dict[str, str]:
    if _PROBABILITIES.search(condition):
        return {"change_config": "Bfloat16 or float32 instead of float16, or greedy decoding"}
    return {}


RULE = Rule(
    id="DS902",
    name="device-assert",
    cause="device_assert",
    title="A kernel's own check failed: an index is out of range, or a value is none",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """/pytorch/aten/src/ATen/native/cuda/Loss.cu:245: nll_loss_forward_reduce_cuda_kernel_2d: block: [0,0,0], thread: [7,0,0] Assertion `t >= 0 && t < n_classes` failed.
RuntimeError: CUDA error: device-side assert triggered
""",
        """../aten/src/ATen/native/cuda/Indexing.cu:1146: indexSelectLargeIndex: block: [16,0,0], thread: [0,0,0] Assertion `srcIndex < srcSelectDimSize` failed.
RuntimeError: CUDA error: CUBLAS_STATUS_NOT_INITIALIZED when calling `cublasCreate(handle)`
""",
        "../aten/src/ATen/native/cuda/TensorCompare.cu:110: _assert_async_cuda_kernel: block: [0,0,0], thread: [0,0,0] Assertion `probability tensor contains either `inf`, `nan` or element < 0` failed.\n",
    ),
    near_miss=(
        """torch.AcceleratorError: CUDA error: out of memory
Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.
""",
        "RuntimeError: CUDA error: an illegal memory access was encountered\nCompile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.\n",
    ),
)
