"""The hands of the demo: plausible, redacted, and harmless."""

from __future__ import annotations

import signal

import pytest

from dstop.errors import DstopError
from dstop.sources.demo import DemoSource
from dstop.sources.demo.hands import DemoHands


@pytest.fixture
def source() -> DemoSource:
    """The demo in its steady phase."""
    return DemoSource(clock=lambda: 30.0)


def test_a_rank_says_which_it_is(source: DemoSource) -> None:
    """The environment fits the row, and its secrets are redacted like real ones."""
    rank = next(row for row in source.read().processes if row.facts.rank == 3)
    detail = DemoHands(source).detail(rank.pid, rank.facts.started_at_s)
    assert detail.environment is not None
    values = dict(detail.environment)
    assert (values["RANK"], values["WORLD_SIZE"]) == ("3", "8")
    assert "redacted" in values["WANDB_API_KEY"]
    assert detail.ancestors[0][0] == rank.facts.ppid


def test_a_stranger_says_nothing(source: DemoSource) -> None:
    """A process of another namespace, or none at all, gives the reason."""
    stranger = next(row for row in source.read().processes if row.facts.user is None)
    for pid in (stranger.pid, 999_999_999):
        detail = DemoHands(source).detail(pid, None)
        assert detail.environment is None
        assert "environment" in detail.unavailable


def test_ranks_have_one_launcher(source: DemoSource) -> None:
    """The tree puts all of them under it."""
    ranks = [
        row for row in source.read().processes if row.facts.rank is not None and row.facts.world_size == 8
    ]
    parents = DemoHands(source).parents(row.pid for row in ranks)
    assert {row.facts.ppid for row in ranks} <= set(parents)
    assert "torchrun train.py" in {command for _, command in parents.values()}


def test_no_signal_is_ever_sent(source: DemoSource) -> None:
    """The numbers of simulated processes may be those of real ones."""
    with pytest.raises(DstopError, match="simulated"):
        DemoHands(source).signal(1, None, signal.SIGKILL)
