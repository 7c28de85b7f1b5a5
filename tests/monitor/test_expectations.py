"""What models should hold, in the rows of a sample: worked out once, compared at every step, never in the way."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from dstop.errors import AttachError
from dstop.model.allocator import Allocator
from dstop.model.guest import Guest
from dstop.model.segment import ModelFacts
from dstop.monitor import Monitor
from dstop.monitor.expectations import NOT_YET, Expectations
from dstop.settings.profiles import Profile
from dstop.units import GIB

SERVER = ("vllm", "serve", "meta-llama/Llama-3.1-8B", "--gpu-memory-utilization", "0.5")
VLLM = {"cmdline": SERVER, "framework": "vLLM", "model": "Llama-3.1-8B", "command": "vllm serve"}
CARD = 80 * GIB


class Reach:
    """A machine where processes have parents and no files; counts what it is asked."""

    def __init__(self, wait=None):
        self.asked = []
        self._wait = wait

    def parents(self, process):
        """Give none."""
        self.asked.append(process.pid)
        if self._wait is not None:
            self._wait.wait(5)
        return ()

    def environ(self, _process):
        """Give none."""
        return {}

    def read(self, _process, _path, _most_bytes):
        """Find nothing."""
        raise FileNotFoundError(2, "No such file or directory")


def _sample(build, *rows, at_s=0.0):
    return build.sample(at_s, gpus=(build.gpu(0, memory_total_bytes=CARD),), rows=rows)


def test_a_known_server_has_its_expectation_in_its_row(build):
    """The engine's share of the card is what it should hold, beside what it does."""
    row = build.row(memory=40 * GIB, **VLLM)
    (told,) = Expectations(at_once=True).joined(_sample(build, row), {}).processes
    assert told.expectation.model == "Llama-3.1-8B"
    assert told.expectation.verdict == "within"
    assert told.expectation.remainder_bytes == 40 * GIB - told.expectation.expected_bytes


def test_a_machine_without_models_costs_nothing(build):
    """Rows that name no model come back as they are, and nobody is asked about them."""
    reach = Reach()
    sample = _sample(build, build.row(command="sleep", cmdline=("sleep", "9")))
    assert Expectations(reach, at_once=True).joined(sample, {}) is sample
    assert reach.asked == []


def test_a_process_is_looked_into_once(build):
    """Steps only compare: what a process is does not change while it lives."""
    reach = Reach()
    expectations = Expectations(reach, at_once=True)
    for step in range(3):
        sample = expectations.joined(
            _sample(build, build.row(memory=(40 + step) * GIB, **VLLM), at_s=step), {}
        )
        assert sample.processes[0].expectation.parts[-1].live_bytes == (40 + step) * GIB
    assert reach.asked == [1]


def test_another_process_with_the_same_number_is_looked_into_anew(build):
    """The kernel gives a PID to the next comer."""
    reach = Reach()
    expectations = Expectations(reach, at_once=True)
    for started in (1.0, 2.0):
        expectations.joined(_sample(build, build.row(started=started, **VLLM)), {})
    assert reach.asked == [1, 1]


def test_a_step_does_not_wait_for_what_is_slow(build):
    """While a disk is slow the row says so; when it has answered, the next step has it."""
    gate = threading.Event()
    expectations = Expectations(Reach(gate))
    row = build.row(memory=40 * GIB, **VLLM)
    (told,) = expectations.joined(_sample(build, row), {}).processes
    assert (told.expectation, told.unavailable["footprint"]) == (None, NOT_YET)
    gate.set()
    expectations._work.wait(30)
    (told,) = expectations.joined(_sample(build, row), {}).processes
    assert told.expectation is not None
    expectations.close()


def test_one_sample_waits_for_its_answer(build):
    """`dstop --once` has no next step."""
    expectations = Expectations(Reach(), patience_s=30)
    (told,) = expectations.joined(_sample(build, build.row(**VLLM)), {}).processes
    assert told.expectation is not None
    expectations.close()


def test_why_a_model_is_not_known_stands_where_it_would(build):
    """A name that the catalog does not have is a reason, in the row."""
    row = build.row(
        **VLLM | {"cmdline": ("vllm", "serve", "nobody/has-this-model"), "model": "has-this-model"}
    )
    (told,) = Expectations(at_once=True).joined(_sample(build, row), {}).processes
    assert told.expectation is None
    assert told.unavailable["footprint"].startswith("what model this is, is not known: ")


