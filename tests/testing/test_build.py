"""The builders and the fake source: what a test may rely on."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dstop.errors import SourceError
from dstop.testing import FakeSource, make_facts, make_frame, make_gpu, make_process, make_sample
from dstop.units import GIB

if TYPE_CHECKING:
    from dstop.sources import Source


def test_free_memory_follows_used():
    """Who sets the used memory need not work out the free."""
    gpu = make_gpu(memory_used_bytes=10 * GIB)
    assert gpu.memory_free_bytes + 10 * GIB + gpu.memory_reserved_bytes == gpu.memory_total_bytes
    assert make_gpu(memory_free_bytes=5).memory_free_bytes == 5


def test_an_absent_value_gets_a_reason():
    """An override of None has its reason, the test's own when it gives one."""
    gpu = make_gpu(power_mw=None, fan_pct=None, unavailable={"fan_pct": "no fan"})
    assert gpu.power_mw is None
    assert dict(gpu.unavailable) == {"power_mw": "not supported", "fan_pct": "no fan"}
    assert make_gpu(memory_used_bytes=None).memory_free_bytes is None
    assert make_facts(user=None).unavailable == {"user": "not supported"}


def test_a_process_takes_overrides_of_its_facts():
    """One call sets both what the driver says of it and what the host does."""
    row = make_process(3, 77, user="alice", rank=2, gpu_memory_bytes=GIB)
    assert (row.gpu_index, row.pid, row.facts.pid) == (3, 77, 77)
    assert (row.facts.user, row.facts.rank, row.gpu_memory_bytes) == ("alice", 2, GIB)


def test_a_misspelt_override_is_an_error():
    """A field that does not exist is not swallowed."""
    with pytest.raises(TypeError):
        make_gpu(utilisation=5)


def test_a_sample_has_the_size_that_was_asked_for():
    """Cards times processes, unique keys, and each row knows its card's UUID."""
    sample = make_sample(4, 3)
    assert len(sample.gpus) == 4
    assert len({row.key for row in sample.processes}) == 12
    assert all(sample.gpus[row.gpu_index].uuid == row.gpu_uuid for row in sample.processes)


def test_a_lost_card_has_no_processes():
    """Cards that are given keep their fault, and no row is made for them."""
    sample = make_sample([make_gpu(0), make_gpu(1, fault="GPU is lost")], 2)
    assert {row.gpu_index for row in sample.processes} == {0}


def test_a_frame_has_a_past_for_every_card():
    """Histories are as long as asked, and empty of values where the card has none."""
    frame = make_frame(make_sample([make_gpu(0), make_gpu(1, power_mw=None)], 0), steps=30)
    assert {len(each.utilization_pct) for each in frame.history.values()} == {30}
    assert set(frame.history[1].power_pct) == {None}
    assert frame.history[0].steps == 30


def test_the_fake_source_replays_and_fails_in_order():
    """Samples come, failures are raised, and the last step stays."""
    first, last = make_sample(1), make_sample(2)
    source: Source = FakeSource([first, SourceError("no driver"), last])
    assert source.read() is first
    with pytest.raises(SourceError):
        source.read()
    assert source.read() is last
    assert source.read(patience_s=2) is last


def test_the_fake_source_loops_when_asked():
    """After the last step a looping source begins again."""
    first, last = make_sample(1), make_sample(2)
    source = FakeSource([first, last], loop=True)
    assert [source.read() for _ in range(4)] == [first, last, first, last]


def test_the_fake_source_remembers_what_was_done_to_it():
    """Reads, patience, watched fields and the close are there to be asserted."""
    source = FakeSource([make_sample(0, 0)])
    source.read(patience_s=0.25)
    source.watch({"pcie"})
    source.close()
    assert (source.reads, source.patience_s, source.watched, source.closed) == (1, 0.25, {"pcie"}, True)
    with pytest.raises(ValueError, match="at least one"):
        FakeSource([])


def test_importing_testing_does_not_need_hypothesis():
    """A plugin's plain tests run where Hypothesis is not installed; a strategy asks for it by its import."""
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import dstop.testing as t; t.make_frame()\n"
        "try:\n    t.frames\nexcept ImportError:\n    print('asked')\n"
        "try:\n    t.nothing\nexcept AttributeError:\n    print('refused')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["asked", "refused"]
