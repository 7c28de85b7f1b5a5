"""What follows from a fleet: jobs over hosts, odd ranks, findings, order and filter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from dstop.errors import UsageError
from dstop.model.finding import Severity
from dstop.model.fleet import Fleet, FleetFinding, FleetGpu, FleetHost, FleetProcess, natural
from dstop.view.fleet import SORTS, FleetView, cards_of, findings_shown, hosts_of, jobs_shown, known
from dstop.view.fleet_filter import parse
from dstop.view.fleet_jobs import jobs_of

GIB = 2**30


def card(host="a", gpu="0", used=40, **more):
    """Give a card of 80 GiB."""
    return FleetGpu(
        host=host, gpu=gpu, memory_used_bytes=used * GIB, memory_free_bytes=(80 - used) * GIB, **more
    )


def fleet(*hosts, findings=()):
    """Give a fleet of hosts."""
    return Fleet(taken_at_ns=0, server="http://p", hosts=hosts, findings=findings)


def ranks(host, *used, job="j", first=0, **more):
    """Give the rows of a job on a host."""
    return tuple(
        FleetProcess(
            host=host,
            gpu=str(at),
            pid=str(at),
            job=job,
            rank=first + at,
            gpu_memory_bytes=int(amount * GIB),
            **more,
        )
        for at, amount in enumerate(used)
    )


def test_a_job_is_one_over_hosts_and_its_odd_rank_is_marked():
    """The rank that holds far more than the median of all hosts' ranks."""
    (job,) = jobs_of(
        fleet(
            FleetHost(name="a", processes=ranks("a", 20, 20)),
            FleetHost(name="b", processes=ranks("b", 20, 60, first=2)),
        )
    )
    assert job.hosts == ("a", "b")
    assert [rank.rank for rank in job.ranks if rank.odd] == [3]
    assert job.ranks[3].odd == "40.0G above the median of its peers"


@pytest.mark.parametrize(
    "used",
    [(20, 60), (20, 20.4, 20), (100, 104, 100, 97), (20, 20, 60, 60)],
    ids=["two", "bytes", "share", "halves"],
)
def test_no_rank_is_odd_without_peers_or_by_little(used):
    """Of two nobody knows which; some blocks are nothing; two kinds of ranks are a layout."""
    (job,) = jobs_of(fleet(FleetHost(name="a", processes=ranks("a", *used))))
    assert not any(rank.odd for rank in job.ranks)


def test_what_a_stage_should_hold_more_is_no_oddity():
    """The last stage of a pipeline holds the logits; where it is expected, it is not marked."""
    rows = [
        FleetProcess(
            host="a",
            gpu=str(at),
            pid=str(at),
            job="j",
            rank=at,
            gpu_memory_bytes=used * GIB,
            expected_bytes=due * GIB,
        )
        for at, (used, due) in enumerate(((20, 19), (20, 19), (20, 19), (50, 49)))
    ]
    (job,) = jobs_of(fleet(FleetHost(name="a", processes=tuple(rows))))
    assert not any(rank.odd for rank in job.ranks)


def test_launchers_without_a_name_are_each_host_s_own():
    """PIDs and loopback masters are the same on every host, and are not the same job."""
    for name in ("pid:77", "127.0.0.1:29500", "localhost:29500"):
        found = jobs_of(
            fleet(
                FleetHost(name="a", processes=ranks("a", 1, job=name)),
                FleetHost(name="b", processes=ranks("b", 1, job=name)),
            )
        )
        assert len(found) == 2


def test_a_rank_on_two_cards_is_added_up_and_half_a_sum_is_none():
    """Model parallelism within a process."""
    row = ranks("a", 10)[0]
    other = FleetProcess(host="a", gpu="1", pid="0", job="j", rank=0, gpu_memory_bytes=None)
    (job,) = jobs_of(fleet(FleetHost(name="a", processes=(row, other))))
    assert (job.ranks[0].gpus, job.ranks[0].gpu_memory_bytes) == (("0", "1"), None)


