"""Something that happened between two samples, worth a line in the log."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dstop.model.value import Value


class EventKind(StrEnum):
    """What can happen."""

    PROCESS_STARTED = "process_started"
    PROCESS_ENDED = "process_ended"
    THROTTLE_STARTED = "throttle_started"
    THROTTLE_ENDED = "throttle_ended"
    GPU_LOST = "gpu_lost"
    GPU_BACK = "gpu_back"
    GPU_STALE = "gpu_stale"
    XID = "xid"
    ECC = "ecc"
    ROW_REMAP = "row_remap"
    DRIVER_GONE = "driver_gone"
    DRIVER_BACK = "driver_back"
    OUT_OF_MEMORY = "out_of_memory"
    BLACK_BOX = "black_box"
    CACHE_FLUSHED = "cache_flushed"
    HOOK_CAME = "hook_came"
    HOOK_LEFT = "hook_left"
    HOOKS_FAILED = "hooks_failed"
    FINDING_STARTED = "finding_started"
    FINDING_ENDED = "finding_ended"
    RULE_FAILED = "rule_failed"
    RECORDING = "recording"
    ALERT_STARTED = "alert_started"
    ALERT_ENDED = "alert_ended"
    ALERT_FAILED = "alert_failed"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Event(Value):
    """One line of the event log."""

    at_ns: int
    kind: EventKind
    text: str
    gpu_index: int | None = None
    pid: int | None = None
