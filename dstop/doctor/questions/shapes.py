"""The bytes solver: which shape explains a request, with the dimensions that the log names and no others."""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING

from dstop.doctor.questions.arithmetic import is_any_request
from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_SHAPE = re.compile(r"(?:torch\.Size\(|shape[=: ]{1,3})[\[(]([\d, ]{3,80})[\])]")
_INDUCTOR = re.compile(
    r"empty_strided_cuda\(\([^()]{0,80}?(\d{4,7}),?\), \([^()]{0,120}\), (torch\.\w{1,12})\)"
)
_LONGEST_SIZE = 9
_LEAST_VOCABULARY = 20_000
_WIDTHS = ((4, "float32"), (2, "16-bit"))


def logits_shape(case: Case) -> str | None:
    """Write the request as tokens x vocabulary x bytes, where the log names the vocabulary and the tokens.

    With batch and sequence known, the product itself is checked; a request that the message rounds is met within that.
    """
    printed = _printed_logits(case)
    if printed is not None:
        return printed
    failure = case.failure
    vocabulary = case.number("vocabulary")
    if (
        failure is None
        or failure.tried_bytes is None
        or not vocabulary
        or is_any_request(failure.tried_bytes)
    ):
        return None
    batch, sequence = case.number("batch"), case.number("sequence")
    if not batch or not sequence:
        return None
    for width, name in _WIDTHS:
        for tokens, words in (
            (batch * sequence, f"{batch} x {sequence:,}"),
            (batch * (sequence - 1), f"{batch} x ({sequence:,} - 1)"),
        ):
            if _fits(failure.tried_bytes, tokens * vocabulary * width):
                return f"{words} tokens x {vocabulary:,} vocabulary x {width} bytes ({name})"
    return None


def _printed_logits(case: Case) -> str | None:
    """Find a shape that the log prints, whose last size is a vocabulary's, and that makes the request."""
    failure = case.failure
    if failure is None or failure.tried_bytes is None:
        return None
    for found in _SHAPE.finditer(case.text):
        sizes = [
            int(size)
            for size in found[1].replace(" ", "").strip(",").split(",")
            if len(size) <= _LONGEST_SIZE
        ]
        if len(sizes) < 2 or sizes[-1] < _LEAST_VOCABULARY:  # noqa: PLR2004 - tokens x vocabulary
            continue
        for width, name in _WIDTHS:
            if _fits(failure.tried_bytes, prod(sizes) * width):
                shown = " x ".join(f"{size:,}" for size in sizes)
                return f"{shown} x {width} bytes ({name}): tokens x vocabulary"
    return None


def inductor_logits(case: Case) -> str | None:
    """Find a compiled allocation whose last size is a vocabulary's; those before it are symbols that nobody prints."""
    failure = case.failure
    if failure is None or failure.tried_bytes is None:
        return None
    for frame in case.frames[-2:]:
        found = _INDUCTOR.search(frame.code)
        if found is None or int(found[1]) < _LEAST_VOCABULARY:
            continue
        width = 2 if "float16" in found[2] or "bfloat16" in found[2] else 4
        tokens = failure.tried_bytes // (int(found[1]) * width)
        return f"about {tokens:,} tokens x {int(found[1]):,} x {width} bytes, in a compiled graph"
    return None


def attention_shape(case: Case) -> str | None:
    """Write the request as batch x heads x sequence x sequence x bytes: the score matrix that eager attention makes."""
    failure = case.failure
    batch, heads, sequence = case.number("batch") or 1, case.number("heads"), case.number("sequence")
    if (
        failure is None
        or failure.tried_bytes is None
        or not heads
        or not sequence
        or is_any_request(failure.tried_bytes)
    ):
        return None
    for width, name in _WIDTHS:
        if _fits(failure.tried_bytes, batch * heads * sequence * sequence * width):
            shape = f"{batch} x {heads} heads x {sequence:,} x {sequence:,}"
            return f"{shape} x {width} bytes ({name}): an attention matrix"
    return None


def _fits(tried: int, product: int) -> bool:
    """Whether a request may be this product: rounded up to 2 MiB by the allocator, and to two digits by the message."""
    slack = 2 * MIB + (5 * MIB if tried >= GIB else MIB // 100)
    return product > 2 * MIB and -slack <= tried - product <= slack
