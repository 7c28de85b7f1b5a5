"""What users and jobs come to."""

from __future__ import annotations

import pytest

from dstop.model.allocator import Allocator
from dstop.view.group import grouped, summed
from dstop.view.rows import GroupRow


def _job(build, *gibs, world=8, user="alice"):
    return [
        build.process(rank, 100 + rank, gib, rank=rank, world_size=world, job="77", user=user)
        for rank, gib in enumerate(gibs)
    ]


def test_a_user_comes_to_the_sum_of_what_is_known(build):
    """Sums leave unknown figures out and say how many; a process on two GPUs has its host memory once."""
    rows = [
        build.process(0, 1, 10, sm_pct=90.0, cpu_pct=100.0, rss_bytes=5),
        build.process(1, 1, 20, sm_pct=80.0, cpu_pct=100.0, rss_bytes=5),
        build.process(5, 2, None, cpu_pct=1.0, rss_bytes=7),
    ]
    row = summed("user", ("alice", None), rows)
    assert (row.count, row.gpu_indices, row.unknown) == (2, (0, 1, 5), 1)
    assert (row.gpu_memory_bytes, row.sm_pct) == (30 * build.gib, 170.0)
    assert (row.cpu_pct, row.rss_bytes) == (101.0, 12)
    assert row.heaviest is rows[1]
    assert row.imbalance_bytes is None


def test_what_pytorch_holds_is_summed_over_those_that_tell(build):
    """Tensors, cache and the rest add up over the rows with a hook, and order the groups."""
    device = Allocator(index=0, allocated_bytes=1, active_bytes=2, reserved_bytes=5)
    rows = [build.process(gpu, 1, 1, user="a", allocator=device) for gpu in (0, 1)]
    row = summed("user", ("a", None), [*rows, build.process(2, 2)])
    assert (row.allocated_bytes, row.cached_bytes) == (2, 6)
    assert row.not_torch_bytes == 2 * (build.gib - 5)
    assert summed("user", ("a", None), [build.process(2, 2)]).allocated_bytes is None
    lines = grouped(
        [build.process(0, 9, 50, user="b"), *rows], "user", sort="alloc", reverse=False, folded=()
    )
    assert [line.name for line in lines if isinstance(line, GroupRow)] == ["a", "b"]


def test_a_group_of_unknowns_has_no_sum(build):
    """Nothing known adds up to not known, and not to 0."""
    row = summed("user", ("alice", None), [build.process(0, 1, None)])
    assert (row.gpu_memory_bytes, row.sm_pct, row.cpu_pct, row.rss_bytes, row.heaviest) == (None,) * 5
    assert row.unknown == 1


def test_the_heaviest_rank_of_a_job_is_named(build):
    """A job says how far its heaviest rank is above its lightest, and which ranks are here."""
    rows = _job(build, 40, 40, 46, 39)
    row = summed("job", ("77", "alice"), rows)
    assert row.heaviest is rows[2]
    assert row.imbalance_bytes == 7 * build.gib
    assert (row.ranks, row.world_size, row.label) == ((0, 1, 2, 3), 8, "job 77 4/8")


def test_a_job_of_unknown_size_is_not_counted(build):
    """Without a world size nobody knows how many ranks are missing; without ranks, how many are here."""
    assert summed("job", ("77", "alice"), _job(build, 40, world=None)).label == "job 77"
    assert summed("job", ("77", "alice"), [build.process(0, 1, world_size=8)]).label == "job 77"


def test_a_stray_context_counts_for_its_rank(build):
    """The context that a rank keeps on another card is that rank's memory; its large row is named."""
    rows = [*_job(build, 40, 40), build.process(0, 101, 3, rank=1, world_size=8, job="77")]
    row = summed("job", ("77", "alice"), rows)
    assert row.heaviest is rows[1]
    assert row.imbalance_bytes == 3 * build.gib


def test_a_rank_without_a_figure_is_in_no_comparison(build):
    """A rank whose memory is not known is neither the lightest nor the heaviest."""
    row = summed("job", ("77", "alice"), _job(build, 40, None, 41))
    assert row.imbalance_bytes == build.gib
    assert summed("job", ("77", "alice"), _job(build, 40, None)).imbalance_bytes is None


def test_jobs_of_one_name_and_two_users_are_two(build):
    """Anyone can name a job as another's is named; that does not put them together."""
    rows = [*_job(build, 1), *_job(build, 2, user="bob")]
    groups = [
        row for row in grouped(rows, "job", sort="gpu", reverse=False, folded=()) if isinstance(row, GroupRow)
    ]
    assert [(row.name, row.owner) for row in groups] == [("77", "alice"), ("77", "bob")]


def test_processes_without_a_job_come_last(build):
    """What belongs to no job is gathered at the end, whatever it weighs."""
    rows = [build.process(0, 1, 70), *_job(build, 1)]
    shown = grouped(rows, "job", sort="mem", reverse=False, folded=())
    assert [row.label if isinstance(row, GroupRow) else row.process.pid for row in shown] == [
        "job 77 1/8",
        100,
        "no job",
        1,
    ]


@pytest.mark.parametrize(
    ("sort", "reverse", "names"),
    [
        ("mem", False, ["bob", "alice"]),
        ("mem", True, ["alice", "bob"]),
        ("cpu", False, ["alice", "bob"]),
        ("gpu", False, ["alice", "bob"]),
    ],
)
def test_groups_stand_by_their_totals(build, sort, reverse, names):
    """By memory and the like a group stands by its sum; else where its first row would."""
    rows = [
        build.process(0, 1, 5, user="alice", cpu_pct=9.0),
        build.process(1, 2, 4, user="bob", cpu_pct=1.0),
        build.process(2, 3, 4, user="bob", cpu_pct=1.0),
    ]
    shown = grouped(rows, "user", sort=sort, reverse=reverse, folded=())
    assert [row.name for row in shown if isinstance(row, GroupRow)] == names


def test_a_folded_group_is_one_line(build):
    """Folding hides the members and keeps the sum."""
    rows = [build.process(0, 1, 5, user="alice"), build.process(0, 2, 5, user="bob")]
    (alice, *_rest) = grouped(rows, "user", sort="gpu", reverse=False, folded=())
    shown = grouped(rows, "user", sort="gpu", reverse=False, folded={alice.key})
    assert [getattr(row, "name", None) for row in shown] == ["alice", "bob", None]
    assert shown[0].folded
    assert shown[0].key == alice.key
    assert shown[0].gpu_memory_bytes == 5 * build.gib


def test_a_user_without_a_name_is_their_number(build):
    """Users that have only a number are apart from those of whom nothing is known."""
    rows = [build.process(0, 1, uid=1001), build.process(0, 2)]
    shown = grouped(rows, "user", sort="gpu", reverse=False, folded=())
    assert [row.label for row in shown if isinstance(row, GroupRow)] == ["1001", "user not known"]
