"""A memory snapshot: a timeline with a cursor, and what can be asked about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding

from dstop.ui.recording.sites_page import SitesPage
from dstop.ui.recording.timeline_page import TimelinePage
from dstop.ui.screens.recording import RecordingScreen

if TYPE_CHECKING:
    from textual.binding import BindingType
    from textual.events import Click, MouseScrollDown, MouseScrollUp
    from textual.widgets import Input


class SnapshotScreen(RecordingScreen):
    """The keys and the mouse; what they do is the pages'."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,escape,f10,backspace", "back", show=False),
        Binding("question_mark,f1,h", "help", show=False),
        Binding("t", "page('timeline')", show=False),
        Binding("m", "page('map')", show=False),
        Binding("a", "page('sites')", show=False),
        Binding("g", "page('growth')", show=False),
        Binding("w", "page('what if')", show=False),
        Binding("d", "next_device", show=False),
        Binding("left", "cursor(-1)", show=False),
        Binding("right", "cursor(1)", show=False),
        Binding("shift+left,H", "cursor(-10)", show=False),
        Binding("shift+right,L", "cursor(10)", show=False),
        Binding("home", "jump(False)", show=False),
        Binding("end,G", "jump(True)", show=False),
        Binding("p", "mark('peak')", show=False),
        Binding("o", "mark('oom')", show=False),
        Binding("n", "mark('step')", show=False),
        Binding("N", "mark('step', -1)", show=False),
        Binding("plus,equals_sign", "zoom(0.5)", show=False),
        Binding("minus,underscore", "zoom(2.0)", show=False),
        Binding("0", "show_all", show=False),
        Binding("up,k", "move(-1)", show=False),
        Binding("down,j", "move(1)", show=False),
        Binding("pageup,ctrl+b", "move_page(-1)", show=False),
        Binding("pagedown,ctrl+f,space", "move_page(1)", show=False),
        Binding("enter", "enter", show=False),
        Binding("less_than_sign,comma", "sort_next(-1)", show=False),
        Binding("greater_than_sign,full_stop", "sort_next(1)", show=False),
        Binding("slash", "filter", show=False),
    ]

    # ---- leaving, helping, other pages -------------------------------------------------------------------------

    def action_back(self) -> None:
        """Leave it."""
        if self.dstop.cancel_question():
            return
        if len(self.app.screen_stack) > 1:
            self.dismiss()
        else:
            self.app.exit()

    def action_help(self) -> None:
        """Show the keys."""
        from dstop.ui.screens.snapshot_help import SnapshotHelp  # noqa: PLC0415 - only when it is wanted

        self.app.push_screen(SnapshotHelp())

    def action_page(self, name: str) -> None:
        """Go to another page."""
        if name in self._pages.get(self.place, {}):
            self.page_name = name
            self._ask_next()
            self.draw()

    def action_next_device(self) -> None:
        """Go to the next device."""
        if len(self.studies) > 1:
            self.place = (self.place + 1) % len(self.studies)
            self._ask_next()
            self.draw()
        elif self.studies:
            self.dstop.say("this snapshot has one device")

    def _timeline(self) -> TimelinePage | None:
        page = self._pages.get(self.place, {}).get(TimelinePage.NAME)
        return page if isinstance(page, TimelinePage) else None

    def _moves(self) -> TimelinePage | None:
        """Give the timeline where the page shows a moment of it."""
        return self._timeline() if isinstance(self.page, TimelinePage | SitesPage) else None

    def action_cursor(self, columns: int) -> None:
        """Move the cursor by columns of the timeline."""
        timeline = self._moves()
        if timeline is not None:
            timeline.go(columns)
            self.draw()

    def action_mark(self, kind: str, direction: int = 1) -> None:
        """Go to the peak, the next failure or the next step."""
        timeline = self._timeline()
        if timeline is None:
            return
        marks = timeline.studied.marks
        positions = {"peak": (marks.peak,), "oom": marks.failures, "step": marks.steps}[kind]
        if self._moves() is None:
            self.page_name = TimelinePage.NAME
        if kind == "peak":
            timeline.go_to(marks.peak)
        elif not timeline.next_of(positions, direction):
            self.dstop.say(
                "no training steps were recognised"
                if kind == "step"
                else "memory did not run out in this recording"
            )
        self.draw()

    def action_zoom(self, factor: float) -> None:
        """Show fewer events, or more."""
        timeline = self._timeline()
        if timeline is not None and self.page is timeline:
            timeline.zoom(factor)
            self.draw()

    def action_show_all(self) -> None:
        """Show the whole recording."""
        timeline = self._timeline()
        if timeline is not None and self.page is timeline:
            timeline.show_all()
            self.draw()

    def action_jump(self, to_end: bool) -> None:
        """Go to the beginning, or the end."""
        if self.page is not None:
            self.page.jump(to_end=to_end)
            self.draw()

    def action_move(self, by: int) -> None:
        """Move in the list, or scroll."""
        if self.page is not None:
            self.page.move(by)
            self.draw()

    def action_move_page(self, pages: int) -> None:
        """Move by screens."""
        self.action_move(pages * max(1, self.area[1] - 4))

    def action_enter(self) -> None:
        """Open what is chosen."""
        if self.page is not None:
            self.page.enter()
            self.draw()

    def on_click(self, event: Click) -> None:
        """Put the cursor there, or choose the line."""
        if self.page is not None and event.y > 0:
            self.page.click(event.x, event.y - 1, twice=event.chain == 2)  # noqa: PLR2004 - a double click
            self.draw()

    def on_mouse_scroll_down(self, event: MouseScrollDown) -> None:
        """Zoom out, or scroll."""
        self._wheel(event, 1)

    def on_mouse_scroll_up(self, event: MouseScrollUp) -> None:
        """Zoom in, or scroll."""
        self._wheel(event, -1)

    def _wheel(self, event: MouseScrollDown | MouseScrollUp, by: int) -> None:
        event.stop()
        if self.page is not None:
            self.page.wheel(event.y - 1, by)
            self.draw()

    # ---- order and filter --------------------------------------------------------------------------------------

    def _sites(self) -> SitesPage | None:
        """Give the page of sites, and go there."""
        page = self._pages.get(self.place, {}).get(SitesPage.NAME)
        if not isinstance(page, SitesPage):
            return None
        self.page_name = SitesPage.NAME
        return page

    def action_sort_next(self, by: int) -> None:
        """Take another order."""
        sites = self._sites()
        if sites is not None:
            sites.sort_next(by)
            self.draw()

    def action_filter(self) -> None:
        """Ask for a text that the listed sites must have."""
        from dstop.ui.widgets.prompt import TextPrompt  # noqa: PLC0415 - only when it is wanted

        sites = self._sites()
        if sites is not None and self._prompt is None:
            self._prompt = TextPrompt(
                sites.filter, "only sites with: attention   model.py   optimizer   likely"
            )
            self.mount(self._prompt)
            self._prompt.focus()
            self.draw()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while it is typed."""
        event.stop()
        sites = self._sites()
        if sites is not None and self._prompt is not None:
            sites.filter = event.value
            self.draw()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Keep the filter."""
        event.stop()
        self.close_prompt(forget=False)

    def close_prompt(self, *, forget: bool) -> None:
        """Take the prompt away; `forget` lists all sites again."""
        prompt, self._prompt = self._prompt, None
        if prompt is not None:
            prompt.remove()
        sites = self._sites()
        if sites is not None and forget:
            sites.filter = ""
        self.canvas.refresh()
        self.draw()
