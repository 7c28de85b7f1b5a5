"""What stands in each cell."""

from __future__ import annotations

import pytest

from dstop.model.allocator import Allocator
from dstop.testing import make_expectation
from dstop.view.cells import cell, indices_text
from dstop.view.columns import NAMES, Column, RowFacts, columns_for
from dstop.view.group import summed
from dstop.view.rows import AncestorRow, ProcessRow, UnattributedRow

ALL = {column.name: column for column in columns_for(400, RowFacts(), NAMES)}


def _cells(build, row, card=None):
    texts = {name: cell(row, column, build.now_ns, card) for name, column in ALL.items()}
    return {name: text for name, text in texts.items() if text}


def _command(build, row, width):
    return cell(row, Column(name="command", title="COMMAND", width=width), build.now_ns)


def test_a_known_process_fills_its_row(build):
    """Each figure is written in its unit, and the share is of the whole card."""
    row = build.process(
        2, 4242, 40, user="alice", command="train.py", cmdline=("/usr/bin/python", "train.py", "--lr=1"),
        rank=3,
        world_size=8, container="docker:3f2a", framework="vllm", model="V3", sm_pct=49.6, cpu_pct=101.0,
        rss_bytes=3 * build.gib, state="D", started_at_s=build.now_ns / 1e9 - 187, gpu_instance_id=1,
        compute_instance_id=0,
        allocator=Allocator(
            index=0, allocated_bytes=build.gib, active_bytes=2 * build.gib, reserved_bytes=32 * build.gib
        ),
        expectation=make_expectation(
            36 * build.gib, 38 * build.gib, 39 * build.gib, live=40 * build.gib, tier="DeepSeek-Pro"
        ),
    )  # fmt: skip
    assert _cells(build, ProcessRow(row), build.gpu(2)) == {
        "alloc": "1.0G", "cached": "30.0G", "other": "8.0G", "expected": "38.0G", "excess": "+2.0G",
        "tier": "DeepSeek-Pro",
        "gpu": "2", "slice": "1:0", "pid": "4242", "user": "alice", "type": "C", "rank": "3/8",
        "mem": "40.0G",
        "share": "50", "sm": "50", "cpu": "101", "rss": "3.0G", "state": "D", "time": "3:07",
        "container": "docker:3f2a", "framework": "vllm", "model": "V3", "command": "python train.py --lr=1",
    }  # fmt: skip


def test_what_is_not_known_is_a_dash(build):
    """A figure that is not known is neither 0 nor empty; what a process simply has not stays empty."""
    dashes = {
        "mem",
        "share",
        "sm",
        "cpu",
        "rss",
        "state",
        "time",
        "user",
        "command",
        "alloc",
        "cached",
        "other",
        "expected",
        "excess",
    }
    texts = _cells(build, ProcessRow(build.process(0, 1, None)), build.gpu(0))
    assert texts == {"gpu": "0", "pid": "1", "type": "C"} | dict.fromkeys(dashes, "–")
    assert _cells(build, ProcessRow(build.process(0, 1, 5)))["share"] == "–"


def test_a_total_within_its_band_has_no_excess_worth_a_figure(build):
    """Within the band it says `ok`; of a model that is known in part, nothing is said of the rest."""
    gib = build.gib
    within = build.process(
        0, 1, 38, expectation=make_expectation(36 * gib, 37 * gib, 39 * gib, live=38 * gib)
    )
    assert cell(ProcessRow(within), ALL["excess"], build.now_ns) == "ok"
    below = build.process(0, 1, 20, expectation=make_expectation(36 * gib, 37 * gib, 39 * gib, live=20 * gib))
    assert cell(ProcessRow(below), ALL["excess"], build.now_ns) == "-17.0G"
    floor = make_expectation(
        20 * gib, 21 * gib, None, live=38 * gib, unknown={"activations": "batch is not known"}
    )
    row = ProcessRow(build.process(0, 1, 38, expectation=floor))
    assert cell(row, ALL["expected"], build.now_ns) == "21.0G"
    assert cell(row, ALL["excess"], build.now_ns) == "–"


