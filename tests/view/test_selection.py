"""The cursor and the tags of the process table."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dstop.view.selection import Selection, at, end, follow, home, move, toggle, untag

KEYS = st.lists(st.integers(0, 20), unique=True, max_size=12)
SELECTIONS = st.builds(
    Selection,
    key=st.none() | st.integers(0, 20),
    index=st.integers(-3, 30),
    tags=st.frozensets(st.integers(0, 20)),
)


def test_the_cursor_stays_on_its_row():
    """When rows move, the cursor moves with its row."""
    assert follow(Selection(key="b", index=1), ["c", "a", "b"]) == Selection(key="b", index=2)


def test_the_cursor_stays_at_its_place_when_its_row_is_gone():
    """When a row ends, the next one under the cursor is taken; at the end, the last."""
    assert follow(Selection(key="b", index=1), ["a", "c", "d"]) == Selection(key="c", index=1)
    assert follow(Selection(key="d", index=3), ["a", "b"]) == Selection(key="b", index=1)


def test_an_empty_table_is_waited_out():
    """Without rows there is no cursor, and its place is kept for the next rows."""
    empty = follow(Selection(key="b", index=2, tags=frozenset("b")), [])
    assert empty == Selection(index=2)
    assert follow(empty, ["x", "y", "z"]).key == "z"


def test_tags_of_rows_that_are_gone_are_dropped():
    """A signal never goes to a row that is no longer shown."""
    tagged = Selection(key="a", tags=frozenset("ab"))
    assert follow(tagged, ["a", "c"]).tags == frozenset("a")


def test_tags_come_and_go():
    """Space tags the cursor's row and takes the tag away again."""
    one = toggle(Selection(key="a"))
    assert one.tags == {"a"}
    assert toggle(one).tags == frozenset()
    assert toggle(one, "b").tags == {"a", "b"}
    assert untag(one).tags == frozenset()
    assert toggle(Selection()) == Selection()


@given(SELECTIONS, KEYS, st.integers(-30, 30))
def test_the_cursor_is_always_on_a_row(selection, keys, by):
    """Wherever it goes, the cursor is on a row that exists, with that row's key; tags exist too."""
    for moved in (
        follow(selection, keys),
        move(selection, keys, by),
        at(selection, keys, by),
        end(selection, keys),
    ):
        assert moved.tags <= set(keys)
        if keys:
            assert keys[moved.index] == moved.key
        else:
            assert moved.key is None


@given(SELECTIONS, KEYS.filter(bool), st.integers(-30, 30))
def test_moves_are_clamped(selection, keys, by):
    """A move goes as far as it says or to the end of the table."""
    start = follow(selection, keys).index
    assert move(selection, keys, by).index == min(max(start + by, 0), len(keys) - 1)
    assert home(selection, keys).key == keys[0]
    assert end(selection, keys).key == keys[-1]
