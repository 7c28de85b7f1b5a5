"""Processes over time: CPU shares, reused numbers, and processes that hang whoever asks."""

from __future__ import annotations

import os
import shutil
import threading
import time
from typing import TYPE_CHECKING

import pytest

from dstop.model.process import ProcessFacts
from dstop.sources.procfs.reader import MOST_STUCK, MOST_WAITING, FactsReader, Job
from dstop.sources.procfs.stat import Stat
from dstop.sources.procfs.table import ALL_STUCK, FIRST_SIGHT, GONE, HIDDEN, STUCK, ProcessTable, refuses_us

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conftest import Live, Tree

PATIENCE_S = 20.0


def _until(condition: Callable[[], bool]) -> None:
    """Wait for something that will happen; the limit is only for a test that fails."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _stat(pid: int, start: int = 1) -> Stat:
    return Stat(pid, "python", "S", 1, 0, 1, start, 0)


class Hanging:
    """A reading that hangs on some processes until it is let go."""

    def __init__(self, *pids: int) -> None:
        self.pids = set(pids)
        self.gate = threading.Event()
        self.read_pids: list[int] = []

    def __call__(self, stat: Stat) -> Iterator[ProcessFacts]:
        """Give what cannot hang, then wait, then the rest."""
        yield ProcessFacts(pid=stat.pid, command="python", user="me", uid=1)
        if stat.pid in self.pids:
            self.gate.wait(PATIENCE_S)
        self.read_pids.append(stat.pid)
        yield ProcessFacts(pid=stat.pid, command=f"{stat.pid}.py", cmdline=("python", f"{stat.pid}.py"))


@pytest.fixture
def tables() -> Iterator[list[ProcessTable]]:
    """Collect tables that end with the test."""
    made: list[ProcessTable] = []
    yield made
    for table in made:
        table.stop()


def _settled(table: ProcessTable, pids: list[int], now_s: float = 0.0) -> dict[int, str | None]:
    """Update until every process that is there has its facts; the clock stands still meanwhile."""
    views = table.update(pids, now_s)
    deadline = time.monotonic() + PATIENCE_S
    while any("cmdline" in view.facts.unavailable and not view.facts.cmdline for view in views.values()):
        assert time.monotonic() < deadline
        views = table.update(pids, now_s)
    return {pid: view.facts.command for pid, view in views.items()}


def test_a_row_has_facts_and_figures(tree: Tree, tables: list[ProcessTable]) -> None:
    """The first update gives facts, memory and state, and says why there is no CPU share yet."""
    tables.append(ProcessTable(tree.root, wait_s=PATIENCE_S))
    tree.add(42, "python", "train.py", state="R", rss_pages=10)
    view = tables[0].update([42], 0.0)[42]
    assert (view.facts.command, view.state, view.rss_bytes) == (
        "train.py",
        "R",
        10 * os.sysconf("SC_PAGE_SIZE"),
    )
    assert (view.cpu_pct, view.unavailable) == (None, {"cpu_pct": FIRST_SIGHT})


def test_the_cpu_share_is_ticks_over_time(tree: Tree, tables: list[ProcessTable]) -> None:
    """50 ticks in a second are half a core."""
    tables.append(ProcessTable(tree.root, wait_s=PATIENCE_S))
    tree.add(42, "python", "t.py", utime=100)
    tables[0].update([42], 10.0)
    tree.add(42, "python", "t.py", utime=130, stime=20)
    view = tables[0].update([42], 11.0)[42]
    assert view.cpu_pct == pytest.approx(50.0 * 100 / os.sysconf("SC_CLK_TCK"))
    assert dict(view.unavailable) == {}
    assert tables[0].update([42], 11.001)[42].cpu_pct == view.cpu_pct


def test_a_clock_or_counter_that_goes_back_gives_no_nonsense(tree: Tree, tables: list[ProcessTable]) -> None:
    """Shares stay between nothing and all cores."""
    tables.append(ProcessTable(tree.root, wait_s=PATIENCE_S))
    for ticks, now in ((100, 10.0), (0, 11.0), (10**9, 12.0), (10**9, 5.0)):
        tree.add(42, "python", "t.py", utime=ticks)
        view = tables[0].update([42], now)[42]
        assert view.cpu_pct is None or 0 <= view.cpu_pct <= 100.0 * (os.cpu_count() or 1)


def test_facts_are_read_once(tree: Tree, tables: list[ProcessTable]) -> None:
    """Later updates read `stat` alone: the other files may be gone."""
    tables.append(ProcessTable(tree.root, wait_s=PATIENCE_S))
    folder = tree.add(42, "python", "t.py")
    first = tables[0].update([42], 0.0)[42].facts
    (folder / "cmdline").unlink()
    assert tables[0].update([42], 1.0)[42].facts is first


def test_a_reused_number_is_another_process(tree: Tree, tables: list[ProcessTable]) -> None:
    """Another start time brings other facts and no CPU share of the one before."""
    tables.append(ProcessTable(tree.root, wait_s=PATIENCE_S))
    tree.add(42, "python", "old.py", start=100, utime=500)
    tables[0].update([42], 0.0)
    tree.add(42, "python", "new.py", start=900, utime=1)
    view = tables[0].update([42], 1.0)[42]
    assert (view.facts.command, view.cpu_pct) == ("new.py", None)


def test_a_process_that_renames_itself_is_read_again(tree: Tree, tables: list[ProcessTable]) -> None:
    """A worker that takes its title after the first look gets it, a while later."""
    tables.append(ProcessTable(tree.root, wait_s=PATIENCE_S))
    tree.add(42, "python", "-c", "x", comm="python")
    assert _settled(tables[0], [42]) == {42: "python -c"}
    tree.add(42, "VLLM::Worker_TP1", comm="VLLM::Worker_TP")
    _until(lambda: tables[0].update([42], 60.0)[42].facts.command == "VLLM::Worker_TP1")
    assert tables[0].update([42], 61.0)[42].facts.rank == 1


def test_gone_and_foreign_numbers_keep_their_row(tree: Tree, tables: list[ProcessTable]) -> None:
    """A number that is not here says why: gone on the machine, another namespace in a container."""
    tables.append(ProcessTable(tree.root))
    view = tables[0].update([4711], 0.0)[4711]
    assert (view.facts.pid, view.facts.command, view.facts.unavailable) == (4711, None, {"command": "gone"})
    tree.namespace("4026532000")
    tables.append(ProcessTable(tree.root))
    facts = tables[1].update([4711], 0.0)[4711].facts
    assert facts.unavailable == {"command": "PID in another namespace: run with --pid=host"}
    assert not tables[1]._reader.threads()


def test_a_process_hidden_by_mount_options_is_not_gone(tree: Tree, tables: list[ProcessTable]) -> None:
    """With hidepid the folder is there and its files are not ours to read."""
    tables.append(ProcessTable(tree.root))
    (tree.path / "42").mkdir()
    facts = tables[0].update([42], 0.0)[42].facts
    assert "hidepid" in facts.unavailable["command"]
    assert facts.uid == os.getuid()


def test_thousands_of_processes_leave_nothing_behind(tree: Tree, tables: list[ProcessTable]) -> None:
    """What is gone is forgotten, and so is what the driver no longer names."""
    tables.append(ProcessTable(tree.root))
    table = tables[0]
    for round_ in range(60):
        pids = range(1000 + round_ * 50, 1050 + round_ * 50)
        folders = [tree.add(pid, "python", "t.py", start=pid) for pid in pids]
        assert {
            view.facts.started_at_s is not None for view in table.update(pids, float(round_)).values()
        } == {True}
        assert len(table._entries) <= 200
        for folder in folders:
            shutil.rmtree(folder)
    _until(lambda: bool(table.update([], 99.0) or not table._reader._waiting))
    for round_ in range(4):
        table.update([], 100.0 + round_)
    assert (len(table._entries), len(table._reader.threads())) == (0, 1)


def test_a_flicker_of_the_driver_costs_no_history(tree: Tree, tables: list[ProcessTable]) -> None:
    """A process that one update misses keeps its facts and its CPU share."""
    tables.append(ProcessTable(tree.root, wait_s=PATIENCE_S))
    tree.add(42, "python", "t.py")
    first = tables[0].update([42], 0.0)[42].facts
    tables[0].update([], 1.0)
    view = tables[0].update([42], 2.0)[42]
    assert view.facts is first
    assert view.cpu_pct == 0.0


def test_a_process_that_hangs_its_readers_keeps_a_row(tree: Tree, tables: list[ProcessTable]) -> None:
    """A real blocked read (a pipe nobody writes to) costs one row its command line and no other anything."""
    tables.append(ProcessTable(tree.root))
    folder = tree.add(42, "x", comm="stuck", state="D")
    (folder / "cmdline").unlink()
    os.mkfifo(folder / "cmdline")
    tree.add(43, "python", "fine.py")
    _until(lambda: tables[0].update([42, 43], 0.0)[43].facts.command == "fine.py")
    _until(lambda: tables[0].update([42, 43], 1.0)[42].facts.unavailable["cmdline"] == STUCK)
    view = tables[0].update([42, 43], 2.0)[42]
    assert (view.facts.command, view.state, view.facts.uid) == ("stuck", "D", os.getuid())
    assert len(tables[0]._reader.threads()) == 2
    with (folder / "cmdline").open("wb") as pipe:
        pipe.write(b"python\0late.py\0")
    _until(lambda: tables[0].update([42, 43], 3.0)[42].facts.command == "late.py")
    _until(lambda: len(tables[0]._reader.threads()) == 1)


def test_readers_are_replaced_three_times_at_most(tree: Tree, tables: list[ProcessTable]) -> None:
    """With everything stuck there are four threads, rows that say so, and recovery when it ends."""
    reading = Hanging(*range(100, 110))
    tables.append(ProcessTable(tree.root, reading=reading))
    table = tables[0]
    pids = list(range(100, 112))
    for pid in pids:
        tree.add(pid, "python", "t.py", start=pid)
    _until(lambda: table.update(pids, 0.0)[111].facts.unavailable.get("cmdline") == ALL_STUCK)
    views = table.update(pids, 1.0)
    assert sum(view.facts.unavailable["cmdline"] == STUCK for view in views.values()) == MOST_STUCK + 1
    assert len(table._reader.threads()) == MOST_STUCK + 1
    reading.gate.set()
    _until(lambda: all(view.facts.cmdline for view in table.update(pids, 2.0).values()))
    _until(lambda: len(table._reader.threads()) == 1)
    assert sorted(reading.read_pids) == pids


def test_a_mistake_in_a_reading_is_no_old_row(tree: Tree, tables: list[ProcessTable]) -> None:
    """An exception that is no refusal of the kernel comes out of update."""

    def broken(stat: Stat) -> Iterator[ProcessFacts]:
        raise ValueError(f"bug at {stat.pid}")
        yield

    tables.append(ProcessTable(tree.root, wait_s=PATIENCE_S, reading=broken))
    tree.add(42, "python", "t.py")
    with pytest.raises(ValueError, match="bug at 42"):
        tables[0].update([42], 0.0)


def test_no_thread_before_the_first_process_and_none_after_stop(tree: Tree) -> None:
    """An idle machine costs no thread, and stopping twice is fine."""
    table = ProcessTable(tree.root, wait_s=PATIENCE_S)
    table.update([], 0.0)
    assert table._reader.threads() == []
    tree.add(42, "python", "t.py")
    table.update([42], 1.0)
    assert len(table._reader.threads()) == 1
    table.stop()
    table.stop()
    _until(lambda: table._reader.threads() == [])


def test_a_queue_behind_stuck_readers_is_bounded() -> None:
    """However many processes come while nobody reads, the queue ends somewhere."""
    reading = Hanging(0)
    reader = FactsReader(reading)
    for start in range(MOST_WAITING + 500):
        reader.ask(_stat(0, start))
    assert len(reader._waiting) == MOST_WAITING
    assert reader.is_waiting(Job(0, 5))
    reading.gate.set()
    reader.stop()


def test_a_worker_inherits_from_a_server_without_a_gpu(tree: Tree, tables: list[ProcessTable]) -> None:
    """The server is no GPU process and still gives its model to the worker's row."""
    tables.append(ProcessTable(tree.root, wait_s=PATIENCE_S))
    tree.add(10, "bash", comm="bash")
    tree.add(20, "python", "/bin/vllm", "serve", "org/m", ppid=10)
    tree.add(30, "VLLM::EngineCore", ppid=20)
    tree.add(40, "VLLM::Worker_TP1", ppid=30)
    facts = tables[0].update([40], 0.0)[40].facts
    assert (facts.command, facts.framework, facts.model, facts.rank) == (
        "VLLM::Worker_TP1",
        "vLLM",
        "org/m",
        1,
    )