def test_a_command_that_cannot_be_read_says_why(build):
    """The row of a process in another namespace says so where its command would be."""
    facts = {"unavailable": {"command": "PID in another namespace: run with --pid=host"}}
    row = build.process(0, 1, 5)
    hidden = type(row)(gpu_index=0, pid=1, facts=build.facts(pid=1, **facts))
    assert _command(build, ProcessRow(hidden), 80) == "(PID in another namespace: run with --pid=host)"


@pytest.mark.parametrize(
    ("width", "command", "cmdline", "text"),
    [
        (20, "train.py", ("/usr/bin/python", "train.py"), "train.py"),
        (80, "train.py", ("/usr/bin/python", "train.py"), "python train.py"),
        (80, "train.py", (), "train.py"),
        (20, None, ("/opt/x/", "-a"), "/opt/x/ -a"),
    ],
)
def test_commands_are_as_full_as_the_width(build, width, command, cmdline, text):
    """A narrow column says what to call it, a wide one the whole line, the program without its folder."""
    row = ProcessRow(build.process(command=command, cmdline=cmdline))
    assert _command(build, row, width) == text


def test_endless_command_lines_are_cut(build):
    """A command line of megabytes makes a cell of a screen's width."""
    row = ProcessRow(build.process(cmdline=("a" * 10_000, *["b" * 100] * 10_000)))
    assert len(_command(build, row, 80)) <= 400


def test_trees_are_drawn_before_the_command(build):
    """The lines of the tree and what is folded are round the command."""
    row = ProcessRow(build.process(command="x"), 1, "└─ ", 3)
    assert _command(build, row, 30) == "└─ x [+3]"
    parent = AncestorRow(30, "bash", 1, "├─ ", 2)
    assert _cells(build, parent) == {"pid": "30", "command": "├─ bash [+2]"}


def test_a_user_without_a_name_is_a_number(build):
    """A container's user may have no name."""
    assert _cells(build, ProcessRow(build.process(uid=1001)))["user"] == "1001"


def test_memory_of_nobody_says_its_cause(build):
    """The row has a GPU, a size and the likeliest story."""
    assert _cells(build, UnattributedRow(build.nobodys(1, 20)), build.gpu(1)) == {
        "gpu": "1",
        "mem": "20.0G",
        "share": "25",
        "command": "no listed process: leaked by a crash",
    }


def test_a_job_says_which_rank_is_too_heavy(build):
    """A group's line has the sums, and names the heaviest rank and what the sums leave out."""
    rows = [
        build.process(rank, rank + 1, gib, rank=rank, world_size=8, job="7")
        for rank, gib in enumerate((40, 46, None))
    ]
    texts = _cells(build, build_group(rows))
    assert texts["gpu"] == "0-2"
    assert texts["rank"] == "3/8"
    assert texts["mem"] == "86.0G"
    assert texts["command"] == (
        "- job 7 3/8: 3 processes, 1 without a memory figure, rank 1 is 6.0G above the lightest"
    )


def test_a_balanced_job_blames_nobody(build):
    """Ranks that weigh the same are not compared, a folded group has a plus, and its user owns the job."""
    rows = [build.process(rank, rank + 1, 40, rank=rank, world_size=2, job="7") for rank in range(2)]
    job = summed("job", ("7", "alice"), rows, {("group", "job", "7", "alice")})
    texts = _cells(build, job)
    assert texts["command"] == "+ job 7 2/2: 2 processes"
    assert texts["user"] == "alice"
    person = _cells(build, summed("user", ("bob", None), rows[:1]))
    assert (person["user"], person["command"]) == ("bob", "- bob: 1 process")


def build_group(rows):
    """Sum rows as a job."""
    return summed("job", ("7", "alice"), rows)


@pytest.mark.parametrize(
    ("indices", "text"),
    [((), ""), ((3,), "3"), ((0, 1, 2, 3), "0-3"), ((0, 2), "0,2"), ((0, 1, 2, 5, 7, 8), "0-2,5,7-8")],
)
def test_gpu_indices_are_written_short(indices, text):
    """Neighbours become a range."""
    assert indices_text(indices) == text
