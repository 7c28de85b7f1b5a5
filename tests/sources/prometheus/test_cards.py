"""Series of three exporters as one list of cards: who a card is, whom to believe, what is no figure."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from dstop.model.finding import Severity
from dstop.sources.prometheus.answer import Labels, Series
from dstop.sources.prometheus.cards import CardBooks
from dstop.sources.prometheus.hosts import Hosts
from dstop.sources.prometheus.names import CARDS, PROCESSES
from dstop.sources.prometheus.processes import findings_of, processes_of

MIB, GIB = 2**20, 2**30


def series(name, value, /, **labels):
    """Give one series."""
    return Series(metric=Labels(metric=name, **labels), value=(1.0, str(value)))


def dcgm(field, value, **labels):
    """Give one of DCGM's."""
    return series(
        f"DCGM_FI_DEV_{field}", value, **{"gpu": "0", "Hostname": "n", "instance": "n:9400", **labels}
    )


def dstop(name, value, **labels):
    """Give one of dstop's."""
    return series(f"dstop_{name}", value, **{"instance": "pod:9778", "job": "dstop", **labels})


def cards(*found):
    """Give the cards of these series, in their order."""
    books = CardBooks(Hosts(found))
    for one in found:
        books.add(one)
    return sorted(books.cards(), key=lambda card: (card.host, card.gpu, card.mig or ""))


def test_a_card_that_two_exporters_name_otherwise_is_one_by_its_uuid():
    """Within Kubernetes one calls the host by its node, the other by its pod."""
    (card,) = cards(
        dstop("host_info", 1, hostname="pod-7"),
        dstop("gpu_info", 1, gpu="0", uuid="GPU-a"),
        dstop("gpu_memory_used_bytes", 5 * GIB, gpu="0"),
        dcgm("FB_USED", 1, UUID="GPU-a", gpu="3"),
        dcgm("XID_ERRORS", 31, UUID="GPU-a", gpu="3"),
    )
    assert (card.host, card.gpu, card.exporters) == ("pod-7", "0", ("dstop", "dcgm"))
    assert (card.memory_used_bytes, card.xid) == (5 * GIB, 31)


def test_copies_of_one_uuid_within_an_exporter_stay_apart():
    """Two simulated machines have the same UUIDs; that makes them no single machine."""
    found = cards(
        dstop("gpu_info", 1, gpu="0", uuid="GPU-a", instance="a:1"),
        dstop("gpu_info", 1, gpu="0", uuid="GPU-a", instance="b:1"),
        dcgm("FB_USED", 1, UUID="GPU-a", Hostname="c"),
    )
    assert [card.host for card in found] == ["a", "b", "c"]


def test_one_target_that_is_scraped_twice_is_one_card():
    """Two jobs of the server, or two servers behind one, tell the same."""
    (card,) = cards(dcgm("FB_USED", 1, job="a"), dcgm("FB_USED", 1, job="b"))
    assert card.exporters == ("dcgm",)


@pytest.mark.parametrize(
    "blank", [2147483632, 2147483633, 9223372036854775792, "140737488355328", "NaN", "+Inf", "x", -1]
)
def test_what_dcgm_does_not_know_is_no_figure(blank):
    """Its blank values, and what no card can have."""
    (card,) = cards(dcgm("FB_USED", blank), dcgm("GPU_UTIL", 3))
    assert card.memory_used_bytes is None
    assert card.memory_pct is None
    assert card.utilization_gpu_pct == 3


def test_mib_and_the_share_without_the_reserve():
    """The share is of what programs can have, as on one machine."""
    (card,) = cards(
        dcgm("FB_USED", 750), dcgm("FB_FREE", 250), dcgm("FB_RESERVED", 500), dcgm("FB_TOTAL", 1500)
    )
    assert (card.memory_used_bytes, card.usable_bytes, card.memory_pct) == (750 * MIB, 1000 * MIB, 75)


def test_more_used_than_there_is_is_no_figure():
    """Units that somebody relabelled are not drawn as 700 %."""
    (card,) = cards(dcgm("FB_USED", 2000), dcgm("FB_TOTAL", 1500))
    assert card.memory_used_bytes is None


def test_slices_are_rows_of_their_own():
    """DCGM tells of each MIG instance."""
    found = cards(
        dcgm("FB_USED", 1, GPU_I_ID="3", GPU_I_PROFILE="1g.10gb"),
        dcgm("FB_USED", 2, GPU_I_ID="4"),
        dcgm("GPU_TEMP", 50),
    )
    assert [card.mig for card in found] == [None, "3 1g.10gb", "4"]


