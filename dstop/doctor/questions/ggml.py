"""Whose buffer ggml could not allocate: weights, cache or compute, by the line after the driver's refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dstop.units import MIB

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Place, Sign

_USES = (
    ("cache", ("ggml.kv",)),
    ("compute", ("ggml.compute", "ggml.compute_buffer")),
    ("weights", ("ggml.weights",)),
)
_NEAR = 40
_LEFT_BYTES = 512 * MIB
"""What a context, scratch and the desktop take beside the layers."""


class Buffer(NamedTuple):
    """A buffer that was refused."""

    use: str
    """weights, cache, compute."""
    sign: Sign
    place: Place
    """Of the first line about it."""
    size: int | None


def refused_buffer(case: Case) -> Buffer | None:
    """Give the buffer on a device that was refused, by the line that says what it was for."""
    for use, kinds in _USES:
        sign = case.first(*kinds)
        if sign is not None:
            return _buffer(case, use, sign)
    tensors = case.first("ggml.tensors")
    if tensors is None:
        return None
    # Cut off before the line that says whose it was: a log that has printed a context had its weights.
    return _buffer(case, "cache" if _has_context(case, tensors) else "weights", tensors)


def _has_context(case: Case, sign: Sign) -> bool:
    return any(
        one.place.order < sign.place.order and ("context" in one.text or "n_ctx" in one.text)
        for one in case.all("ggml.context", "ggml.kv_size")
    ) and case.says(r"llama_(?:new_context_with_model|context:|kv_cache)")


def _buffer(case: Case, use: str, sign: Sign) -> Buffer:
    order = sign.place.order
    near = [
        one for one in case.failures if abs(one.place.order - order) <= _NEAR and one.place.order <= order
    ]
    sizes = [
        one.number("tried_bytes")
        for one in case.all("ggml.compute_buffer", "ggml.tensors", "ggml.host_buffer")
    ]
    size = next((one.tried_bytes for one in reversed(near) if one.tried_bytes is not None), None)
    size = size or next((one for one in sizes if one is not None), None)
    return Buffer(use=use, sign=sign, place=near[0].place if near else sign.place, size=size)


def device_total_bytes(case: Case) -> int | None:
    """Give the memory of the only device that is listed; None where there are several or none."""
    totals = {sign.number("total_bytes") for sign in case.all("ggml.device")} - {None}
    return totals.pop() if len(totals) == 1 else None


def device_free_bytes(case: Case) -> int | None:
    """Give what was free on the only device that is listed; None where there are several or none."""
    free = [
        sign.number("free_bytes") for sign in case.all("ggml.device") if sign.number("free_bytes") is not None
    ]
    return free[0] if len(free) == 1 else None


def layers_that_fit(case: Case, size: int | None) -> int | None:
    """Give how many layers fit: layers x free / buffer, with a margin; None where a figure is missing."""
    layers, free = case.first("ggml.layers"), device_free_bytes(case) or device_total_bytes(case)
    count = layers.number("layers_count") if layers is not None else None
    if not count or not size or not free or free >= size:
        return None
    return max(0, int(count * max(0, free - _LEFT_BYTES) / size) - 1)


def died_of_memory(case: Case) -> Sign | None:
    """Give Ollama's word that its runner ended for want of memory on a device."""
    for sign in case.all("ollama.runner_died"):
        why = str(sign.values.get("why", "")).lower()
        if any(
            words in why
            for words in ("out of memory", "outofdevicememory", "cudamalloc failed", "unable to allocate")
        ):
            return sign
        if "failed to allocate" in why and "cpu" not in why:
            return sign
    return case.first("ollama.no_layout")
