"""The screen of a memory snapshot: every key, any size, any snapshot; nothing slow on the way."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stage import local_fonts
from test_sizes import is_whole
from textual.binding import Binding

from dstop.draw.line import plain
from dstop.errors import SnapshotError
from dstop.settings import Settings
from dstop.snapshot.study import studies_of
from dstop.snapshot.values import Action, Snapshot
from dstop.testing.build_snapshot import MIB, make_segment, make_snapshot, make_stacks, short_story
from dstop.ui.recording.reading import read_file
from dstop.ui.recording.sites_page import SitesPage
from dstop.ui.recording.timeline_page import TimelinePage
from dstop.ui.screens.snapshot import SnapshotScreen
from dstop.ui.screens.snapshot_help import SnapshotHelp
from dstop.ui.snapshot_live import SnapshotApp

SMALL, BIG = (80, 24), (200, 60)
MOST_LOOKS = 1_000


class Stage:
    """The app with a snapshot, and what is on its screen."""

    def __init__(self, app, pilot):
        self.app, self.pilot = app, pilot

    def lines(self):
        """Give the text of the screen on top."""
        return [plain(line) for line in self.app.screen.canvas._lines]

    def text(self):
        """Give all of it."""
        return "\n".join(self.lines())

    @property
    def page(self):
        """What is shown of the snapshot."""
        return self.app.snapshot.page

    @property
    def cursor(self):
        """Where the cursor of the timeline is."""
        return self.page.studied.window.cursor

    async def rest(self):
        """Wait until no thread has anything to find out."""
        for _ in range(MOST_LOOKS):
            await self.pilot.pause()
            if not self.app.snapshot.waiting:
                return
            await asyncio.sleep(0.01)
        assert not self.app.snapshot.waiting

    async def press(self, *keys):
        """Press keys, and wait for what they ask."""
        for key in keys:
            await self.pilot.press(key)
            await self.rest()


@asynccontextmanager
async def showing(what, size=SMALL, *, ascii_only=False, theme="dark", rests=True):
    """Show a snapshot, or what a function reads."""
    read = what if callable(what) else lambda _tell: studies_of(what)
    app = SnapshotApp(read, Settings(ascii=ascii_only), title="run.pickle", theme=theme)
    async with app.run_test(size=size) as pilot:
        stage = Stage(app, pilot)
        if rests:
            await stage.rest()
        yield stage
    if app._exception is not None:
        raise app._exception


async def test_it_opens_where_most_is_live_and_says_what_that_is():
    """The peak, its categories, and who holds it."""
    async with showing(short_story()) as stage:
        assert stage.cursor == stage.page.studied.marks.peak
        text = stage.text()
        assert "run.pickle  cuda:0  63 events" in text
        assert "live 44M of 128M reserved" in text
        assert "/home/ann/train.py:31 forward" in text
        assert "▼" in stage.lines()[1]


async def test_it_opens_where_memory_ran_out():
    """With what was asked for and what there was; `p` goes to the peak and `o` back."""
    async with showing(short_story(fails=True)) as stage:
        assert stage.cursor == 63
        assert "out of memory: 512 MiB asked for, 7 MiB free on the device" in stage.text()
        assert "out of memory" in stage.lines()[0]
        await stage.press("p")
        assert "512 MiB asked for" not in stage.text()
        await stage.press("o")
        assert stage.cursor == 63


async def test_arrows_move_the_cursor_and_the_moment_with_it():
    """By a column, by ten, to the beginning and to the end."""
    async with showing(short_story()) as stage:
        await stage.press("home")
        assert stage.cursor == 0
        assert "live 0B of 0B" in stage.text()
        await stage.press("right")
        first = stage.cursor
        assert first > 0
        await stage.press("shift+right")
        assert stage.cursor > first + 8
        await stage.press("shift+left")
        assert stage.cursor == first
        await stage.press("left", "left", "left")
        assert stage.cursor == 0
        await stage.press("end", "right")
        assert stage.cursor == 63


async def test_a_zoom_stays_around_the_cursor_and_0_shows_all():
    """The status line says which part is in sight."""
    async with showing(short_story(), BIG) as stage:
        await stage.press("plus", "plus")
        window = stage.page.studied.window
        assert window.last - window.first == 16
        assert window.first <= stage.cursor <= window.last
        assert f"{window.first}-{window.last} of 63" in stage.lines()[-1]
        await stage.press("minus")
        assert stage.page.studied.window.last - stage.page.studied.window.first == 32
        await stage.press("0")
        assert stage.page.studied.window.is_whole


async def test_a_cursor_goes_on_beyond_what_a_zoom_shows():
    """The window follows."""
    async with showing(short_story()) as stage:
        await stage.press("home", "plus", "plus", "plus")
        for _ in range(40):
            await stage.press("right")
        assert stage.cursor > 30


async def test_enter_unfolds_the_stack_of_the_chosen_site():
    """And folds it again; choosing another folds it too."""
    async with showing(short_story()) as stage:
        assert "functional.py:2290 linear" not in stage.text()
        site = next(place for place, site in enumerate(stage.page.studied.moment.sites) if site.places[1:])
        await stage.press(*["down"] * site, "enter")
        unfolded = stage.text()
        assert "▸" in unfolded
        await stage.press("enter")
        assert "▸" not in stage.text()


async def test_sites_have_a_page_with_an_order_and_a_filter():
    """The cursor moves there too."""
    async with showing(short_story(), BIG) as stage:
        await stage.press("a")
        assert isinstance(stage.page, SitesPage)
        assert "by bytes" in stage.text()
        await stage.press("greater_than_sign")
        assert "by blocks" in stage.text()
        await stage.press("less_than_sign", "less_than_sign")
        assert "by place" in stage.text()
        await stage.press("slash", *"MODEL", "enter")
        assert "1 site holds" in stage.text()
        assert "filter MODEL" in stage.lines()[-1]
        await stage.press("slash", "escape")
        assert "1 site holds" not in stage.text()
        before = stage.cursor
        await stage.press("right")
        assert stage.cursor > before
        await stage.press("n")
        assert "no training steps were recognised" in stage.lines()[-1]


async def test_keys_of_what_is_not_there_say_so():
    """No step, no failure, no other device."""
    async with showing(short_story()) as stage:
        for key, says in (
            ("n", "no training steps"),
            ("o", "memory did not run out"),
            ("d", "has one device"),
        ):
            await stage.press(key)
            assert says in stage.lines()[-1]


async def test_a_click_puts_the_cursor_there_and_the_wheel_zooms():
    """In the graph; in the list a click chooses, twice unfolds."""
    async with showing(short_story()) as stage:
        await stage.pilot.click(offset=(9, 5))
        assert stage.cursor <= 1
        await stage.pilot.click(offset=(70, 5))
        assert stage.cursor > 50
        await stage.pilot.click(offset=(2, 5))
        assert stage.cursor > 50
        top = next(y for y, line in enumerate(stage.lines()) if "who holds it" in line) + 1
        await stage.pilot.click(offset=(20, top), times=2)
        assert stage.page.sites.unfolded


async def test_every_device_has_its_own_pages():
    """`d` goes around; each keeps its cursor."""
    one = make_segment((4 * MIB, True, 1), device=0)
    other = make_segment((8 * MIB, True, 2), device=3)
    async with showing(make_snapshot((), (one, other))) as stage:
        assert "cuda:0" in stage.lines()[0]
        assert "live 4M" in stage.text()
        await stage.press("d")
        assert "cuda:3" in stage.lines()[0]
        assert "live 8M" in stage.text()
        await stage.press("d")
        assert "cuda:0" in stage.lines()[0]


async def test_a_snapshot_without_events_says_how_to_record_them():
    """And shows its end all the same."""
    async with showing(make_snapshot((), [make_segment((4 * MIB, True, 1))])) as stage:
        assert "_record_memory_history()" in stage.text()
        assert "dstop attach PID --history on" in stage.text()
        assert "when the snapshot was taken" in stage.text()
        assert "older than the recording" not in stage.text()
        assert "/home/ann/train.py:31 forward" in stage.text()
        await stage.press("left", "right", "plus", "minus", "n", "p", "home", "end", "m", "t")
        assert "live 4M" in stage.text()


async def test_a_snapshot_of_nothing_says_so():
    """No segments, no events."""
    async with showing(Snapshot(segments=(), stacks=make_stacks())) as stage:
        assert "nothing in this snapshot" in stage.text()
        await stage.press(*"tmagwdnpo0", "left", "enter", "slash", "down", "home")
        assert stage.app.is_running


async def test_one_event_is_a_recording():
    """The smallest there is."""
    step = (Action.ALLOC, 0, MIB, 1)
    async with showing(make_snapshot([step], [make_segment((MIB, True, 1))])) as stage:
        assert "1 event " in stage.text()
        await stage.press("plus", "right", "right", "left", "home", "minus", "end")
        assert "live 1M" in stage.text()


async def test_the_map_shows_the_end_of_the_recording():
    """Segments, holes, and the signs of the categories."""
    async with showing(short_story(43), BIG) as stage:
        await stage.press("m")
        text = stage.text()
        assert "at the end: 2 segments, 128M" in text
        assert "free" in text
        await stage.press("down", "end", "home", "pagedown")
        assert "2 segments" in stage.text()


async def test_the_help_opens_and_closes_by_the_same_key():
    """Every key of the screen is in it."""
    async with showing(short_story(), BIG) as stage:
        await stage.press("question_mark")
        assert isinstance(stage.app.screen, SnapshotHelp)
        assert "would it have fitted" in stage.text()
        await stage.press("question_mark")
        assert stage.app.screen is stage.app.snapshot


async def test_reading_is_told_and_keys_meanwhile_do_no_harm():
    """The first frame is there while a thread reads; everything may be pressed."""
    go = threading.Event()

    def read(tell):
        tell("reading run.pickle: 120M of 215M")
        assert go.wait(20)
        return studies_of(short_story())

    async with showing(read, rests=False) as stage:
        try:
            for _ in range(MOST_LOOKS):
                if "120M of 215M" in stage.text():
                    break
                await asyncio.sleep(0.01)
            assert "reading run.pickle: 120M of 215M" in stage.text()
            for key in (
                *"tmagwdnNpo0",
                "left",
                "right",
                "plus",
                "minus",
                "enter",
                "slash",
                "home",
                "end",
                "down",
            ):
                await stage.pilot.press(key)
            await stage.pilot.click(offset=(20, 5))
            await stage.pilot.resize_terminal(40, 10)
        finally:
            go.set()
        await stage.rest()
        assert "live 44M" in stage.text()


async def test_a_file_that_cannot_be_read_ends_the_program_with_its_error():
    """The caller raises it: the reader wants it on the terminal."""

    def read(_tell):
        raise SnapshotError("run.pickle: no snapshot", fix="give another file")

    app = SnapshotApp(read, Settings(), title="run.pickle", theme="dark")
    async with app.run_test() as pilot:
        for _ in range(MOST_LOOKS):
            if app.failure is not None:
                break
            await asyncio.sleep(0.01)
            await pilot.pause()
    assert isinstance(app.failure, SnapshotError)
    assert app.return_code == 1


async def test_a_bug_in_a_thread_ends_the_program():
    """Not silence, and no picture that waits for ever."""

    def read(_tell):
        raise ZeroDivisionError

    app = SnapshotApp(read, Settings(), title="run.pickle", theme="dark")
    async with app.run_test():
        for _ in range(MOST_LOOKS):
            if app.failure is not None:
                break
            await asyncio.sleep(0.01)
    assert isinstance(app.failure, ZeroDivisionError)


@pytest.mark.parametrize("key", ["q", "escape"])
async def test_it_is_left_by_a_key(key):
    """Alone, leaving it is the end."""
    async with showing(short_story()) as stage:
        await stage.pilot.press(key)
        await stage.pilot.pause()
        assert not stage.app.is_running


async def test_ascii_has_nothing_else():
    """Signs, curves and bars too."""
    async with showing(short_story(fails=True), BIG, ascii_only=True) as stage:
        for key in "tamgw":
            await stage.press(key)
            strips = stage.app.screen.canvas.render_lines(stage.app.screen.canvas.size.region)
            assert all(strip.text.isascii() for strip in strips)


async def test_the_theme_changes_by_a_key():
    """All of them, and around."""
    async with showing(short_story()) as stage:
        before = local_fonts(stage.app.export_screenshot())
        await stage.press("f2")
        assert stage.app.theme_name == "light"
        await stage.press("f2", "f2", "f2")
        assert stage.app.theme_name == "dark"
        stage.app.say("")
        await stage.pilot.pause()
        assert stage.app.export_screenshot().count("<text") == before.count("<text")


KEYS = sorted(
    {key for each in SnapshotScreen.BINDINGS if isinstance(each, Binding) for key in each.key.split(",")}
    - {"q", "escape", "f10", "backspace"}
)
STORIES = {
    "usual": short_story(),
    "failed": short_story(fails=True),
    "no events": make_snapshot((), [make_segment((4 * MIB, True, 1))]),
    "nothing": Snapshot(segments=(), stacks=make_stacks()),
    "untimed": make_snapshot([(Action.ALLOC, 0, MIB, 0)], [make_segment((MIB, True, 0))], begin_us=0),
}
STEPS = st.one_of(
    st.sampled_from(KEYS), st.tuples(st.integers(1, 220), st.integers(1, 70)), st.sampled_from(["escape"])
)


async def _play(snapshot, steps):
    async with showing(snapshot) as stage:
        for step in steps:
            if isinstance(step, tuple):
                await stage.pilot.resize_terminal(*step)
            elif step != "escape" or stage.app.screen is not stage.app.snapshot or stage.app.snapshot._prompt:
                await stage.press(step)
            for _ in range(100):
                if is_whole(stage):
                    break
                await stage.pilot.pause()
            assert is_whole(stage)
        assert stage.app.is_running


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(sorted(STORIES)), st.lists(STEPS, max_size=10))
def test_no_sequence_of_keys_and_sizes_breaks_the_screen(name, steps):
    """Any keys in any order, at any size, over any snapshot."""
    asyncio.run(_play(STORIES[name], steps))


async def test_a_timeline_stays_where_it_was_while_another_page_is_looked_at():
    """Cursor and zoom are the device's, not the page's."""
    async with showing(short_story()) as stage:
        await stage.press("home", "right", "plus")
        window = stage.page.studied.window
        await stage.press("m", "a", "t")
        assert isinstance(stage.page, TimelinePage)
        assert stage.page.studied.window == window


FOLDER = Path(__file__).parents[1] / "snapshot" / "recordings"
RECORDINGS = sorted(FOLDER.glob("*.pickle.gz"))


async def test_what_if_replays_one_change_after_the_other():
    """Each verdict has its word, its error and what it rests on; the replay itself is judged first."""
    async with showing(lambda tell: read_file(FOLDER / "oom-forward.pickle.gz", tell), (120, 100)) as stage:
        await stage.press("w")
        text = stage.text()
        assert "the allocator replayed" in text
        for part in (
            "expandable segments",
            "0.5 times the batch",
            "activation checkpointing",
            "±",
            "reserved",
        ):
            assert part in text
        assert "PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True" in text
        assert text.count(" fits") + text.count(" does not fit") >= 6
        assert "…" not in text.replace(" … ", "")
        await stage.press("down", "end", "home", "t", "w")
        assert stage.text() == text


async def test_what_if_asks_for_the_end_of_a_leak_where_there_is_one():
    """And only there."""
    async with showing(lambda tell: read_file(FOLDER / "leak.pickle.gz", tell), (120, 100)) as stage:
        await stage.press("w")
        assert "without what leaks" in stage.text()
    async with showing(short_story(), (120, 100)) as stage:
        await stage.press("w")
        assert "expandable segments" in stage.text()
        assert "without what leaks" not in stage.text()


async def test_what_if_without_events_says_why_not():
    """Nothing is made up."""
    async with showing(make_snapshot((), [make_segment((4 * MIB, True, 1))])) as stage:
        await stage.press("w")
        assert "nothing can be replayed" in stage.text()


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name.partition(".")[0])
async def test_every_recording_can_be_looked_at(path):
    """Whatever torch recorded, on every page, on a small terminal and on a large one; and nothing is left out."""
    async with showing(lambda tell: read_file(path, tell)) as stage:
        study = stage.page.studied.study
        moment = stage.page.studied.moment
        assert sum(share.size_bytes for share in moment.shares) == moment.live_bytes
        for key in ("left", "plus", "N", "enter", "m", "end", "a", "enter", "g", "w", "t", "0", "p"):
            await stage.press(key)
            assert is_whole(stage)
        await stage.pilot.resize_terminal(*BIG)
        for key in ("t", "enter", "m", "g", "a", "home"):
            await stage.press(key)
        assert stage.page.studied.study is study
        assert stage.app.is_running