def test_the_last_xid_and_the_reasons():
    """Dstop's exporter has a series an Xid and a reason, DCGM one number."""
    (card,) = cards(
        dstop("gpu_xid_timestamp_seconds", 100, gpu="0", xid="31"),
        dstop("gpu_xid_timestamp_seconds", 200, gpu="0", xid="79"),
        dstop("gpu_throttle_active", 1, gpu="0", reason="hw_thermal"),
        dstop("gpu_throttle_active", 1, gpu="0", reason="nobody knows"),
        dstop("gpu_ecc_errors_total", 4, gpu="0"),
    )
    assert (card.xid, card.xid_at_s, card.throttle_reasons, card.ecc_uncorrected) == (
        79,
        200,
        ("hw_thermal",),
        4,
    )
    (card,) = cards(dcgm("CLOCKS_EVENT_REASONS", 0x48))
    assert card.throttle_reasons == ("hw_slowdown", "hw_thermal")


@pytest.mark.parametrize(
    ("instance", "host"),
    [
        ("node-1:9400", "node-1"),
        ("[fe80::1]:9400", "fe80::1"),
        ("fe80::1", "fe80::1"),
        ("10.0.0.1", "10.0.0.1"),
        ("", "?"),
    ],
)
def test_a_host_without_a_name_has_its_address(instance, host):
    """The port is no part of it."""
    (card,) = cards(series("DCGM_FI_DEV_FB_USED", 1, gpu="0", instance=instance))
    assert card.host == host


def row(name, value, **labels):
    """Give a process's series of dstop's exporter."""
    return dstop(name, value, **{"gpu": "0", "pid": "7", **labels})


def test_processes_and_who_tells_of_them():
    """One that two exporters tell of is there once; ranks are numbers, or not known."""
    found = (
        dstop("host_info", 1, hostname="n"),
        row("process_gpu_memory_bytes", GIB, job_id="j", rank="3", user="a", command="t.py"),
        row("torch_allocated_bytes", 5, job_id="j", rank="3", user="a", command="t.py"),
        row("process_gpu_memory_bytes", 2 * GIB, pid="8", rank="x" * 50),
        series(
            "process_gpu_memory_MiB", 1024, hostname="n", index="0", pid="7", username="a", instance="n:8000"
        ),
        series(
            "process_gpu_memory_MiB", 5, hostname="n", index="1", pid="9", username="b", instance="n:8000"
        ),
        series("process_gpu_memory_MiB", 5, hostname="n", index="1", instance="n:8000"),
    )
    processes = sorted(processes_of(found, Hosts(found)), key=lambda one: one.pid)
    assert [(one.pid, one.rank, one.gpu_memory_bytes) for one in processes] == [
        ("7", 3, GIB),
        ("8", None, 2 * GIB),
        ("9", None, 5 * MIB),
    ]
    assert processes[0].allocated_bytes == 5


def test_findings_of_rules_that_are_not_known():
    """A newer exporter's severity and rule are shown as they are."""
    found = [
        dstop("finding_active", 1, rule="DS999", severity="catastrophe", cause="a_b"),
        dstop("finding_active", 0),
    ]
    (one,) = findings_of(found, Hosts(found))
    assert (one.severity, one.rule, one.says) == (Severity.WARNING, "DS999", "a b")


TEXT = some.text(max_size=6)
LABELS = some.fixed_dictionaries(
    {}, optional={name: TEXT for name in Labels.__struct_fields__ if name != "metric"}
)


@given(
    some.lists(
        some.tuples(
            some.sampled_from(
                [*CARDS, *PROCESSES, "dstop_host_info", "dstop_up", "dstop_gpu_throttle_active", "up"]
            ),
            some.one_of(some.floats().map(str), some.integers().map(str), TEXT),
            LABELS,
        ),
        max_size=30,
    )
)
def test_whatever_the_labels_and_figures_are_nothing_breaks(told):
    """Every series becomes a figure, or none; what is known is possible."""
    found = [series(name, value, **labels) for name, value, labels in told]
    for card in cards(*found):
        assert card.memory_pct is None or card.memory_pct >= 0
        assert card.utilization_gpu_pct is None or 0 <= card.utilization_gpu_pct <= 100.5
    hosts = Hosts(found)
    processes_of(found, hosts)
    findings_of(found, hosts)


def test_labels_that_nobody_knows_take_no_memory():
    """A series has the labels of the table, and no place for others."""
    decoded = msgspec.json.decode(b'{"__name__": "a", "pod": "x", "gpu": "1"}', type=Labels)
    assert decoded == Labels(metric="a", gpu="1")
    assert not hasattr(decoded, "__dict__")
