"""One request is beyond what this card could ever give

What it means
    No smaller neighbour and no empty cache would help: a single tensor wants most of the card, or more than all of it.

Evidence
    The request is larger than 85 % of the card; or no memory at all (`more than 1EB`: a negative size); or larger than any card
    that exists. Frames of attention mean a score matrix of sequence x sequence; frames of an extension (`_C.`) mean that it
    passed a broken size.

Fix
    An attention kernel that makes no score matrix, a correct shape or dtype, a rebuilt extension.

When it is wrong
    Frames of a loss or of log-probabilities: the tensor is the logits (DS104).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.questions.frameworks import IMAGE_GENERATORS
from dstop.doctor.questions.shapes import attention_shape
from dstop.doctor.rule import FITS, PROVEN, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence
from dstop.units import GIB

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_MOST = 0.85
_HALF = 0.5
_LARGEST_CARD_BYTES = 288 * GIB
"""MI355X and B300 have 288 GB."""
_SHAPE = re.compile(r"shape ?\[([\d,]{1,80})\]")
_NO_LAYER = 4_000_000
_ANY_CARD_BYTES = 96 * GIB
_ATTENTION = r"scaled_dot_product|attention|attn|softmax|bmm|baddbmm|einsum|matmul"
_LOGITS = r"cross_entropy|log_softmax|lm_head|logits|log_?probs"
_EXTENSION = r"\b_C\.|_ext\.|_cuda\.|rasteriz|\.apply\(|custom_op"


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None:
        return None
    strength = _strength(case)
    if strength is None:
        return None
    evidence = [*failure_lines(case), *rank_lines(case)]
    shape = attention_shape(case)
    if shape is not None and failure.tried_bytes is not None:
        evidence.append(Evidence(source=str(failure.place), says=f"{gib(failure.tried_bytes)} = {shape}"))
        strength += 5
    if failure.is_spilling:
        says = "more is allocated than the card has: Windows pages GPU memory to system memory"
        evidence.append(Evidence(source=str(failure.place), says=says))
    return Assessment(
        strength=strength, evidence=tuple(evidence), at=failure.place, fixes=prescribe(case, *_fixes(case))
    )


def _strength(case: Case) -> int | None:
    failure = case.failure
    if failure is None:
        return None
    if failure.is_absurd:
        return FITS if not case.has("nccl.watchdog", "nccl.heartbeat", "nccl.store_wait") else SUGGESTS - 10
    if failure.tried_bytes is None:
        return None
    if failure.total_bytes is None:
        return _of_unknown_card(case, failure.tried_bytes)
    return _of_card(case, failure.tried_bytes, failure.total_bytes)


def _of_unknown_card(case: Case, tried: int) -> int | None:
    if _has_absurd_size(case):
        return FITS + 2
    if tried >= _LARGEST_CARD_BYTES:
        return PROVEN
    return FITS + 3 if tried >= _ANY_CARD_BYTES else None


def _of_card(case: Case, tried: int, total: int) -> int | None:
    if tried >= total:
        return PROVEN + 2
    if case.in_frames(_LOGITS) is not None:
        return SUGGESTS if tried >= _HALF * total else None  # large, and no more than the logits are
    if tried >= _MOST * total:
        return FITS + 9
    if tried >= _HALF * total and case.in_frames(_ATTENTION) is not None:
        return FITS + 1
    return SUGGESTS if tried >= _HALF * total else None


def _has_absurd_size(case: Case) -> bool:
    """Whether the tensor that was refused has a dimension that no layer has: millions of words, classes or pixels."""
    failure = case.failure
    shape = None if failure is None else _SHAPE.search(failure.text)
    if shape is None:
        return False
    sizes = [int(size) for size in shape[1].split(",") if size and len(size) <= 12]  # noqa: PLR2004 - 2**40
    return len(sizes) == 2 and max(sizes) >= _NO_LAYER  # noqa: PLR2004 - a matrix of weights


def _fixes(case: Case) -> tuple[str, ...]:
    if case.in_frames(_EXTENSION) is not None or case.says(r"\b_C\.\w+\("):
        return ("reinstall_extension", "fix_tensor_size", "upgrade_version")
    if case.framework in IMAGE_GENERATORS:
        return ("flash_attention", "reduce_resolution", "attention_slicing", "vae_tiling")
    if case.in_frames(_ATTENTION) is not None:
        return ("flash_attention", "reduce_seq_len", "reduce_batch", "fix_tensor_size")
    return ("fix_tensor_size", "flash_attention", "reduce_batch", "reduce_seq_len", "reduce_resolution")


RULE = Rule(
    id="DS105",
    name="huge-request",
    cause="huge_single_allocation",
    title="One request is beyond what this card could ever give",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 128.00 GiB. GPU 0 has a total capacity of 79.15 GiB of which 61.02 GiB is free. Including non-PyTorch memory, this process has 18.12 GiB memory in use. Of the allocated memory 17.40 GiB is allocated by PyTorch, and 101.62 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 8.00 GiB. GPU 0 has a total capacity of 79.15 GiB of which 6.02 GiB is free. Including non-PyTorch memory, this process has 73.12 GiB memory in use. Of the allocated memory 72.40 GiB is allocated by PyTorch, and 101.62 MiB is reserved by PyTorch but unallocated.
""",
    ),
)
