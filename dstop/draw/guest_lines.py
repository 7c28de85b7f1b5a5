"""What dstop's hook says of the process it is in, and how to get it in where it is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.draw.detail import heading
from dstop.draw.line import cells, clean, fit_line
from dstop.units import duration_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.draw.line import Line
    from dstop.model.guest import Guest
    from dstop.model.process import ProcessFacts

_HOW = {
    "run": "came with dstop run",
    "import": "was imported by the program",
    "pep768": "was attached (PEP 768)",
    "ptrace": "was attached (ptrace)",
}
_TORCH_BASED = frozenset(
    {
        "pytorch", "torch", "vllm", "sglang", "deepspeed", "megatron", "accelerate", "axolotl", "litgpt", "nemo",
        "composer", "diffusers", "comfyui", "invokeai", "lmdeploy", "ktransformers", "tgi", "jupyter", "ray",
    }
)  # fmt: skip
"""Frameworks, in small letters, whose processes may well hold PyTorch's allocator."""
_STOPPED = frozenset("Tt")
NOT_ATTACHED = "press A to see the allocator inside, or start it with dstop run"


def guest_lines(guest: Guest, width: int) -> list[Line]:
    """Give versions and states, wrapped at their commas."""
    return [heading("inside", width), *joined(guest_parts(guest), width)]


def silence_text(guest: Guest, state: str | None) -> str | None:
    """Say why a process may not answer; None while it does.

    Args:
        guest: what it said last.
        state: the kernel's letter for the process, where it is known.
    """
    if guest.stale_s is None:
        return None
    return "it is stopped" if state in _STOPPED else "C code may hold the GIL"


def state_lines(guest: Guest, width: int, state: str | None = None) -> list[Line]:
    """Say what is in the way of figures; nothing where they are there and fresh."""
    lines: list[Line] = []
    if guest.stale_s is not None:
        age = duration_text(guest.stale_s)
        text = (
            f" these figures are {age} old: the process has not answered since ({silence_text(guest, state)})"
        )
        lines.append(fit_line(((text, "warn"),), width))
    if not guest.devices:
        lines.append(fit_line(((f" {why_no_devices(guest)}", "dim"),), width))
    return lines


def guest_parts(guest: Guest) -> list[str]:
    """Say what runs there, a few words each."""
    parts = []
    if guest.torch_version is not None:
        cuda = f" (CUDA {clean(guest.cuda_version)})" if guest.cuda_version is not None else ""
        parts.append(f"PyTorch {clean(guest.torch_version)}{cuda}")
    if guest.python_version is not None:
        parts.append(f"Python {clean(guest.python_version)}")
    if guest.backend is not None:
        parts.append(f"{clean(guest.backend)} allocator")
    if guest.allocator_conf:
        parts.append(clean(guest.allocator_conf))
    how = _HOW.get(guest.how or "")
    version = "?" if guest.hook_version is None else str(guest.hook_version)
    parts.append(f"hook {version} {how}" if how else f"hook {version}")
    parts.append("allocations are recorded" if guest.history else "allocations are not recorded")
    parts.append("black box on" if guest.black_box else "no black box")
    if guest.incidents:
        parts.append(f"{guest.incidents} incident{'s' if guest.incidents != 1 else ''} written")
    return parts


def why_no_devices(guest: Guest) -> str:
    """Say why there are no figures of an allocator."""
    if "devices" in guest.unavailable:
        return clean(guest.unavailable["devices"])
    if guest.torch_version is None:
        return "torch is not imported there (yet)"
    if not guest.cuda_initialized:
        return "CUDA is not initialised there (yet): the allocator has no memory"
    return "the allocator has no memory on any device"


def not_attached_lines(facts: ProcessFacts | None, width: int) -> list[Line]:
    """Say how to see the inside of a process that carries no hook; nothing for one that is no PyTorch's."""
    if facts is not None and not _may_hold_torch(facts):
        return []
    return [fit_line(((f" {NOT_ATTACHED}", "note"),), width)]


def _may_hold_torch(facts: ProcessFacts) -> bool:
    """Whether its framework builds on PyTorch; of one without a known framework, whether it is Python at all."""
    if facts.framework is not None:
        return facts.framework.lower() in _TORCH_BASED
    return bool(facts.cmdline) and facts.cmdline[0].rpartition("/")[2].startswith("python")


def joined(parts: Iterable[str], width: int) -> list[Line]:
    """Put parts after each other as far as a line goes, none cut in two."""
    rows: list[str] = []
    for part in parts:
        if rows and cells(rows[-1]) + cells(part) + 2 < width:
            rows[-1] += f", {part}"
        else:
            rows.append(f" {part}")
    return [fit_line(((row, ""),), width) for row in rows]
