"""Incidents as evidence: what a black box recorded becomes the same facts that a log gives, only exact."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.doctor.case import Case
from dstop.doctor.evidence.collect import Found, facts_of
from dstop.doctor.evidence.facts import AllocationFailure, Place, Sign, StackFrame, Trace
from dstop.doctor.questions.whose import told_apart
from dstop.doctor.text.read import log_of_text, read_log
from dstop.errors import DstopError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from dstop.doctor.evidence.memory import Memory
    from dstop.pytorch.incident.values import DeviceStats, Exit, Incident, ThreadStack

_BELOW = 0.98
"""A total that is this much below the card's is a limit of the process."""


def case_of_incidents(
    incidents: Sequence[Incident], memory_of: Callable[[Incident], Memory | None] | None = None
) -> Case:
    """Make a case of what one run left: the black boxes of its processes, oldest first, and how it ended.

    Args:
        incidents: of one run.
        memory_of: reads the snapshot of the black box that failed first, of that one alone; None reads none.
    """
    found: list[Found] = []
    order = 0
    for incident in sorted(incidents, key=lambda one: one.at_ns or 0):
        unread = all(one.memory is None for one in found)
        for one in _found(incident, order):
            memory = memory_of(incident) if memory_of is not None and unread and one.failures else None
            found.append(one if memory is None else replace(one, memory=replace(memory, order=order + 1)))
            order += one.lines + 2
    environment = next((one.environment for one in incidents if one.environment), {})
    return Case(found, environment)


def notes_of(incidents: Iterable[Incident]) -> tuple[str, ...]:
    """Say what the incidents themselves could not record."""
    return tuple(
        f"{incident.name}: no {what}: {why}"
        for incident in incidents
        for what, why in sorted(incident.unavailable.items())
        if what in {"snapshot", "card", "devices", "threads", "request"}
    )


_TELLING = ("NCCL_", "TORCH_NCCL_", "PYTORCH_", "CUDA_", "CUBLAS_")
_OF_EACH = frozenset(("CUDA_VISIBLE_DEVICES", "NCCL_DEBUG_FILE"))
"""What each rank has its own of."""


def differing_settings(incidents: Iterable[Incident]) -> tuple[str, ...]:
    """Say which settings differ between the ranks of a job: they must be the same, or some wait for others."""
    by_rank = {one.rank: one.environment for one in incidents if one.kind == "oom" and one.rank is not None}
    names = {name for told in by_rank.values() for name in told if name.startswith(_TELLING)} - _OF_EACH
    said: list[str] = []
    for name in sorted(names):
        values = {rank: told.get(name, "unset") for rank, told in sorted(by_rank.items())}
        if len(set(values.values())) > 1:
            shown = ", ".join(f"rank {rank}: {value}" for rank, value in list(values.items())[:4])
            said.append(f"{name} differs between ranks ({shown})")
    return tuple(said)


def _found(incident: Incident, order: int) -> list[Found]:
    if incident.kind == "oom":
        return [_of_black_box(incident, order)]
    found = [_of_exit(incident, order)]
    told = incident.exit
    if told is not None and told.kernel_lines:
        kernel = log_of_text("\n".join(told.kernel_lines), "kernel log")
        found.append(facts_of(kernel, order + found[-1].lines + 1))
    output = incident.files.get("output")
    if output is not None:
        try:
            log = read_log(incident.directory / output)
        except DstopError:
            return found
        found.append(facts_of(log, order + sum(one.lines + 1 for one in found)))
    return found


def _context(incident: Incident, order: int) -> Found:
    """Read the command and the versions as a log of their own, for settings and the framework."""
    words = [*incident.cmdline, *(f"{name} {version}" for name, version in incident.versions.items())]
    if incident.allocator_conf:
        words.append(f"PYTORCH_CUDA_ALLOC_CONF={incident.allocator_conf}")
    return facts_of(log_of_text(" ".join(words), incident.name), order)


def _of_black_box(incident: Incident, order: int) -> Found:
    context = _context(incident, order)
    failure = _failure(incident, order + 1)
    trace = _trace(incident.threads, incident, order + 1)
    return Found(
        source=incident.name,
        text="\n".join((context.text, *(f"{frame.file} {frame.function}" for frame in trace.frames))),
        lines=context.lines + 1,
        failures=() if failure is None else (failure,),
        signs=context.signs,
        traces=(trace,) if trace.frames else (),
        settings=(*context.settings, *_world(incident, order)),
    )


