"""What all screens about one process can do with the hook in it."""

from __future__ import annotations

import time
from abc import abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.draw.detail import wrapped
from dstop.draw.line import fit_line
from dstop.ui.asking import ask_apart
from dstop.ui.screens.text import TextScreen
from dstop.units import bytes_text, duration_text

if TYPE_CHECKING:
    from collections.abc import Callable

    from textual.app import App
    from textual.binding import BindingType
    from textual.widgets import Input

    from dstop.draw.line import Line
    from dstop.errors import DstopError
    from dstop.model.guest import Guest, ProcessId
    from dstop.sources.guests import Guests
    from dstop.ui.messages import Answered


class GuestScreen(TextScreen):
    """Attaches, detaches, records and writes snapshots; each of them apart, with its outcome in the status line."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("A", "attach", show=False),
        Binding("D", "detach", show=False),
        Binding("H", "record", show=False),
        Binding("w", "write", show=False),
        Binding("S", "look", show=False),
        Binding("y", "answer(True)", show=False),
        Binding("n", "answer(False)", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._busy: set[str] = set()
        """What has been asked and not answered: a second question to a stuck process would only wait behind it."""
        self._refusal: DstopError | None = None
        """Why what was asked for last was not done: too much for the status line."""
        self._prompt: Input | None = None
        self.ended = False

    @property
    @abstractmethod
    def process_id(self) -> ProcessId:
        """Whose screen it is."""

    @property
    def guest(self) -> Guest | None:
        """The newest answer of the hook; None where there is none."""
        return self.frame.guests.get(self.process_id) if self.frame is not None else None

    @property
    def state(self) -> str | None:
        """The kernel's letter for the process; None where no card has a row of it."""
        rows = self.frame.sample.processes if self.frame is not None else ()
        return next((row.state for row in rows if row.id == self.process_id), None)

    @property
    def asking(self) -> bool:
        """Whether an answer is still to come."""
        return bool(self._busy)

    @property
    def area(self) -> tuple[int, int]:
        """Leave the prompt its line."""
        width, height = super().area
        return width, max(1, height - (self._prompt is not None))

    # ---- to the process ----------------------------------------------------------------------------------------

    def action_attach(self) -> None:
        """Ask whether to bring the hook in."""
        guests, pid = self._may_change(), self.process_id.pid
        if guests is None or self._is_over():
            return
        if self.guest is not None:
            self.dstop.say(f"{pid} carries the hook already")
            return
        process = self.process_id
        self.dstop.ask(
            f"attach to {pid} (stops it about 1 ms, adds a thread)?  y: yes   n: no",
            lambda: self._do("attach", f"attaching to {pid} …", lambda: guests.attach(process)),
            "not attached",
        )

    def action_detach(self) -> None:
        """Have the hook leave."""
        guests, process = self._may_change(), self.process_id
        if guests is not None and self._has_hook():
            self._do("detach", f"detaching from {process.pid} …", lambda: guests.detach(process))

    def action_record(self) -> None:
        """Begin or stop to record allocations."""
        guests, process, guest = self._may_change(), self.process_id, self.guest
        if guests is not None and self._has_hook() and guest is not None:
            on = not guest.history
            text = f"{'beginning' if on else 'ceasing'} to record allocations …"
            self._do("record on" if on else "record off", text, lambda: guests.record(process, on=on))

    def action_write(self) -> None:
        """Ask where to write a snapshot to."""
        from dstop.ui.widgets.prompt import PathPrompt  # noqa: PLC0415 - only when it is wanted

        if self._prompt is not None or not self.may_look_inside():
            return
        when = time.strftime("%H%M%S", time.localtime(self.now_ns() / 1e9))
        self._prompt = PathPrompt(f"snapshot-{self.process_id.pid}-{when}.pickle.gz")
        self.mount(self._prompt)
        self._prompt.focus()
        self.draw()

    def action_look(self) -> None:
        """Ask whether to take a snapshot and look into it."""
        guests, process = self._guests(), self.process_id
        if guests is not None and self.may_look_inside():
            self.dstop.ask(
                f"take a snapshot of {process.pid} (its Python may stand still meanwhile)?  y: yes   n: no",
                lambda: self._look_into(guests, process),
                "no snapshot was taken",
            )

    def _look_into(self, guests: Guests, process: ProcessId) -> None:
        from dstop.ui.recording.reading import read_guest  # noqa: PLC0415 - only when it is wanted
        from dstop.ui.screens.snapshot import SnapshotScreen  # noqa: PLC0415

        when = time.strftime("%H:%M:%S", time.localtime(self.now_ns() / 1e9))
        title = f"{process.pid} at {when}"
        self.app.push_screen(SnapshotScreen(lambda tell: read_guest(guests, process, tell), title))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Write to the path that was typed."""
        event.stop()
        name, guests, process = event.value.strip(), self._guests(), self.process_id
        self.close_prompt(forget=not name)
        if name and guests is not None:
            path = str(Path(name).expanduser())
            self._do("write", f"writing {path} …", lambda: (path, guests.snapshot(process, path)))

    def close_prompt(self, *, forget: bool) -> None:
        """Take the prompt away; `forget` says that nothing is written."""
        if self._prompt is not None:
            self._prompt.remove()
            self._prompt = None
        self.dstop.say("no snapshot was written" if forget else "")
        self.canvas.refresh()
        self.draw()

    def _do(self, what: str, meanwhile: str, work: Callable[[], object]) -> None:
        """Ask apart, and say so; the outcome comes as `Answered`."""
        self._refusal = None
        self.dstop.say(meanwhile)
        self.ask(what, work)

    def ask(self, what: str, work: Callable[[], object]) -> None:
        """Ask apart, unless the same is being asked already."""
        if what in self._busy:
            self.dstop.say(f"{self.process_id.pid} has not answered yet")
            return
        self._busy.add(what)
        app: App[object] = self.app
        ask_apart(self, work, app=app, about=what)

    def on_answered(self, message: Answered) -> None:
        """Say what became of it, and have new figures."""
        self._busy.discard(message.about)
        self._refusal = message.error
        self.dstop.say(message.error.message if message.error is not None else self.outcome(message))
        self.dstop.read_now()

    def outcome(self, message: Answered) -> str:
        """Say in a sentence what was done."""
        pid = self.process_id.pid
        if message.about == "attach":
            return f"attached to {pid} ({message.value})"
        if message.about == "write" and isinstance(message.value, tuple):
            path, size = message.value
            return f"wrote {path} ({bytes_text(size)})"
        done = {
            "detach": f"detached from {pid}: it is as it was",
            "record on": "allocations are recorded from now on (H stops it)",
            "record off": "allocations are not recorded any more",
        }
        return done.get(message.about, "")

    def refusal_lines(self, width: int) -> list[Line]:
        """Say what is being waited for; else why the last thing was not done, and what to do about it."""
        if self.asking:
            return [fit_line(((f" asking {self.process_id.pid} …{self._silence()}", "note"),), width)]
        if self._refusal is None:
            return []
        fix = self._refusal.fix
        return wrapped(self._refusal.message, width, "bad") + (wrapped(fix, width) if fix is not None else [])

    def _silence(self) -> str:
        """Say why the answer may take a while."""
        from dstop.draw.guest_lines import silence_text  # noqa: PLC0415 - where there is a hook

        guest = self.guest
        text = silence_text(guest, self.state) if guest is not None else None
        return (
            ""
            if guest is None or text is None
            else f" silent for {duration_text(guest.stale_s or 0)}: {text}"
        )

    # ---- who may what ------------------------------------------------------------------------------------------

    def may_look_inside(self) -> bool:
        """Say in the status line why not, where there is nothing to ask."""
        return self._guests() is not None and self._has_hook()

    def _guests(self) -> Guests | None:
        guests = self.dstop.guests
        if guests is None:
            self.dstop.say("there are no processes behind this source")
        return guests

    def _may_change(self) -> Guests | None:
        """Give the guests, unless nothing may be changed in a process."""
        if self.dstop.settings.readonly:
            self.dstop.say("read-only: nothing is changed in a process (started with --readonly)")
            return None
        return self._guests()

    def _has_hook(self) -> bool:
        if self._is_over():
            return False
        if self.guest is None:
            self.dstop.say(f"{self.process_id.pid} carries no hook: A attaches one")
        return self.guest is not None

    def _is_over(self) -> bool:
        if self.ended:
            self.dstop.say(f"{self.process_id.pid} has ended: there is nothing to look into")
        return self.ended

    # ---- the question ------------------------------------------------------------------------------------------

    def action_answer(self, yes: bool) -> None:
        """Answer the question in the status line."""
        if yes:
            self.dstop.confirm_question()
        else:
            self.dstop.cancel_question()

    def action_back(self) -> None:
        """Drop the question where there is one; else return to what was there before."""
        if not self.dstop.cancel_question():
            super().action_back()