def test_what_the_user_says_is_the_last_word_where_there_is_no_other(build):
    """An entry of the configuration file names the model of a script that names none."""
    profile = Profile(
        match="mine.py",
        model="meta-llama/Llama-3.1-8B",
        fields=(("phase", "training"), ("batch", 1), ("sequence", 512)),
    )
    row = build.row(memory=70 * GIB, cmdline=("python", "mine.py"), framework="pytorch")
    (told,) = Expectations(of_user=[profile], at_once=True).joined(_sample(build, row), {}).processes
    assert told.expectation.footprint.phase == "training"
    assert told.expectation.sources["batch"] == "user"
    assert told.expectation.unknown == {}


def test_a_tier_is_the_guides_range_and_says_so(build):
    """`--tier`: no arithmetic, so no expected value; live is held against the range."""
    row = build.row(memory=70 * GIB, cmdline=("python", "mine.py"), framework="pytorch")
    (told,) = Expectations(tier="deepseek-pro", at_once=True).joined(_sample(build, row), {}).processes
    should = told.expectation
    assert (should.tier, should.expected_bytes, should.verdict) == ("DeepSeek-Pro", None, "above")
    assert should.sources["range"] == "the sizing guide, not arithmetic"


class _Hook:
    """A hook that counts its modules when it is asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, _process):
        """Give the next answer; the last one for ever."""
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def _attached(build, allocated, at_s):
    device = Allocator(
        index=0, allocated_bytes=allocated, reserved_bytes=allocated, active_bytes=allocated,
        peak_allocated_bytes=allocated,
    )  # fmt: skip
    row = replace(build.row(memory=allocated + GIB, **VLLM), allocator=device)
    guests = {row.id: Guest(pid=1, started_at_s=1.0, torch_version="2.9")}
    return _sample(build, row, at_s=at_s), guests


def test_a_hook_counts_once_a_model_is_there_and_again_when_it_has_grown(build):
    """Not before tensors are on the card, not at every step, and again when they are more."""
    hook = _Hook(ModelFacts())
    expectations = Expectations(ask=hook, at_once=True)
    for at_s, allocated, asked in (
        (0, 1 << 20, 0),
        (1, GIB, 1),
        (2, 9 * GIB, 1),
        (30, 9 * GIB, 2),
        (60, 9 * GIB, 2),
    ):
        expectations.joined(*_attached(build, allocated, at_s))
        assert hook.asked == asked, at_s


def test_a_hook_that_does_not_answer_leaves_the_command_line(build):
    """The other rungs of the ladder stay."""
    hook = _Hook(AttachError("process 1 does not answer"))
    (told,) = Expectations(ask=hook, at_once=True).joined(*_attached(build, GIB, 0)).processes
    assert told.expectation.sources["model"] == "catalog"


def test_a_monitor_puts_it_into_its_frames_and_closes_it(build, script):
    """The loop of every face has it; without it frames are as before."""
    row = build.row(memory=40 * GIB, **VLLM)
    expectations = Expectations(at_once=True)
    monitor = Monitor(script(_sample(build, row)), interval_s=1, expectations=expectations)
    assert monitor.step().sample.processes[0].expectation is not None
    monitor.close()
    monitor.close()
    plain = Monitor(script(_sample(build, row)), interval_s=1)
    assert plain.step().sample.processes[0].expectation is None


def test_a_bug_is_a_reason_and_not_the_end(build):
    """A reach that raises what nobody expects costs one row its expectation."""

    class Broken(Reach):
        def parents(self, _process):
            raise ZeroDivisionError("oops \x1b[31m")

    (told,) = Expectations(Broken(), at_once=True).joined(_sample(build, build.row(**VLLM)), {}).processes
    assert "ZeroDivisionError" in told.unavailable["footprint"]
    assert told.unavailable["footprint"].isprintable()


@pytest.mark.parametrize("total", [None, 0], ids=["unknown", "nought"])
def test_a_card_without_a_size_still_has_its_models(build, total):
    """What the driver does not say of the card is left to the arithmetic's own assumptions."""
    sample = build.sample(gpus=(build.gpu(0, memory_total_bytes=total),), rows=(build.row(**VLLM),))
    (told,) = Expectations(at_once=True).joined(sample, {}).processes
    assert told.expectation is not None or "footprint" in told.unavailable