def test_live_processes(live: Live, tables: list[ProcessTable]) -> None:
    """Real processes have a share of a core when they compute and none when they wait."""
    busy = live.python("while True: pass")
    idle = live.python("import sys; sys.stdin.read()")
    tables.append(ProcessTable(wait_s=PATIENCE_S))
    tables[0].update([busy, idle], time.monotonic())
    shares: dict[int, float] = {}

    def computes() -> bool:
        time.sleep(0.2)
        views = tables[0].update([busy, idle], time.monotonic())
        shares.update({pid: view.cpu_pct or 0.0 for pid, view in views.items()})
        return shares[busy] > 5.0

    _until(computes)
    assert shares[idle] < shares[busy]
    os.kill(idle, 9)
    _until(lambda: tables[0].update([idle], time.monotonic())[idle].state == "Z")


def test_a_process_that_hidepid_hides_is_not_called_gone(tree: Tree, tables: list[ProcessTable]) -> None:
    """Who is there and refuses a signal is hidden; who is not there is gone."""
    table = ProcessTable(tree.root, refuses=lambda pid: pid == 7)
    tables.append(table)
    views = table.update([7, 8], 1.0)
    assert views[7].facts.unavailable["command"] == HIDDEN
    assert views[8].facts.unavailable["command"] == GONE


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_the_kernel_tells_strangers_from_the_gone() -> None:
    """As nobody, the parent is there and refuses; a PID that cannot be is not."""
    child = os.fork()
    if child == 0:  # pragma: no cover - another process
        os.setgid(65534)
        os.setuid(65534)
        right = refuses_us(os.getppid()) and not refuses_us(2**22 + 1) and not refuses_us(os.getpid())
        os._exit(0 if right and not refuses_us(2**80) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
