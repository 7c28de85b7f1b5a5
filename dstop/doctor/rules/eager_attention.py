"""Attention makes its whole score matrix

What it means
    Eager attention keeps batch x heads x sequence x sequence scores, twice (before and after softmax). Fused kernels (SDPA,
    FlashAttention) never make that matrix: memory grows with the length and not with its square.

Evidence
    The failing frame multiplies queries and keys, or takes a softmax over scores, and the request is a large part of the card;
    or its bytes are batch x heads x sequence x sequence x {2, 4} with the figures of the log.

Fix
    `torch.nn.functional.scaled_dot_product_attention`, `attn_implementation="sdpa"` or `"flash_attention_2"`; xFormers where an
    older model knows no other.

When it is wrong
    Within a fused kernel already, the sequence is too long for this card (DS101).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib, is_any_request
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.questions.frameworks import IMAGE_GENERATORS
from dstop.doctor.questions.shapes import attention_shape
from dstop.doctor.rule import FITS, PROVEN, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_SCORES = r"attn_weights|attention_scores|attention_probs|softmax\((?:attn|sim|scores|attention)|baddbmm|torch\.(?:matmul|bmm)\(q|q @ k|einsum\([\"']b ?i ?d|get_attention_scores|sim = |eager_attention_forward|cross_attention_forward|s\d = s\d\.softmax"
_FUSED = r"scaled_dot_product_attention\(|flash_attn|memory_efficient_attention"
_PART = 0.04


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if (
        failure is None
        or failure.tried_bytes is None
        or failure.is_absurd
        or is_any_request(failure.tried_bytes)
    ):
        return None
    if case.phase in {"load", "optimizer", "save"}:
        return None
    shape = attention_shape(case)
    frame = case.in_frames(_SCORES)
    share = failure.tried_bytes / failure.total_bytes if failure.total_bytes else 0.0
    if shape is None and (frame is None or share < _PART or case.in_frames(_FUSED) is not None):
        return None
    evidence = [*failure_lines(case), *rank_lines(case)]
    if shape is not None:
        evidence.append(Evidence(source=str(failure.place), says=f"{gib(failure.tried_bytes)} = {shape}"))
    third = (
        ("attention_slicing", "reduce_resolution")
        if case.framework in IMAGE_GENERATORS
        else ("reduce_batch", "reduce_seq_len")
    )
    return Assessment(
        strength=PROVEN if shape is not None else FITS + 3,
        evidence=tuple(evidence),
        at=failure.place,
        fixes=prescribe(case, "flash_attention", *third, recovers={"flash_attention": failure.tried_bytes}),
    )


RULE = Rule(
    id="DS109",
    name="eager-attention",
    cause="capacity_activations",
    title="Attention makes its whole score matrix",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """  File "/opt/venv/lib/python3.11/site-packages/transformers/models/qwen2/modeling_qwen2.py", line 130, in eager_attention_forward
    attn_weights = nn.functional.softmax(attn_weights, dim=-1, dtype=torch.float32).to(query.dtype)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 14.00 GiB. GPU 0 has a total capacity of 79.15 GiB of which 11.20 GiB is free. Including non-PyTorch memory, this process has 67.94 GiB memory in use. Of the allocated memory 65.40 GiB is allocated by PyTorch, and 1.02 GiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """  File "/opt/venv/lib/python3.11/site-packages/transformers/integrations/sdpa_attention.py", line 54, in sdpa_attention_forward
    attn_output = torch.nn.functional.scaled_dot_product_attention(
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 1.00 GiB. GPU 0 has a total capacity of 79.15 GiB of which 512.00 MiB is free. Including non-PyTorch memory, this process has 78.64 GiB memory in use. Of the allocated memory 76.40 GiB is allocated by PyTorch, and 1.02 GiB is reserved by PyTorch but unallocated.
""",
    ),
)
