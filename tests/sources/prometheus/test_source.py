"""A fleet read from a real Prometheus server: three exporters, hosts that two tell of, labels that are missing."""

from __future__ import annotations

import pytest
from fleet_pages import GIB, GPUS, MIB, RESERVED_MIB, TOTAL_MIB

from dstop.errors import SourceError
from dstop.sources.prometheus.client import Client
from dstop.sources.prometheus.source import FleetSource
from dstop.view.fleet import FleetView, cards_of, known
from dstop.view.fleet_filter import parse


@pytest.fixture
def fleet(small_fleet):
    """The fleet, read once."""
    return FleetSource(Client(small_fleet, timeout_s=30)).read()


def host(fleet, name):
    """Give a host by its name."""
    return next(one for one in fleet.hosts if one.name == name)


def test_hosts_are_there_once_in_the_order_of_people(fleet):
    """node-10 comes after node-3; a host of two exporters is one."""
    names = [one.name for one in fleet.hosts if one.name.startswith("node-")]
    assert names == ["node-1", "node-2", "node-3", "node-10"]
    assert host(fleet, "node-2").exporters == ("dstop", "dcgm")
    assert all(len(host(fleet, name).gpus) == GPUS for name in names)
    assert fleet.notices == ()


def test_units_are_ours_whoever_tells(fleet):
    """MiB, watts and shares become bytes, milliwatts and percent."""
    for name in ("node-1", "node-3", "node-10"):
        for card in host(fleet, name).gpus:
            assert card.usable_bytes in {(TOTAL_MIB - RESERVED_MIB) * MIB, TOTAL_MIB * MIB}
            assert 0 < card.memory_pct < 100
            assert card.memory_used_bytes > 900 * MIB
            assert 60_000 <= card.power_mw <= 700_000
            assert 0 <= card.utilization_gpu_pct <= 100
            assert 30 <= card.temperature_c <= 80
            assert card.uuid == f"GPU-{name}-{card.gpu}"


def test_where_two_tell_dstop_is_believed_and_the_other_adds(fleet):
    """Of node-2 dstop says the memory and DCGM the last Xid."""
    card = host(fleet, "node-2").gpus[0]
    assert card.exporters == ("dstop", "dcgm")
    assert 40 * GIB <= card.memory_used_bytes < 41 * GIB
    assert card.xid == 0


def test_the_xid_and_the_odd_rank_are_found(fleet):
    """What the fleet itself notices, over exporters and hosts."""
    found = known(fleet)
    told = {(one.host, one.gpu, one.badge) for one in found.findings}
    assert ("node-3", "5", "XID") in told
    assert ("node-1", "3", "RANK") in told
    job = found.jobs[0]
    assert (job.name, len(job.ranks), job.hosts) == ("run-a", 2 * GPUS, ("node-1", "node-2"))
    assert [rank.rank for rank in job.ranks if rank.odd] == [3]


def test_series_without_labels_are_cards_without_names(fleet):
    """What exporters forgot is no reason to lose a card, and none to crash."""
    strange = [card for card in fleet.gpus if not card.host.startswith("node-")]
    assert {card.gpu for card in strange} == {"?", "\x1b[2J"}
    assert {card.host for card in strange} == {"junk"}
    assert all(card.memory_pct is None for card in strange)


def test_the_worst_is_first_and_the_filter_takes_its_own(fleet):
    """By memory share; `mem>`, words and a minus."""
    found = known(fleet)
    cards = cards_of(found, FleetView())
    shares = [
        round(card.memory_pct) for card in cards if card.memory_pct is not None and card.up is not False
    ]
    assert shares == sorted(shares, reverse=True)
    only = cards_of(found, FleetView(filter=parse("node-3 mem>50")))
    assert only == [card for card in cards if card.host == "node-3" and card.memory_pct > 50]
    assert all(card.host != "node-3" for card in cards_of(found, FleetView(filter=parse("-node-3"))))


def test_matchers_choose_series(small_fleet):
    """--match is in every query."""
    fleet = FleetSource(Client(small_fleet, timeout_s=30), 'instance=~"node-3.*"').read()
    assert [one.name for one in fleet.hosts] == ["node-3"]


def test_a_matcher_that_the_server_refuses_is_told(small_fleet):
    """The server's own words."""
    with pytest.raises(SourceError, match="answers 400"):
        FleetSource(Client(small_fleet, timeout_s=30), 'instance=~"("').read()
