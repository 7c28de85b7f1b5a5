"""`dstop attach`: into running PyTorch processes, and what they say: once, again and again, or on the screen."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from dstop.cli import terminal
from dstop.cli.options import typed
from dstop.errors import AttachError, DstopError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import click

    from dstop.model.frame import Frame
    from dstop.model.guest import Guest, ProcessId
    from dstop.monitor import Monitor
    from dstop.pytorch.guests import LiveGuests
    from dstop.settings import Settings
    from dstop.sources import Source

_OF_SETTINGS = {"interval": "interval_s"}
_SETTINGS = ("interval", "theme", "ascii", "color", "readonly")
_PRINTED = ("json", "once", "interval", "count")
_NOT_WITH_DETACH = ("snapshot", "history", *_PRINTED)
_ANSWER_S = 0.02
"""How long one look waits for figures; looks follow each other until the patience ends."""


def settings_of(context: click.Context) -> Settings:
    """Read the settings: file, environment, and what was typed."""
    from dstop.settings.load import load  # noqa: PLC0415 - a verb loads what it needs

    flags = {
        _OF_SETTINGS.get(name, name): context.params[name] for name in typed(context) if name in _SETTINGS
    }
    return load(context.params["config"], environ=os.environ, flags=flags)


def attach_verb(pids: Sequence[int], options: Mapping[str, Any], settings: Settings) -> None:
    """Do what was asked of these processes.

    Raises:
        UsageError: when the options contradict each other.
        DstopError: when a process cannot be looked into, with the reason and what to do.
    """
    _check(pids, options)
    from dstop.pytorch.guests import LiveGuests  # noqa: PLC0415 - a verb loads what it needs
    from dstop.pytorch.target import find_target  # noqa: PLC0415 - as above

    guests = LiveGuests()
    try:
        wanted = [find_target(pid, look_inside=False).id for pid in dict.fromkeys(pids)]
        if options["detach"]:
            _detach(guests, wanted)
            return
        for process in wanted:
            guests.attach(process, timeout_s=options["timeout"], without_torch=options["without_torch"])
            if options["history"] is not None:
                guests.record(process, on=options["history"] == "on")
        _show(guests, wanted, options, settings)
    finally:
        guests.close()


def _check(pids: Sequence[int], options: Mapping[str, Any]) -> None:
    if options["snapshot"] is not None and len(set(pids)) > 1:
        raise UsageError("--snapshot writes one process to one file", fix="name one PID")
    if options["detach"] and (others := [name for name in _NOT_WITH_DETACH if options[name]]):
        raise UsageError(f"--detach goes with no --{others[0]}", fix="attach and detach in two runs")


def _detach(guests: LiveGuests, wanted: Sequence[ProcessId]) -> None:
    """Have every hook leave; one that refuses keeps no other from it.

    Raises:
        DstopError: the first refusal.
    """
    refused: list[DstopError] = []
    for process in wanted:
        try:
            guests.detach(process)
        except DstopError as error:
            refused.append(error)
        else:
            _say(f"detached from {process.pid}")
    if refused:
        raise refused[0]


def _show(
    guests: LiveGuests, wanted: Sequence[ProcessId], options: Mapping[str, Any], settings: Settings
) -> None:
    if options["snapshot"] is not None:
        size = guests.snapshot(wanted[0], options["snapshot"])
        from dstop.units import bytes_text  # noqa: PLC0415 - as above

        _say(f"wrote {options['snapshot']} ({bytes_text(size)})")
        if not any(options[name] for name in _PRINTED):
            return
    if any(options[name] for name in _PRINTED) or not terminal.can_be_live(os.environ):
        _print(guests, wanted, options, settings)
    else:
        _live(guests, wanted, settings, options["config"])


def _say(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - what was done, apart from what was asked for


def _source() -> Source:
    from dstop.plugin import LabelledSource, Labeller  # noqa: PLC0415 - a verb loads what it needs
    from dstop.sources.nvml.source import NvmlSource  # noqa: PLC0415 - as above
    from dstop.sources.optional import OptionalDriver  # noqa: PLC0415 - as above

    return OptionalDriver(LabelledSource(NvmlSource(), Labeller(defer=1)))


def _live(guests: LiveGuests, wanted: Sequence[ProcessId], settings: Settings, config: str | None) -> None:
    from dstop.cli.options import filter_of  # noqa: PLC0415 - a verb loads what it needs
    from dstop.monitor.expectations import Expectations  # noqa: PLC0415 - as above
    from dstop.settings.save import save  # noqa: PLC0415 - a verb loads what it needs
    from dstop.sources.procfs.hands import HostHands  # noqa: PLC0415 - as above
    from dstop.sources.procfs.reach import HostReach  # noqa: PLC0415 - as above
    from dstop.ui.live import run_live  # noqa: PLC0415 - as above
    from dstop.view.arrange import View  # noqa: PLC0415 - as above

    def keep(changed: Settings) -> None:
        save(changed, config)

    view = View(
        sort=settings.sort,
        tree=settings.tree,
        group=settings.group,
        columns=settings.columns,
        filter=filter_of(settings.filter),
    )
    run_live(
        _source,
        settings,
        view,
        hands=HostHands(),
        guests=guests,
        expectations=Expectations(HostReach(), ask=guests.facts, of_user=settings.footprint, defer=1),
        open_pids=tuple(wanted),
        save=keep,
    )


def _print(
    guests: LiveGuests, wanted: Sequence[ProcessId], options: Mapping[str, Any], settings: Settings
) -> None:
    """Print what the processes say, once or each interval, until somebody stops it or they have all ended."""
    from dstop.monitor import Monitor  # noqa: PLC0415 - a verb loads what it needs
    from dstop.monitor.expectations import Expectations  # noqa: PLC0415 - as above
    from dstop.sources.procfs.reach import HostReach  # noqa: PLC0415 - as above

    left = options["count"] or (None if options["interval"] is not None else 1)
    interval_s = settings.interval_s
    expectations = Expectations(
        HostReach(), ask=guests.facts, of_user=settings.footprint, only=frozenset(wanted), at_once=True
    )
    monitor = Monitor(_source(), interval_s=interval_s, capacity=2, guests=guests, expectations=expectations)
    try:
        while True:
            started_s = time.monotonic()
            frame = _frame_with(monitor, wanted, options["timeout"])
            for process in wanted:
                _print_one(guests, frame, process, settings, json=options["json"])
            left = None if left is None else left - 1
            if left == 0:
                return
            time.sleep(max(0.0, interval_s - (time.monotonic() - started_s)))
    finally:
        monitor.close()


def _frame_with(monitor: Monitor, wanted: Sequence[ProcessId], patience_s: float) -> Frame:
    """Step until every process has answered anew.

    Raises:
        AttachError: when one does not within its time.
    """
    deadline_s = time.monotonic() + patience_s
    while True:
        frame = monitor.step()
        missing = [process for process in wanted if not _is_fresh(frame.guests.get(process))]
        if not missing:
            return frame
        if time.monotonic() > deadline_s:
            raise AttachError(
                f"process {missing[0].pid} does not answer within {patience_s:g} s: a C call holds its GIL",
                fix="try again when that call has ended, or give it longer with --timeout",
            )
        time.sleep(_ANSWER_S)


def _is_fresh(guest: Guest | None) -> bool:
    return guest is not None and guest.stale_s is None


def _print_one(
    guests: LiveGuests, frame: Frame, process: ProcessId, settings: Settings, *, json: bool
) -> None:
    guest = frame.guests[process]
    rows = [row for row in frame.sample.processes if row.id == process]
    if json:
        from dstop.export.attach_json import attach_document  # noqa: PLC0415 - a verb loads what it needs
        from dstop.export.json import encoded  # noqa: PLC0415 - as above

        terminal.write(encoded(attach_document(guest, rows, _summaries(guests, guest))))
        return
    from dstop.draw.ansi import render  # noqa: PLC0415 - as above
    from dstop.draw.ascii import ascii_line  # noqa: PLC0415 - as above
    from dstop.draw.attach_text import attach_text_lines  # noqa: PLC0415 - as above
    from dstop.sources.procfs.facts import read_facts  # noqa: PLC0415 - as above

    lines = attach_text_lines(
        guest,
        rows,
        terminal.width(os.environ),
        command=None if rows else read_facts(process.pid).command,
        notices=frame.sample.notices,
    )
    if settings.ascii or not terminal.speaks_unicode():
        lines = [ascii_line(line) for line in lines]
    color = terminal.use_color(settings.color, os.environ, is_terminal=terminal.is_terminal(sys.stdout))
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    terminal.write(render(lines, color=color).encode(encoding, "replace"))


def _summaries(guests: LiveGuests, guest: Guest) -> dict[int, str]:
    """Give PyTorch's own table of each device that has one."""
    texts: dict[int, str] = {}
    for device in guest.devices:
        with suppress(DstopError):
            texts[device.index] = guests.summary(guest.id, device.index)
    return texts
