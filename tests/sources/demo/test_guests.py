"""The hooks of the demo: figures that fit the rows, maps that add up, and refusals as real ones."""

from __future__ import annotations

import pytest

from dstop.errors import AttachError
from dstop.model.guest import ProcessId
from dstop.sources.demo import DemoSource
from dstop.sources.demo.guests import DemoGuests
from dstop.sources.demo.story import LOOP_S, OOM_AGE_S
from dstop.units import GIB, MIB

FULL_LOOP = range(int(LOOP_S) + 20)


class Demo:
    """A demo whose clock the test sets."""

    def __init__(self, **scene):
        self.at_s = 30.0
        self.source = DemoSource(lambda: self.at_s, **scene)
        self.guests = DemoGuests(self.source)

    def at(self, seconds):
        """Read that moment; gives the rows and the answers."""
        self.at_s = float(seconds)
        return self.source.read().processes, self.guests.answers()

    def row(self, command):
        """Give the newest row of a program."""
        rows, _ = self.at(self.at_s)
        return next(row for row in rows if row.facts.command == command)


def ids_of(rows):
    """Name the ranks."""
    return {row.id for row in rows if row.facts.framework == "pytorch" and row.facts.rank is not None}


@pytest.mark.parametrize("gpus", [1, 8])
def test_the_figures_of_a_rank_fit_its_row_throughout_the_story(gpus):
    """Requested <= allocated <= active <= reserved <= held, and what has been never shrinks."""
    demo = Demo(gpus=gpus)
    peaks = {}
    for second in FULL_LOOP:
        rows, answers = demo.at(second)
        assert set(answers) == ids_of(rows)
        for row in rows:
            for device in answers[row.id].devices if row.id in answers else ():
                assert device.gpu_uuid == row.gpu_uuid
                assert 0 <= device.requested_bytes <= device.allocated_bytes <= device.active_bytes
                assert device.active_bytes <= device.reserved_bytes <= row.gpu_memory_bytes
                assert 0 <= device.inactive_split_bytes <= device.cached_bytes
                most = (device.peak_allocated_bytes, device.peak_reserved_bytes, device.num_alloc_retries)
                assert most[0] >= device.allocated_bytes
                assert most[1] >= device.reserved_bytes
                before = peaks.get(row.key, (0, 0, 0))
                assert all(new >= old for new, old in zip(most, before, strict=True)), second
                peaks[row.key] = most


def test_activations_come_and_go_while_the_states_stay():
    """Within one batch the allocated memory rises and falls by gigabytes; the reserved one does not follow."""
    demo = Demo()
    rank = next(iter(sorted(ids_of(demo.at(30)[0]))))
    allocated = [demo.at(second)[1][rank].devices[0].allocated_bytes for second in range(30, 36)]
    assert max(allocated) - min(allocated) > 5 * GIB
    assert min(allocated) > 29 * GIB


def test_the_rank_that_runs_out_tells_of_it_before():
    """Retries first, then the error; its cache is in pieces, and the others' is not."""
    demo = Demo()
    rows, answers = demo.at(146)
    unlucky = next(row.id for row in rows if row.gpu_index == 3 and row.facts.rank is not None)
    others = [answers[each].devices[0] for each in answers if each != unlucky]
    device = answers[unlucky].devices[0]
    assert device.num_alloc_retries > 0
    assert all(other.num_alloc_retries == 0 for other in others)
    assert device.inactive_split_bytes > 3 * max(other.inactive_split_bytes for other in others)
    device = demo.at(OOM_AGE_S - 40 + 0.5)[1][unlucky].devices[0]
    assert device.num_ooms == 1


@pytest.mark.parametrize("second", [5, 30, 60, 100, 146, 212, 230])
def test_a_map_comes_to_the_figures_exactly(second):
    """Segments, blocks and states add up, for every guest at every kind of moment."""
    demo = Demo()
    _, answers = demo.at(second)
    for process, guest in answers.items():
        for device in guest.devices:
            segments = demo.guests.segments(process).segments
            assert sum(each.total_bytes for each in segments) == device.reserved_bytes
            assert sum(each.allocated_bytes for each in segments) == device.allocated_bytes
            assert sum(each.active_bytes for each in segments) == device.active_bytes
            for each in segments:
                assert sum(block.size_bytes for block in each.blocks) == each.total_bytes
                assert all(block.size_bytes > 0 for block in each.blocks)
            assert len({each.address for each in segments}) == len(segments)


