"""The mailbox from dstop's side: claim it, hand the text to the new thread, follow it to its end."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from dstop.errors import AttachError
from dstop.pytorch.inject.mailbox import (
    GO_AT,
    MAILBOX_BYTES,
    Mailbox,
    Status,
    claim,
    parse_mailbox,
    still_used,
)
from dstop.pytorch.inject.routine import REGION_BYTES, SOURCE_WAIT_S

if TYPE_CHECKING:
    from threading import Event

    from dstop.pytorch.memory import TargetMemory

_NAP_S, _LONG_NAP_S = 0.0005, 0.004
_PAGE = 4096
_DELIVER_WITHIN_S = SOURCE_WAIT_S / 2
"""Afterwards the new thread may be about to unmap its region: nothing is written there any more."""

_FAILED = {
    Status.NOT_INITIALIZED: "its interpreter is not initialised, or is shutting down",
    Status.NO_THREAD: "it could not start one more thread",
    Status.NO_SOURCE: "dstop was too slow to hand over its text",
    Status.NO_MEMORY: "it could not map one more megabyte",
}


class StillWaitingError(AttachError):
    """The new thread waits for the GIL: the text is delivered, and will run by itself as soon as the GIL is free."""


def check_source(source: str) -> bytes:
    """Give the text as it is written into the target, or say why it cannot be."""
    text = source.encode()
    if b"\0" in text or len(text) >= REGION_BYTES:
        raise ValueError("the source holds a NUL or is a megabyte long")
    return text + b"\0"


class Delivery:
    """One use of the mailbox at `address` in the target; `process` is the target's number in its own namespace."""

    def __init__(self, memory: TargetMemory, address: int, process: int) -> None:
        self._memory = memory
        self._address = address
        self._process = process
        self._ours = b""

    def claim(self, deadline: float, cancelled: Event) -> None:
        """Make the mailbox ours, after an earlier attach that was cut short has come to its end."""
        pid = self._memory.pid
        while True:
            old = parse_mailbox(self._memory.read(self._address, MAILBOX_BYTES))
            if old is None or not still_used(old, self._process, time.monotonic()):
                break
            if old.status in (Status.WAITING, Status.RUNNING):
                raise _still_waiting(pid, "an earlier attach", old.status)
            if time.monotonic() > deadline or cancelled.is_set():
                raise AttachError(
                    f"an earlier attach to process {pid} was cut short a moment ago",
                    fix="try again in a minute",
                )
            time.sleep(_LONG_NAP_S)
        self._ours = claim(os.getpid(), time.monotonic(), self._process)
        self._memory.write(self._address, self._ours)

    def deliver(self, text: bytes, deadline: float, cancelled: Event) -> Status:
        """Hand over the text, wait for the end, give the last status: DONE, or RUNNING when the time was up."""
        pid = self._memory.pid
        give_up = time.monotonic() + _DELIVER_WITHIN_S
        sent = False
        while True:
            box = self._read()
            if box.region and not sent and box.status == Status.STARTED:
                if time.monotonic() > give_up or cancelled.is_set():
                    raise AttachError(
                        f"process {pid} got no text in time", fix="nothing was run in it: try again"
                    )
                self._hand_over(box.region, text)
                sent = True
            if box.status in (Status.DONE, *_FAILED):
                return _ended(pid, box)
            if cancelled.is_set() or time.monotonic() > deadline:
                return _unfinished(pid, box)
            time.sleep(_LONG_NAP_S if sent else _NAP_S)

    def _hand_over(self, region: int, text: bytes) -> None:
        if region % _PAGE:
            raise self._overwritten()
        self._memory.write(region, text)
        self._memory.write(self._address + GO_AT, (1).to_bytes(8, "little"))

    def _read(self) -> Mailbox:
        raw = self._memory.read(self._address, MAILBOX_BYTES)
        box = parse_mailbox(raw)
        if box is None or raw[:8] != self._ours[:8]:
            raise self._overwritten()
        return box

    def _overwritten(self) -> AttachError:
        return AttachError(f"the mailbox in process {self._memory.pid} was overwritten", fix="try again")


def _ended(pid: int, box: Mailbox) -> Status:
    status = Status(box.status)
    if status in _FAILED:
        raise AttachError(f"process {pid} did not start the hook: {_FAILED[status]}", fix="try again")
    if box.result:
        raise AttachError(
            f"process {pid} refused the text of the hook", fix="its Python is too old or restricted"
        )
    return status


def _unfinished(pid: int, box: Mailbox) -> Status:
    if box.status == Status.RUNNING:
        return Status.RUNNING
    if box.status == Status.WAITING:
        raise _still_waiting(pid, "the hook", box.status)
    raise AttachError(f"process {pid} did not run the routine in time", fix="it gets no CPU time: try again")


def _still_waiting(pid: int, who: str, status: int) -> StillWaitingError:
    if status == Status.RUNNING:
        return StillWaitingError(f"{who} still runs in process {pid}", fix="try again in a moment")
    return StillWaitingError(
        f"{who} waits for the GIL of process {pid}, which a call into C holds",
        fix="it comes up by itself when that call returns: try again then",
    )
