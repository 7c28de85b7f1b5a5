"""PYTORCH_CUDA_ALLOC_CONF, read as PyTorch reads it: what is wrong in it, and what contradicts itself. Pure.

Source: PyTorch, c10/core/AllocatorConfig.cpp and c10/cuda/CUDAAllocatorConfig.cpp; their check failures end a program
at its first CUDA call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dstop.doctor.environment.checks.words import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LARGE_BUFFER_MB = 20
_MOST_OPTIONS = 64
_LONGEST = 4096


class AllocConf(NamedTuple):
    """The options as they were given, and what PyTorch would object to."""

    options: dict[str, str]
    errors: tuple[str, ...]


def parse_alloc_conf(text: str) -> AllocConf:
    """Take the settings apart: `name:value`, separated by commas; a list stands in brackets."""
    options: dict[str, str] = {}
    errors: list[str] = []
    items = _items(text[:_LONGEST].replace(" ", ""))[:_MOST_OPTIONS]
    if items and not items[-1]:
        items.pop()
    for item in items:
        name, colon, value = item.partition(":")
        if not item:
            errors.append("two commas in a row")
        elif not colon or not value:
            errors.append(_no_value(item))
        elif name not in _OPTIONS:
            errors.append(f"{shown(name)!r} is no option of it")
        else:
            options[name] = value
            problem = _OPTIONS[name](value)
            errors += [] if problem is None else [f"{name}:{shown(value)} {problem}"]
    return AllocConf(options, tuple(errors))


def contradictions(options: dict[str, str]) -> Iterator[str]:
    """Say which options make others useless."""
    native = [
        name
        for name in options
        if name not in {"backend", "per_process_memory_fraction"} and name[:6] != "pinned"
    ]
    if options.get("backend") == "cudaMallocAsync" and native:
        yield f"backend:cudaMallocAsync ignores {', '.join(native)}"
        return
    if options.get("expandable_segments") == "True":
        if "max_split_size_mb" in options:
            yield "with expandable_segments:True blocks are split whatever max_split_size_mb says"
        if "large_segment_size_mb" in options:
            yield "with expandable_segments:True no segment has the size that large_segment_size_mb says"


def _items(text: str) -> list[str]:
    """Split at the commas outside brackets."""
    items, depth, start = [], 0, 0
    for position, mark in enumerate(text):
        depth += (mark == "[") - (mark == "]")
        if mark == "," and depth <= 0:
            items.append(text[start:position])
            start = position + 1
    return [*items, text[start:]] if text else []


def _no_value(item: str) -> str:
    hint = " (write it with a colon)" if "=" in item else ""
    return f"{shown(item)!r} has no value{hint}"


def _is_boolean(value: str) -> str | None:
    return None if value in {"True", "False"} else "must be True or False, written so"


def _is_megabytes(value: str) -> str | None:
    number = _whole(value)
    return (
        None if number is not None and number >= _LARGE_BUFFER_MB else f"must be {_LARGE_BUFFER_MB} or more"
    )


def _is_count(value: str) -> str | None:
    number = _whole(value)
    return None if number is not None and number > 0 else "must be a number above 0"


def _is_power_of_2(value: str) -> str | None:
    number = _whole(value)
    return (
        None if number is not None and number > 0 and number & (number - 1) == 0 else "must be a power of 2"
    )


def _is_share(value: str) -> str | None:
    number = _real(value)
    return None if number is not None and 0 < number < 1 else "must lie between 0 and 1"


def _is_fraction(value: str) -> str | None:
    number = _real(value)
    return None if number is not None and 0 <= number <= 1 else "must lie between 0 and 1"


def _is_backend(value: str) -> str | None:
    return (
        None
        if value in {"native", "cudaMallocAsync", "hipMallocAsync"}
        else "must be native or cudaMallocAsync"
    )


def _is_division(value: str) -> str | None:
    if not value.startswith("["):
        return _is_power_of_2(value)
    if not value.endswith("]"):
        return "has no closing bracket"
    for pair in value[1:-1].split(","):
        size, colon, divisions = pair.partition(":")
        if (
            not colon
            or (size != ">" and _is_power_of_2(size))
            or (divisions != "0" and _is_power_of_2(divisions))
        ):
            return "must be pairs of powers of 2 such as [256:1,512:2,>:8]"
    return None


def _anything(_value: str) -> str | None:
    return None


def _whole(value: str) -> int | None:
    return int(value) if value.isascii() and value.isdigit() and len(value) < 19 else None  # noqa: PLR2004 - 2**63


def _real(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


_OPTIONS: dict[str, Callable[[str], str | None]] = {
    "backend": _is_backend,
    "max_split_size_mb": _is_megabytes,
    "max_non_split_rounding_mb": _is_megabytes,
    "large_segment_size_mb": _is_megabytes,
    "garbage_collection_threshold": _is_share,
    "per_process_memory_fraction": _is_fraction,
    "roundup_power2_divisions": _is_division,
    "expandable_segments": _is_boolean,
    "expandable_segments_handle_type": _anything,
    "expandable_segments_reserve": _anything,
    "release_lock_on_cudamalloc": _is_boolean,
    "release_lock_on_hipmalloc": _is_boolean,
    "pinned_use_cuda_host_register": _is_boolean,
    "pinned_use_hip_host_register": _is_boolean,
    "pinned_use_background_threads": _is_boolean,
    "pinned_num_register_threads": _is_power_of_2,
    "pinned_reserve_segment_size_mb": _is_count,
    "graph_capture_record_stream_reuse": _is_boolean,
    "throw_on_cudamalloc_oom": _is_boolean,
}

SINCE = {
    "expandable_segments": (2, 1),
    "large_segment_size_mb": (2, 11),
    "throw_on_cudamalloc_oom": (2, 12),
    "expandable_segments_reserve": (2, 15),
}
"""PyTorch version from which on an option is known, where it matters."""
