"""The last line, and the log."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dstop.draw.event_lines import event_line, event_lines, newest_grave
from dstop.draw.line import line_cells, plain
from dstop.draw.status_line import flags_of, status_line
from dstop.model.event import Event, EventKind
from dstop.model.frame import OwnCost
from dstop.view.arrange import View
from dstop.view.filter import parse

KEYS = (("?", "help"), ("q", "quit"), ("/", "filter"))
COST = OwnCost(cpu_pct=0.64, rss_bytes=42 * 2**20)


@given(st.integers(0, 200), st.lists(st.text("abc ", max_size=20), max_size=4), st.text("xyz", max_size=90))
def test_the_status_line_is_as_wide_as_the_screen(width: int, flags: list[str], notice: str) -> None:
    """Flags, notices and costs give way to the width."""
    assert line_cells(status_line(KEYS, width, cost=COST, flags=flags, notice=notice)) == width


def test_dstops_own_cost_is_shown() -> None:
    """A monitor must not be what it warns of."""
    assert plain(status_line(KEYS, 80, cost=COST)).endswith("dstop 0.6% 42M ")


def test_a_notice_takes_the_place_of_the_keys() -> None:
    """What dstop has to say comes first."""
    text = plain(status_line(KEYS, 80, cost=None, notice="nothing was sent"))
    assert "nothing was sent" in text
    assert "quit" not in text


def test_whatever_narrows_the_table_is_named() -> None:
    """Nobody takes a part for the whole."""
    view = View(filter=parse("mem>10G"), gpu_index=3, users=frozenset({"bob", "alice"}))
    said = flags_of(view, paused=True, tagged=2)
    assert said == ("paused", "filter mem>10G", "GPU 3", "user alice,bob", "2 tagged")
    assert flags_of(View(), paused=False, tagged=0) == ()


def event(at_ns: int, kind: EventKind, text: str = "it happened") -> Event:
    """An event on GPU 1."""
    return Event(at_ns=at_ns, kind=kind, text=text, gpu_index=1)


def test_the_log_is_newest_first() -> None:
    """What just happened is on top."""
    lines = event_lines([event(1, EventKind.XID, "first"), event(2, EventKind.XID, "second")], 60)
    assert "second" in plain(lines[0])
    assert "first" in plain(lines[1])
    assert "nothing has happened" in plain(event_lines([], 60)[0])


def test_only_grave_news_interrupts() -> None:
    """An Xid is told at once, a process that ends is not; nothing is told twice."""
    old = (event(1, EventKind.XID),)
    assert newest_grave((), old) == old[0]
    assert newest_grave(old, old) is None
    assert newest_grave(old, (*old, event(2, EventKind.PROCESS_ENDED))) is None
    lost = event(3, EventKind.GPU_LOST)
    assert newest_grave(old, (*old, lost)) == lost


def test_memory_that_ran_out_stands_out_in_the_log() -> None:
    """An OOM and its black box are grave, a flushed cache is a warning, hooks that come and go are not news."""
    roles = {kind: event_line(event(1, kind), 60)[2][1] for kind in EventKind}
    assert {roles[EventKind.OUT_OF_MEMORY], roles[EventKind.BLACK_BOX]} == {"bad"}
    assert {roles[EventKind.CACHE_FLUSHED], roles[EventKind.HOOKS_FAILED]} == {"warn"}
    assert {roles[EventKind.HOOK_CAME], roles[EventKind.HOOK_LEFT]} == {"dim"}