def test_findings_of_figures():
    """A lost card, Xids, rows, errors, heat; a host and a card that are gone; a host without its driver."""
    found = known(
        fleet(
            FleetHost(
                name="a",
                gone_gpus=("7",),
                gpus=(
                    card(up=False),
                    card(gpu="1", xid=79),
                    card(gpu="2", xid=13),
                    card(gpu="3", remapped_rows_failed=True, ecc_uncorrected=2, remapped_rows_pending=True),
                    card(gpu="4", throttle_reasons=("sw_thermal", "power_cap")),
                    card(gpu="5", throttle_reasons=("power_cap", "idle"), xid=0, ecc_uncorrected=0),
                ),
            ),
            FleetHost(name="b", gone=True),
            FleetHost(name="c", up=False),
        )
    ).findings
    assert {(one.host, one.gpu, one.badge, str(one.severity)) for one in found} == {
        ("a", "0", "LOST", "critical"),
        ("a", "1", "XID", "critical"),
        ("a", "2", "XID", "warning"),
        ("a", "3", "REMAP", "critical"),
        ("a", "3", "ECC", "critical"),
        ("a", "3", "ROW REMAP", "warning"),
        ("a", "4", "HOT", "warning"),
        ("a", "7", "GONE", "critical"),
        ("b", None, "GONE", "critical"),
        ("c", None, "NO DRIVER", "critical"),
    }
    assert [one.severity for one in found] == sorted(
        (one.severity for one in found), key="critical warning".index
    )


def test_what_an_exporter_has_told_is_not_told_again():
    """Dstop's own rule DS852 stands for the Xid; its title is the rule's."""
    told = FleetFinding(
        host="a", gpu="0", severity=Severity.CRITICAL, says="hardware xid", rule="DS852", badge="DS852"
    )
    found = known(fleet(FleetHost(name="a", gpus=(card(xid=79),)), findings=(told,))).findings
    assert [one.says for one in found] == ["The driver has reported an error of the card"]


def test_the_worst_first():
    """A card that does not answer, then whole percents of memory, then what was found, then the rest."""
    gpus = (
        card(gpu="0", used=40),
        card(gpu="1", used=79),
        card(gpu="2", used=79, xid=79),
        card(gpu="3", used=10, up=False),
        FleetGpu(host="a", gpu="4"),
    )
    found = known(fleet(FleetHost(name="a", gpus=gpus)))
    assert [one.gpu for one in cards_of(found, FleetView())] == ["3", "2", "1", "0", "4"]
    assert [one.gpu for one in cards_of(found, FleetView(sort="host"))] == list("01234")


@pytest.mark.parametrize("sort", SORTS)
def test_every_order_keeps_every_row(sort):
    """Whatever is not known."""
    hosts = (FleetHost(name="a", gpus=(card(), FleetGpu(host="a", gpu="1"))), FleetHost(name="b", gone=True))
    found = known(fleet(*hosts))
    for reverse in (False, True):
        view = FleetView(sort=sort, reverse=reverse)
        assert len(cards_of(found, view)) == 2
        assert len(hosts_of(found, view)) == 2


def test_the_filter():
    """Words and bounds, and what is not known is within no bound."""
    hosts = (
        FleetHost(
            name="a", gpus=(card(used=76, name="H100", utilization_gpu_pct=3),), processes=ranks("a", 1)
        ),
        FleetHost(name="b", gpus=(card(host="b", name="A100"), FleetGpu(host="b", gpu="1"))),
    )
    found = known(fleet(*hosts))

    def shown(text):
        return [(one.host, one.gpu) for one in cards_of(found, FleetView(filter=parse(text)))]

    assert shown("mem>=95") == [("a", "0")]
    assert shown("mem<95%") == [("b", "0")]
    assert shown("util<5 h100") == [("a", "0")]
    assert shown("-h100") == [("b", "0"), ("b", "1")]
    assert [host.name for host in hosts_of(found, FleetView(filter=parse("a100")))] == ["b"]
    assert jobs_shown(found, FleetView(filter=parse("nobody"))) == []
    assert len(jobs_shown(found, FleetView(filter=parse("j mem>200")))) == 1
    assert findings_shown(found, FleetView(filter=parse("x"))) == []


@pytest.mark.parametrize("text", ["foo>1", "mem>", "mem>>1", "mem>1e9999", "=", "mem>-1"])
def test_a_bound_that_is_none_is_refused(text):
    """It names the fields there are."""
    with pytest.raises(UsageError, match="mem, util, power, temp, xid"):
        parse(text)


@given(some.text(max_size=60))
def test_whatever_is_typed_is_a_filter_or_refused(text):
    """No other error comes out."""
    try:
        found = parse(text)
    except UsageError:
        return
    found.takes("node-1", {"mem": 5.0})


@given(some.lists(some.tuples(some.sampled_from(["node-", "gpu"]), some.integers(0, 10**6)), max_size=20))
def test_numbers_in_names_are_ordered_as_numbers(parts):
    """node-9 comes before node-10."""
    names = [f"{head}{number}" for head, number in parts]
    assert sorted(names, key=natural) == [f"{head}{number}" for head, number in sorted(parts)] or "" in dict(
        parts
    )
