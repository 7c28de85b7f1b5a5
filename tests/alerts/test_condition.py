"""What `when` may say, what of a reading is then so, and how a mistake is told."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.alerts.condition import parse_condition
from dstop.alerts.figures import figures
from dstop.errors import SettingsError
from dstop.model.finding import Finding, Severity
from dstop.testing import make_gpu, make_process, make_sample, samples
from dstop.units import GIB


def finding(rule="DS250", **fields):
    """Give a finding."""
    base = {"rule": rule, "cause": "c", "severity": Severity.WARNING, "badge": "B", "says": "it is so"}
    return Finding(**{**base, **fields})


def card(index=0, used=97, **fields):
    """Give a card of 100 GiB."""
    fields.setdefault("memory_used_bytes", None if used is None else used * GIB)
    return make_gpu(index, memory_total_bytes=100 * GIB, memory_reserved_bytes=0, **fields)


def held(text, sample, *findings):
    """Give what holds, by key: True, or None where it is not known."""
    seen = parse_condition(text).look.seen(sample, findings)
    return [each.holds for each in seen]


def test_rules_are_named_by_patterns_and_by_how_bad_they_are():
    """DS2* means all of the allocator's; severity>=critical leaves warnings out."""
    found = (finding("DS250", gpu_index=3), finding("DS850", severity=Severity.CRITICAL))
    sample = make_sample((card(3),), 0)
    seen = parse_condition("finding:ds2*").look.seen(sample, found)
    assert [(each.subject.rule, each.subject.gpu_index) for each in seen] == [("DS250", 3)]
    assert seen[0].subject.says == "GPU 3: it is so"
    assert held("finding:*", sample, *found) == [True, True]
    assert held("finding:DS2*,DS8* severity>=critical", sample, *found) == [True]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gpu.memory_pct > 95", True),
        ("gpu.memory_pct>=97%", True),
        ("gpu.memory_pct > 97", False),
        ("gpu.memory_used_bytes > 96GiB", True),
        ("gpu.memory_free_bytes < 4G and gpu.utilization_gpu_pct > 90", True),
        ("gpu.memory_free_bytes < 4G and gpu.utilization_gpu_pct < 5", False),
        ("gpu.power_w > 600", True),
        ("gpu.index = 0", True),
        ("gpu.index != 0", False),
        ("gpu.processes = 2", True),
    ],
    ids=str,
)
def test_a_threshold_is_held_against_the_figure(text, expected):
    """Percentages, sizes, watts, several at once."""
    assert held(text, make_sample((card(),), 2)) == [expected]


def test_what_is_not_known_is_neither_so_nor_not():
    """A card that tells no figure, or is lost or stale, begins no alert and ends none."""
    lost = card(1, fault="fell off the bus")
    stale = card(2, stale_s=9.0)
    sample = make_sample((card(0, used=None), lost, stale), 0)
    assert held("gpu.memory_pct > 95", sample) == [None, None, None]
    both = "gpu.memory_pct > 95 and gpu.utilization_gpu_pct < 5"
    assert held(both, make_sample((card(0, used=None, utilization_gpu_pct=50),), 0)) == [False]


def test_rows_are_chosen_by_the_language_of_the_screen():
    """`process:` takes what stands after / on the screen, and tells who holds what."""
    rows = (
        make_process(0, 4000, user="alice", gpu_memory_bytes=70 * GIB, command="train.py"),
        make_process(0, 4001, user="bob", gpu_memory_bytes=70 * GIB),
    )
    sample = replace(make_sample((card(),), 0), processes=rows)
    condition = parse_condition("process: user:alice mem>60G for 5m")
    assert condition.for_s == 300
    (seen,) = condition.look.seen(sample, ())
    assert seen.subject.says == "GPU 0: train.py (4000, alice) holds 70.0G"
    assert (seen.subject.pid, seen.subject.user) == (4000, "alice")


def test_the_host_has_figures_too():
    """Its memory runs out before a card's does, with many data loaders."""
    sample = make_sample((card(),), 0)
    host = replace(sample.host, memory_total_bytes=100 * GIB, memory_used_bytes=99 * GIB)
    assert held("host.memory_pct > 95", replace(sample, host=host)) == [True]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no condition"),
        ("memory > 95", "is no condition"),
        ("gpu.memory_pc > 95", "did you mean gpu.memory_pct?"),
        ("gpu.zzzz > 95", "there are memory_pct"),
        ("gpu.memory_pct > lots", "is no number for gpu.memory_pct, such as 95"),
        ("gpu.memory_pct > nan", "is no number"),
        ("gpu.memory_pct > -1", "is no number"),
        ("gpu.memory_used_bytes > 9 Q", "is no condition"),
        ("gpu.memory_used_bytes > 9Q", "such as 10G"),
        ("gpu.memory_pct > 95 for ever", "must be a time such as 60s"),
        ("gpu.memory_pct > 95 for 2d", "at most a day"),
        ("gpu.memory_pct > 95 and host.memory_pct > 5", "write two alerts"),
        (" and ".join(["gpu.index > 1"] * 9), "more than 8 figures"),
        ("finding:", "needs numbers of rules"),
        ("finding:DS250;x", "needs numbers of rules"),
        ("finding:DS999", "no rule that watches a running machine is DS999"),
        ("finding:DS2* severity>=awful", "is none of severity>=warning"),
        ("process:", "needs a filter"),
        ("process: mem>lots", "mem"),
        ("gpu.memory_pct > 95; rm -rf /", "is no condition"),
        ("gpu.__class__ > 1", "there are memory_pct"),
    ],
    ids=lambda value: str(value)[:30] or "empty",
)
def test_a_mistake_is_told_in_one_line(text, words):
    """What of the condition is wrong, and what may stand there."""
    with pytest.raises(SettingsError) as caught:
        parse_condition(text)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=80))
def test_any_text_is_a_condition_or_a_sentence(text):
    """Nothing else comes out, whatever somebody writes."""
    try:
        condition = parse_condition(text)
    except SettingsError:
        return
    assert condition.for_s >= 0


@given(samples())
def test_every_figure_of_every_machine_is_a_number_or_not_known(sample):
    """Hostile readings make no condition raise, and a card is told at most once."""
    for of, table in figures().items():
        for name, figure in table.items():
            bound = "1G" if figure.kind.name == "BYTES" else "1"
            seen = parse_condition(f"{of}.{name} > {bound}").look.seen(sample, ())
            assert len(seen) == (1 if of == "host" else len(sample.gpus))
            assert all((each.subject is not None) == bool(each.holds) for each in seen)
