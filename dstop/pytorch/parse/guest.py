"""What a hook says of its process: `hello` once, `stats` at every step."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.model.guest import Guest
from dstop.pytorch.parse.checks import MOST_INDEX, count, items, mapping, reasons, text
from dstop.pytorch.parse.stats import MOST_DEVICES, parse_device

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.model.allocator import Allocator
    from dstop.model.guest import ProcessId

_NO_TORCH = "torch is not imported"
_NO_CUDA = "CUDA is not initialised in the process"


def parse_hello(reply: Mapping[str, object], process: ProcessId) -> Guest:
    """Make a Guest of the answer to `hello`, its devices still without figures.

    Args:
        reply: as it came.
        process: whose hook was asked: its own word for its PID is not taken.
    """
    backend = text(reply.get("backend"), 40)
    why = reasons(reply.get("unavailable"))
    torch = _version(reply.get("torch"))
    initialized = reply.get("cuda_initialized") is True
    return Guest(
        pid=process.pid,
        started_at_s=process.started_at_s,
        hook_version=count(reply.get("version"), MOST_INDEX),
        how=text(reply.get("how"), 20),
        python_version=_version(reply.get("python")),
        torch_version=torch,
        cuda_version=_version(reply.get("cuda_version")),
        cuda_initialized=initialized,
        backend=backend,
        allocator_conf=text(reply.get("allocator_conf"), 400),
        rank=count(reply.get("rank"), MOST_INDEX),
        local_rank=count(reply.get("local_rank"), MOST_INDEX),
        world_size=count(reply.get("world_size"), MOST_INDEX),
        devices=_devices(reply.get("devices"), backend, {}, {}),
        history=reply.get("history") is True,
        black_box=reply.get("black_box") is True,
        incidents=_incidents(reply.get("incidents"), 0),
        unavailable={**_absent(torch, initialized=initialized), **why},
    )


def parse_stats(reply: Mapping[str, object], before: Guest) -> Guest:
    """Give the Guest with the figures of the newest answer to `stats`.

    Args:
        reply: as it came.
        before: what `hello` or the last step said.
    """
    torch = _version(reply.get("torch")) or before.torch_version
    initialized = reply.get("cuda_initialized") is True
    known = {device.index: device for device in before.devices}
    why = reasons(reply.get("unavailable"))
    if not isinstance(reply.get("devices"), list):
        why.setdefault("devices", "the hook sent no list of devices")
    kept = {
        name: reason
        for name, reason in before.unavailable.items()
        if name not in {"devices", "torch_version"}
    }
    return replace(
        before,
        taken_at_ns=count(reply.get("taken_ns")) or 0,
        stale_s=None,
        torch_version=torch,
        cuda_initialized=initialized,
        devices=_devices(reply.get("devices"), before.backend, known, why),
        history=reply.get("history") is True,
        incidents=_incidents(reply.get("incidents"), before.incidents),
        unavailable={**kept, **_absent(torch, initialized=initialized), **why},
    )


def _absent(torch: str | None, *, initialized: bool) -> dict[str, str]:
    if torch is None:
        return {"torch_version": _NO_TORCH, "devices": _NO_TORCH}
    return {} if initialized else {"devices": _NO_CUDA}


def _devices(
    value: object, backend: str | None, before: Mapping[int, Allocator], why: Mapping[str, str]
) -> tuple[Allocator, ...]:
    found: dict[int, Allocator] = {}
    for entry in items(value, MOST_DEVICES):
        device = parse_device(entry, backend, before, why)
        if device is not None:
            found.setdefault(device.index, device)
    return tuple(found[index] for index in sorted(found))


def _incidents(value: object, before: int) -> int:
    """Read how many there have been: a number, or in `hello` an object that also says where they are."""
    number = count(value if isinstance(value, int) else mapping(value).get("count"), MOST_INDEX)
    return before if number is None else number


def _version(value: object) -> str | None:
    return text(value, 60)