def test_the_notebook_can_be_attached_to_and_is_nearly_all_cache():
    """What one finds in an idle notebook: much reserved, little in use."""
    demo = Demo()
    process = demo.row("ipykernel_launcher").id
    with pytest.raises(AttachError, match="carries no hook"):
        demo.guests.segments(process)
    assert demo.guests.attach(process) == "ptrace"
    device = demo.at(31)[1][process].devices[0]
    assert device.allocated_bytes < GIB < 10 * GIB < device.cached_bytes
    assert demo.guests.attach(process) == "ptrace"
    demo.guests.detach(process)
    assert process not in demo.at(32)[1]


def test_the_server_keeps_a_pool_for_its_graphs():
    """A vLLM engine uses nearly all it has, and some of it is CUDA graphs'."""
    demo = Demo()
    process = demo.row("VLLM::EngineCore").id
    demo.guests.attach(process)
    private = [each for each in demo.guests.segments(process).segments if each.pool != (0, 0)]
    assert GIB < sum(each.total_bytes for each in private) < 3 * GIB


def test_an_instance_of_a_card_is_named_by_its_own_uuid():
    """Under MIG PyTorch sees the instance, not the card."""
    demo = Demo(mig=True)
    row = demo.row("ipykernel_launcher")
    demo.guests.attach(row.id)
    sample = demo.source.read()
    mine = next(each for each in sample.gpus[0].mig if each.gpu_instance_id == row.gpu_instance_id)
    assert demo.guests.answers()[row.id].devices[0].gpu_uuid == mine.uuid


@pytest.mark.parametrize(
    ("pid", "says"),
    [(77_612, "another PID namespace"), (1_204_508, "not a Python program"), (5, "has ended")],
)
def test_others_refuse_with_a_reason(pid, says):
    """A hidden process, one that is no Python, and one that is not there."""
    demo = Demo()
    rows, _ = demo.at(30)
    process = next((row.id for row in rows if row.pid == pid), ProcessId(pid, None))
    with pytest.raises(AttachError, match=says):
        demo.guests.attach(process)


def test_stacks_are_there_while_they_are_recorded():
    """They add up to what is allocated, the biggest first."""
    demo = Demo()
    process = next(iter(sorted(ids_of(demo.at(32)[0]))))
    assert demo.guests.sites(process) == ()
    demo.guests.record(process, on=True)
    guest = demo.guests.answers()[process]
    sites = demo.guests.sites(process)
    total = sum(site.size_bytes for site in sites)
    assert guest.history
    assert abs(total - guest.devices[0].allocated_bytes) < MIB
    assert [site.size_bytes for site in sites] == sorted((site.size_bytes for site in sites), reverse=True)
    assert demo.guests.sites(process, most=1) == sites[:1]
    demo.guests.record(process, on=False)
    assert demo.guests.sites(process) == ()


def test_the_summary_is_a_table_that_says_it_is_simulated():
    """Every line is as wide as torch's, and the figures are the guest's."""
    demo = Demo()
    process = next(iter(sorted(ids_of(demo.at(146)[0]))))
    device = demo.guests.answers()[process].devices[0]
    text = demo.guests.summary(process, device.index)
    assert {len(line) for line in text.splitlines()} == {77}
    assert "simulated: no process is behind these numbers" in text
    assert f"{device.allocated_bytes // MIB} MiB" in text
    with pytest.raises(AttachError, match="cuda"):
        demo.guests.summary(process, device.index + 1)


def test_the_states_of_the_model_are_what_stays_allocated():
    """Weights, gradients and optimizer come to the memory that a rank keeps between batches."""
    demo = Demo()
    process = next(iter(sorted(ids_of(demo.at(30)[0]))))
    facts = demo.guests.facts(process)
    model, optimizer = facts.models[0], facts.optimizers[0]
    states = model["parameter_bytes"] + model["gradient_bytes"] + optimizer["state_bytes"]
    lowest = min(demo.at(second)[1][process].devices[0].allocated_bytes for second in range(30, 42))
    assert abs(states - lowest) < GIB
    notebook = demo.row("ipykernel_launcher").id
    demo.guests.attach(notebook)
    assert "models" in demo.guests.facts(notebook).unavailable


def test_nothing_is_written_for_a_simulated_process(tmp_path):
    """A snapshot of nothing would be taken for one."""
    demo = Demo()
    process = next(iter(sorted(ids_of(demo.at(30)[0]))))
    with pytest.raises(AttachError, match="simulated"):
        demo.guests.snapshot(process, str(tmp_path / "a.gz"))
    assert not list(tmp_path.iterdir())


def test_the_same_moment_gives_the_same_answers():
    """A demo is a pure function of its clock."""
    assert Demo().at(77)[1] == Demo().at(77)[1]