def _world(incident: Incident, order: int) -> list:  # type: ignore[type-arg]
    from dstop.doctor.evidence.facts import Setting  # noqa: PLC0415 - of one line

    place = Place(source=incident.name, order=order)
    return (
        []
        if incident.world_size is None
        else [Setting(name="world_size", value=incident.world_size, place=place)]
    )


def _failure(incident: Incident, order: int) -> AllocationFailure | None:
    request = incident.request
    if request is None:
        return None
    stats = _counters(next((one for one in incident.devices if one.index == request.device), None))
    allocated, reserved = stats.get("allocated_bytes"), stats.get("reserved_bytes")
    card = incident.card if incident.card is not None and incident.card.total_bytes else None
    total, limit = request.total_bytes, None
    if (
        card is not None
        and card.total_bytes is not None
        and total is not None
        and total < _BELOW * card.total_bytes
    ):
        total, limit = card.total_bytes, total
    on_card = (
        [] if card is None else [(one.pid, one.bytes) for one in card.processes if one.bytes is not None]
    )
    own, others = told_apart(on_card, reserved, incident.pid)
    what = (
        "CUDA out of memory"
        if request.segment_bytes is None
        else f"a segment of {request.segment_bytes:,} bytes was refused"
    )
    return AllocationFailure(
        family="torch",
        place=Place(
            source=incident.name, order=order, at=None if incident.at_ns is None else f"{incident.at_ns:020d}"
        ),
        rank=incident.rank,
        text=f"{what} on cuda:{request.device}",
        device=request.device,
        tried_bytes=request.segment_bytes,
        total_bytes=total,
        free_bytes=request.free_bytes,
        allowed_bytes=limit,
        allocated_bytes=allocated,
        active_bytes=stats.get("active_bytes"),
        requested_bytes=stats.get("requested_bytes"),
        reserved_bytes=reserved,
        reserved_unallocated_bytes=None
        if allocated is None or reserved is None
        else max(0, reserved - allocated),
        process_bytes=own,
        others=others,
        is_expandable="expandable_segments:true" in (incident.allocator_conf or "").lower() or None,
    )


def _counters(device: DeviceStats | None) -> dict[str, int]:
    """Take the current figures out of `torch._C._cuda_memoryStats`' nested dictionary."""
    found: dict[str, int] = {}
    for name in ("allocated_bytes", "reserved_bytes", "active_bytes", "requested_bytes"):
        value: object = {} if device is None else device.stats.get(name)
        for key in ("all", "current"):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, int):
            found[name] = value
    return found


def _trace(threads: Sequence[ThreadStack], incident: Incident, order: int) -> Trace:
    """Give the stack of the thread that failed; autograd's own threads have none, then it is the main thread's."""
    failing = [one for one in threads if one.current and one.frames]
    others = [one for one in threads if one.frames and (one.name or "").startswith("MainThread")]
    chosen = next(iter([*failing, *others]), None)
    frames = () if chosen is None else chosen.frames
    return Trace(
        place=Place(source=incident.name, order=order),
        rank=incident.rank,
        frames=tuple(
            StackFrame(file=file, line=line, function=function.rpartition(".")[2])
            for file, line, function in reversed(frames)
        ),
        error="OutOfMemoryError",
    )


def _of_exit(incident: Incident, order: int) -> Found:
    context = _context(incident, order)
    signs = list(context.signs)
    if incident.exit is not None:
        signs += _exit_signs(incident.exit, Place(source=incident.name, order=order + context.lines))
    return Found(
        source=incident.name,
        text=context.text,
        lines=context.lines + 1,
        signs=tuple(signs),
        settings=context.settings,
    )


def _exit_signs(told: Exit, place: Place) -> list[Sign]:
    found: list[Sign] = []
    if told.signal == 9:  # noqa: PLR2004 - SIGKILL
        found.append(Sign(kind="host.sigkill", place=place, text="the command was killed by SIGKILL"))
    killed = told.memory_events.get("oom_kill", 0)
    if killed:
        values = _known(
            {
                "kills_count": killed,
                "limit_bytes": told.memory_max_bytes,
                "peak_bytes": told.memory_peak_bytes,
            }
        )
        text = f"the kernel killed {killed} of the control group for want of memory"
        found.append(Sign(kind="cgroup.oom_kill", place=place, text=text, values=values))
    elif told.host_oom_kills:
        text = f"the kernel killed {told.host_oom_kills} on this host for want of memory during the run"
        found.append(
            Sign(kind="host.oom_kills", place=place, text=text, values={"kills_count": told.host_oom_kills})
        )
    return found


def _known(values: Mapping[str, int | None]) -> dict[str, int | float | str]:
    return {name: value for name, value in values.items() if value is not None}
