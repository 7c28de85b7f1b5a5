"""Processes under those that started them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dstop.view.rows import AncestorRow
from dstop.view.tree import DEEPEST, tree


def _drawn(rows):
    return [f"{row.prefix}{row.pid if isinstance(row, AncestorRow) else row.process.pid}" for row in rows]


def test_a_launcher_stands_above_its_workers(build):
    """Shells and launchers that are on no GPU are shown over what they started; PID 1 is not."""
    rows = [build.process(gpu, 50 + gpu, ppid=40) for gpu in range(3)] + [build.process(3, 90, ppid=1)]
    shown = tree(rows, {40: (30, "torchrun"), 30: (1, "bash"), 1: (0, "systemd")})
    assert _drawn(shown) == ["30", "└─ 40", "   ├─ 50", "   ├─ 51", "   └─ 52", "90"]
    assert [row.depth for row in shown] == [0, 1, 2, 2, 2, 0]
    assert shown[1].command == "torchrun"


def test_a_worker_stands_under_a_parent_on_the_gpu(build):
    """A parent that is on a GPU itself is its own row, and its children hang below its last."""
    rows = [build.process(0, 10, ppid=5), build.process(1, 10, ppid=5), build.process(0, 11, ppid=10)]
    shown = tree([*rows, build.process(1, 12, ppid=5)], {5: (None, "sh")})
    assert _drawn(shown) == ["5", "├─ 10", "├─ 10", "│  └─ 11", "└─ 12"]


def test_a_process_of_unknown_parent_is_a_root(build):
    """Without a parent that can be shown, a process stands at the top."""
    assert _drawn(tree([build.process(0, 7), build.process(0, 8, ppid=3)], {})) == ["7", "8"]


def test_brothers_are_in_the_order_of_the_table(build):
    """The tree keeps the order of its rows as far as a tree can."""
    rows = [build.process(0, 13, ppid=100), build.process(0, 12, ppid=200), build.process(0, 11, ppid=100)]
    assert _drawn(tree(rows, {100: (1, "a"), 200: (1, "b")})) == ["100", "├─ 13", "└─ 11", "200", "└─ 12"]


def test_a_folded_row_says_how_many_it_hides(build):
    """Folding hides all beneath, on any depth, and counts rows and not PIDs."""
    rows = [build.process(0, 10, ppid=5), build.process(1, 10, ppid=5), build.process(0, 11, ppid=10)]
    shown = tree(rows, {5: (1, "sh")}, {("ancestor", 5)})
    assert [(row.key, row.hidden) for row in shown] == [(("ancestor", 5), 3)]
    inner = tree(rows, {5: (1, "sh")}, {("process", 1, 10, None, None, None)})
    assert _drawn(inner) == ["5", "├─ 10", "└─ 10"]
    assert [row.hidden for row in inner] == [0, 1, 0]


def test_pid_one_is_shown_where_it_is_on_a_gpu(build):
    """Within a container the server itself is PID 1, and its workers hang below it."""
    rows = [build.process(0, 1, ppid=0), build.process(1, 7, ppid=1)]
    assert _drawn(tree(rows, {0: (None, "?")})) == ["1", "└─ 7"]


@given(
    st.dictionaries(st.integers(0, 12), st.none() | st.integers(-1, 14), max_size=10),
    st.dictionaries(
        st.integers(-1, 14), st.tuples(st.none() | st.integers(-1, 14), st.just("sh")), max_size=10
    ),
)
def test_hostile_parents_lose_nothing(build, parents, ancestors):
    """Circles and lies about parents leave every process on the screen once, and end."""
    rows = [build.process(0, pid, ppid=ppid) for pid, ppid in parents.items()]
    shown = tree(rows, ancestors)
    own = [row.process.pid for row in shown if not isinstance(row, AncestorRow)]
    assert sorted(own) == sorted(parents)
    assert len({row.key for row in shown}) == len(shown)


def test_a_chain_without_end_stays_on_the_screen(build):
    """A thousand generations are laid out without recursion, and indented no further than a screen."""
    rows = [build.process(0, pid, ppid=pid - 1) for pid in range(2000, 1000, -1)]
    shown = tree(rows, {})
    assert len(shown) == 1000
    assert max(len(row.prefix) for row in shown) <= 3 * (DEEPEST + 1)
    far = tree(
        [build.process(0, 10**6, ppid=10**6 - 1)],
        {pid: (pid - 1, "sh") for pid in range(10**6 - 5000, 10**6)},
    )
    assert len(far) <= 64
