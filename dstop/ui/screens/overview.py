"""The first screen: every GPU, every process, and the keys that act on them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.draw.overview import Overview, OverviewState, overview, waiting_lines
from dstop.draw.status_line import flags_of
from dstop.errors import DstopError
from dstop.ui.keys import OVERVIEW_BINDINGS, OVERVIEW_KEYS
from dstop.ui.screens.base import FrameScreen
from dstop.view import steps
from dstop.view.arrange import View, arrange
from dstop.view.rows import ProcessRow, UnattributedRow
from dstop.view.selection import Selection, at, follow, move, toggle, untag

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from textual.binding import BindingType
    from textual.events import Click, MouseScrollDown, MouseScrollUp
    from textual.widgets import Input

    from dstop.model.process import GpuProcess
    from dstop.view.rows import Row

SHIFT = 8
"""Cells the command moves per arrow key."""


class OverviewScreen(FrameScreen):
    """Draws `dstop.draw.overview` and turns keys and clicks into what it should show."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(keys, action, show=False) for keys, action in OVERVIEW_BINDINGS
    ]

    def __init__(self, view: View, mode: str) -> None:
        super().__init__()
        self.view = view
        self.state = OverviewState(mode=mode, keys=OVERVIEW_KEYS)
        self.counters = False
        self._rows: tuple[Row, ...] = ()
        self.selection = Selection()
        self._drawn: Overview | None = None
        self._prompt: Input | None = None

    # ---- drawing -----------------------------------------------------------------------------------------------

    def draw(self) -> None:
        """Arrange the rows, keep the cursor on its row, and show the lines."""
        width, height = self.area
        frame = self.frame
        if frame is None:
            self.canvas.show(waiting_lines(width, height))
            return
        self._rows = arrange(frame.sample, self.view, self._ancestors() if self.view.tree else None)
        self.selection = follow(self.selection, self._keys())
        self.state = replace(
            self.state,
            sort=self.view.sort,
            reverse=self.view.reverse,
            columns=self.view.columns,
            cursor=self.selection.index,
            tags=self.selection.tags,
            flags=flags_of(self.view, paused=self.dstop.paused, tagged=len(self.selection.tags)),
            notice=self.dstop.notice,
            now_ns=self.now_ns(),
        )
        if self._prompt is not None:
            height = max(1, height - 1)  # the prompt is below what says how it goes
        self._drawn = overview(
            frame, self._rows, self.state, width=width, height=height, look=self.dstop.look
        )
        self.state = replace(self.state, top=self._drawn.top)
        self.canvas.show(self._drawn.lines, self._drawn.marked)
        self._watch_what_is_shown(self._drawn, len(frame.sample.gpus))

    def _watch_what_is_shown(self, drawn: Overview, gpus: int) -> None:
        """Counters cost the driver 20 ms a card: read them only where their line is on the screen."""
        shown = drawn.layout.blocks and drawn.layout.details and (self.counters or gpus <= 2)  # noqa: PLR2004 - big cards
        self.dstop.watch_fields(("pcie", "nvlink", "activity") if shown else ())

    def _ancestors(self) -> Mapping[int, tuple[int | None, str]]:
        hands = self.dstop.hands
        if hands is None or self.frame is None:
            return {}
        return dict(hands.parents({process.pid for process in self.frame.sample.processes}))

    @property
    def filter_text(self) -> str:
        """What the rows are filtered by, as it was typed."""
        return self.view.filter.text if self.view.filter is not None else ""

    # ---- the cursor --------------------------------------------------------------------------------------------

    def _keys(self) -> list[Hashable]:
        return [row.key for row in self._rows]

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self.selection.index] if self.selection.index < len(self._rows) else None

    def _go(self, index: int) -> None:
        self.selection = at(self.selection, self._keys(), index)
        self.draw()

    def action_move(self, rows: int) -> None:
        """Move the cursor."""
        self.selection = move(self.selection, self._keys(), rows)
        self.draw()

    def action_page(self, pages: int) -> None:
        """Move the cursor by screens."""
        rows = self._drawn.table_rows if self._drawn is not None else 1
        self.action_move(pages * max(1, rows - 1))

    def action_first(self) -> None:
        """Go to the first row."""
        self._go(0)

    def action_last(self) -> None:
        """Go to the last row."""
        self._go(len(self._rows) - 1)

    def action_shift(self, steps: int) -> None:
        """Scroll the command lines."""
        self.state = replace(self.state, shift=max(0, self.state.shift + steps * SHIFT))
        self.draw()

    def action_tag(self) -> None:
        """Tag the row, or take its tag; then go on to the next."""
        if isinstance(self.current, ProcessRow):
            self.selection = toggle(self.selection)
        self.action_move(1)

    def action_clear(self) -> None:
        """Undo the last kind of narrowing: question, tags, filter, focus. Never quits."""
        if self.dstop.cancel_question():
            return
        if self.selection.tags:
            self.selection = untag(self.selection)
            self.draw()
        else:
            self._show(steps.widened(self.view))

    # ---- what is shown -----------------------------------------------------------------------------------------

    def action_mode(self, mode: str) -> None:
        """Automatic, full or compact GPUs."""
        self.state = replace(self.state, mode=mode)
        self.draw()

    def action_focus_gpu(self, place: int) -> None:
        """Show the rows of the n-th GPU alone (from 0); again, or -1, shows all."""
        gpus = self.frame.sample.gpus if self.frame is not None else ()
        if place >= len(gpus):
            self.dstop.say(f"there are {len(gpus)} GPUs")
            return
        self._show(steps.focused(self.view, gpus[place].index if place >= 0 else None))

    def action_tree(self) -> None:
        """Show processes under their parents."""
        self._show(steps.as_tree(self.view))

    def action_group(self, kind: str) -> None:
        """Sum by user or by job."""
        self._show(steps.grouped_by(self.view, "user" if kind == "user" else "job"))

    def action_fold(self) -> None:
        """Fold or unfold the group or the branch under the cursor; a member folds its group."""
        if self.view.group is not None and self._rows:
            self._go(steps.group_of(self._rows, self.selection.index))
        self._show(steps.folded(self.view, self.current))

    def action_counters(self) -> None:
        """Show PCIe, NVLink and SM counters in the blocks, or stop to read them."""
        self.counters = not self.counters
        blocks = self._drawn is not None and self._drawn.layout.blocks and self._drawn.layout.details
        if self.counters and not blocks:
            self.dstop.say("counters stand in the big form: f shows it, g one card")
        self.draw()

    def action_sort(self, key: str) -> None:
        """Order by a column; the same column again turns the order round."""
        self._show(steps.sorted_by(self.view, key))

    def action_sort_next(self, step: int) -> None:
        """Order by the column to the left or right."""
        columns = self._drawn.columns if self._drawn is not None else ()
        self._show(steps.sorted_by_next(self.view, columns, step))

    def action_reverse(self) -> None:
        """Turn the order round."""
        self._show(steps.turned(self.view))

    def _show(self, view: View) -> None:
        self.view = view
        self.draw()

    # ---- the filter --------------------------------------------------------------------------------------------

    def action_filter(self, start: str = "") -> None:
        """Ask for a filter; the table follows while it is typed."""
        from dstop.ui.widgets.prompt import FilterPrompt  # noqa: PLC0415 - only when it is wanted

        if self._prompt is None:
            self._prompt = FilterPrompt(self.filter_text or start)
            self.mount(self._prompt)
            self._prompt.focus()

    def _narrow(self, text: str) -> bool:
        """Filter by a text; one that is wrong, or not finished, is said and changes nothing."""
        from dstop.view.filter import parse  # noqa: PLC0415 - only when it is wanted

        try:
            self.view = replace(self.view, filter=parse(text))
        except DstopError as error:
            self.dstop.say(str(error))
            return False
        self.dstop.say("")
        return True

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter by what is there so far."""
        event.stop()
        self._narrow(event.value)
        self.draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter, or let it be mended."""
        event.stop()
        if self._narrow(event.value):
            self.close_prompt()
        else:
            self.draw()

    def close_prompt(self, *, forget: bool = False) -> None:
        """Take the prompt away; `forget` drops the filter too."""
        if self._prompt is not None:
            self._prompt.remove()
            self._prompt = None
        if forget:
            self.view = replace(self.view, filter=None)
        self.dstop.say("")
        self.canvas.refresh()
        self.draw()

    def action_filter_user(self) -> None:
        """Show only the processes of the user under the cursor; again shows all."""
        self._show(steps.of_user(self.view, self.current))

    # ---- close up, and signals ----------------------------------------------------------------------------------

    def action_open(self) -> None:
        """Open what is under the cursor."""
        row = self.current
        if isinstance(row, ProcessRow):
            self.dstop.open_process(row.process)
        elif isinstance(row, UnattributedRow):
            self.dstop.open_gpu(row.unattributed.gpu_index)
        else:
            self.action_fold()

    def action_environment(self) -> None:
        """Open the environment of the process under the cursor."""
        row = self.current
        if isinstance(row, ProcessRow):
            self.dstop.open_process(row.process, environment_first=True)

    def action_open_gpu(self) -> None:
        """Open the card of the row under the cursor, or the one in focus."""
        row = self.current
        gpus = self.frame.sample.gpus if self.frame is not None else ()
        index = self.view.gpu_index
        if index is None and isinstance(row, ProcessRow):
            index = row.process.gpu_index
        if index is None and isinstance(row, UnattributedRow):
            index = row.unattributed.gpu_index
        if index is None and gpus:
            index = gpus[0].index
        if index is not None:
            self.dstop.open_gpu(index)

    def chosen(self) -> tuple[GpuProcess, ...]:
        """The tagged processes, or the one under the cursor; one on many GPUs counts once."""
        rows = [row for row in self._rows if isinstance(row, ProcessRow) and row.key in self.selection.tags]
        if not rows and isinstance(self.current, ProcessRow):
            rows = [self.current]
        return tuple({row.process.pid: row.process for row in rows}.values())

    def action_ask_signal(self, name: str) -> None:
        """Ask whether to send a signal."""
        self.dstop.ask_signal(name, self.chosen())

    def action_choose_signal(self) -> None:
        """Show the signals to choose from."""
        self.dstop.choose_signal(self.chosen())

    def action_answer(self, yes: bool) -> None:
        """Answer the question in the status line."""
        if yes:
            self.dstop.confirm_question()
        else:
            self.dstop.cancel_question()

    # ---- the mouse ---------------------------------------------------------------------------------------------

    def on_click(self, event: Click) -> None:
        """A row is chosen, twice opens it; a title sorts; a card is put in focus, twice opens it."""
        drawn = self._drawn
        if drawn is None or self._prompt is not None:
            return
        if event.y == drawn.header_y:
            column = drawn.column_at(event.x)
            if column is not None and column.sort_key is not None:
                self.action_sort(column.sort_key)
            return
        row = drawn.row_at(event.y)
        if row is not None and row < len(self._rows):
            self._go(row)
            if event.chain == 2:  # noqa: PLR2004 - a double click
                self.action_open()
            return
        index = drawn.gpu_under(event.x, event.y)
        if index is not None and event.chain == 2:  # noqa: PLR2004
            self.dstop.open_gpu(index)
        elif index is not None:
            self.view = replace(self.view, gpu_index=None if index == self.view.gpu_index else index)
            self.draw()

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Three rows a notch; with Shift, the command."""
        event.stop()
        if event.shift:
            self.action_shift(1)
        else:
            self.action_move(3)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Three rows a notch; with Shift, the command."""
        event.stop()
        if event.shift:
            self.action_shift(-1)
        else:
            self.action_move(-3)
