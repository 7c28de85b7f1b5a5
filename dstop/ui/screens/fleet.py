"""All hosts and GPUs that a Prometheus server knows: four tables, a filter, an order, and a way to each host."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.draw.detail import wrapped
from dstop.draw.fleet_lines import fleet_title, state_lines
from dstop.draw.fleet_once import nothing_lines
from dstop.draw.fleet_rows import rows_of
from dstop.draw.line import BLANK, clean, fit_line
from dstop.draw.status_line import status_line
from dstop.errors import UsageError
from dstop.ui.asking import ask_apart
from dstop.ui.screens.base import FrameScreen
from dstop.view.fleet import SORTS, Known, known
from dstop.view.fleet_filter import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.binding import BindingType
    from textual.events import Click, MouseScrollDown, MouseScrollUp
    from textual.widgets import Input

    from dstop.draw.fleet_rows import Row
    from dstop.draw.line import Line
    from dstop.errors import DstopError
    from dstop.model.fleet import Fleet
    from dstop.ui.messages import Answered
    from dstop.ui.widgets.prompt import TextPrompt
    from dstop.view.fleet import FleetView

KEYS = (
    ("Tab", "table"),
    ("Enter", "host"),
    ("/", "filter"),
    ("s", "sort"),
    ("r", "reverse"),
    ("p", "pause"),
    ("F5", "now"),
    ("q", "quit"),
)
_TABS = 4


class FleetScreen(FrameScreen):
    """The fleet; the server is asked in a thread, and what was read last stays until there is more.

    Args:
        read: gives the fleet as it is now; raises DstopError with what is wrong.
        server: the address it is read from.
        view: order and filter to begin with.
        interval_s: seconds between two readings.
        show: the table to begin with.
        host: a host to begin with, close up.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "escape", show=False),
        Binding("tab", "tab(1)", show=False, priority=True),
        Binding("shift+tab", "tab(-1)", show=False, priority=True),
        *(Binding(str(at + 1), f"show({at})", show=False) for at in range(_TABS)),
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,ctrl+b", "page(-1)", show=False),
        Binding("pagedown,ctrl+f,space", "page(1)", show=False),
        Binding("home,g", "move(-1000000)", show=False),
        Binding("end,G", "move(1000000)", show=False),
        Binding("enter", "open", show=False),
        Binding("slash", "filter", show=False),
        Binding("s", "sort(1)", show=False),
        Binding("S", "sort(-1)", show=False),
        Binding("r", "reverse", show=False),
        Binding("p", "pause", show=False),
        Binding("f5,R", "read", show=False),
    ]

    def __init__(
        self,
        read: Callable[[], Fleet],
        server: str,
        view: FleetView,
        *,
        interval_s: float,
        show: int = 0,
        host: str | None = None,
    ) -> None:
        super().__init__()
        self._read, self._server, self._interval_s, self._host = read, server, interval_s, host
        self.view, self.show_at = view, show
        self.known: Known | None = None
        self.error: DstopError | None = None
        self.paused = False
        self._asking_since: float | None = None
        self._at = [0] * _TABS
        self._rows: Sequence[Row] = ()
        self._head = self._top = 0
        self._prompt: TextPrompt | None = None

    @property
    def waiting(self) -> bool:
        """Whether the server is being asked."""
        return self._asking_since is not None

    # ---- reading -----------------------------------------------------------------------------------------------

    def on_mount(self) -> None:
        """Read, and again and again; ages are drawn anew each second."""
        super().on_mount()
        self.action_read()
        self.set_interval(self._interval_s, self._again)
        self.set_interval(1.0, self._draw_state)

    def _again(self) -> None:
        if not self.paused:
            self.action_read()

    def _draw_state(self) -> None:
        if self.error is not None or self.waiting:
            self.refresh_all()

    def action_read(self) -> None:
        """Ask the server; while it is being asked it is not asked again."""
        if self._asking_since is None:
            self._asking_since = time.monotonic()
            ask_apart(self, lambda: known(self._read()), app=self.app)

    def on_answered(self, message: Answered) -> None:
        """Take what was read; figures of before stay where nothing came."""
        self._asking_since = None
        self.error = message.error
        if isinstance(message.value, Known):
            self.known = message.value
            name, self._host = self._host, None
            if name is not None:
                self._open(name)
        self.refresh_all()

    def refresh_all(self) -> None:
        """Draw this screen or the host that covers it."""
        top = self.app.screen
        if isinstance(top, FrameScreen):
            top.draw()

    # ---- drawing -----------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Draw title, state, the part of the table that is in sight, and the keys."""
        width, height = self.area
        if self.known is None:
            blank = [fit_line(BLANK, width)] * height
            self.canvas.show([*[*self._begin(width), *blank][: height - 1], self._status(width)][-height:])
            return
        head = [fleet_title(self.known, self.show_at, width), *self.state(width)]
        header, rows = rows_of(self.known, self.view, self.show_at, width)
        head += [header] if header is not None else []
        self._rows, self._head = rows, len(head)
        room = max(1, height - 1 - len(head))
        at = self._at[self.show_at] = max(0, min(self._at[self.show_at], len(rows) - 1))
        top = max(0, min(at - room // 2, len(rows) - room))
        self._top = top
        body = [row.draw() for row in rows[top : top + room]]
        if not rows:
            body = (
                nothing_lines(self._server, width) if not self.known.fleet.hosts else [self._nothing(width)]
            )
        body += [fit_line(BLANK, width)] * (room - len(body))
        marked = len(head) + at - top if rows else None
        self.canvas.show([*head, *body[:room], self._status(width)][-height:], marked)

    def state(self, width: int) -> list[Line]:
        """Say how old it is, and why."""
        if self.known is None:
            return []
        return state_lines(
            self.known,
            width,
            now_ns=time.time_ns(),
            error=None if self.error is None else str(self.error),
            waiting=self.waiting,
            interval_s=self._interval_s,
        )

    def _begin(self, width: int) -> list[Line]:
        title = fit_line(((f" fleet  {clean(self._server)}", "head"),), width, "head")
        if self.error is not None:
            fix = self.error.fix
            lines = wrapped(self.error.message, width, "bad") + (wrapped(fix, width) if fix else [])
            return [title, *lines]
        since = self._asking_since
        text = " asking …" if since is None else f" asking for {time.monotonic() - since:.0f} s …"
        return [title, fit_line(((text, "note"),), width)]

    def _nothing(self, width: int) -> Line:
        text = " nothing that the filter takes" if self.view.filter.text else " nothing"
        return fit_line(((text, "dim"),), width)

    def _status(self, width: int) -> Line:
        flags = ["paused"] if self.paused else []
        flags.append(f"{'▲' if self.view.reverse else '▼'} {self.view.sort}")
        if self.view.filter.text:
            flags.append(f"filter {self.view.filter.text}")
        count = len(self._rows)
        if count:
            flags.append(f"{self._at[self.show_at] + 1} of {count}")
        return status_line(KEYS, width, cost=None, flags=flags, notice=self.dstop.notice)

    # ---- keys --------------------------------------------------------------------------------------------------

    def action_escape(self) -> None:
        """Drop the filter."""
        if self.view.filter.text:
            self.view = replace(self.view, filter=parse(""))
            self.draw()

    def action_tab(self, by: int) -> None:
        """Go to the next table."""
        self.action_show((self.show_at + by) % _TABS)

    def action_show(self, at: int) -> None:
        """Show one of the tables."""
        self.show_at = at
        self.draw()

    def action_move(self, by: int) -> None:
        """Choose another row."""
        self._at[self.show_at] = max(0, min(len(self._rows) - 1, self._at[self.show_at] + by))
        self.draw()

    def action_page(self, by: int) -> None:
        """Move by screens."""
        self.action_move(by * max(1, self.area[1] - self._head - 2))

    def action_open(self) -> None:
        """Show the host of the chosen row."""
        if self._rows:
            host = self._rows[self._at[self.show_at]].host
            if host is not None:
                self._open(host)

    def _open(self, name: str) -> None:
        from dstop.ui.screens.fleet_host import FleetHostScreen  # noqa: PLC0415 - only when it is wanted

        if self.known is not None and any(host.name == name for host in self.known.fleet.hosts):
            self.app.push_screen(FleetHostScreen(self, name))
        else:
            self.dstop.say(f"there is no host {clean(name[:60])}")

    def action_sort(self, by: int) -> None:
        """Take another order."""
        at = (SORTS.index(self.view.sort) + by) % len(SORTS)
        self.view = replace(self.view, sort=SORTS[at])
        self.dstop.say(f"sorted by {SORTS[at]}")

    def action_reverse(self) -> None:
        """Turn the order round."""
        self.view = replace(self.view, reverse=not self.view.reverse)
        self.draw()

    def action_pause(self) -> None:
        """Ask no more until told."""
        self.paused = not self.paused
        self.draw()

    def action_filter(self) -> None:
        """Ask for a filter."""
        from dstop.ui.widgets.prompt import TextPrompt  # noqa: PLC0415 - only when it is wanted

        if self._prompt is None:
            self._prompt = TextPrompt(
                self.view.filter.text, "node-1   h100   -idle   mem>90   util<5   temp>=80"
            )
            self.mount(self._prompt)
            self._prompt.focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed; what is no filter yet changes nothing."""
        event.stop()
        if self._prompt is not None:
            try:
                self.view = replace(self.view, filter=parse(event.value))
            except UsageError:
                return
            self.draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter, or say what is wrong with it."""
        event.stop()
        try:
            parse(event.value)
        except UsageError as error:
            self.dstop.say(str(error))
            return
        self.close_prompt(forget=False)

    def close_prompt(self, *, forget: bool) -> None:
        """Take the prompt away; `forget` shows everything again."""
        prompt, self._prompt = self._prompt, None
        if prompt is not None:
            prompt.remove()
        if forget:
            self.view = replace(self.view, filter=parse(""))
        self.canvas.refresh()
        self.draw()

    # ---- the mouse ---------------------------------------------------------------------------------------------

    def on_click(self, event: Click) -> None:
        """Choose what was pointed at; a second click opens it."""
        at = self._top + event.y - self._head if self._rows else -1
        if not 0 <= at < len(self._rows) or event.y < self._head:
            return
        if at == self._at[self.show_at]:
            self.action_open()
        else:
            self._at[self.show_at] = at
            self.draw()

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Three rows a notch."""
        event.stop()
        self.action_move(3)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Three rows a notch."""
        event.stop()
        self.action_move(-3)
