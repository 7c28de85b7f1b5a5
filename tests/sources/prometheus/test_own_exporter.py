"""What dstop's own exporter writes is what the fleet reads: one table of names, held against a real page."""

from __future__ import annotations

import subprocess
import sys

from prometheus_client.parser import text_string_to_metric_families

from dstop.sources.prometheus.answer import Labels, Series
from dstop.sources.prometheus.cards import CardBooks
from dstop.sources.prometheus.hosts import Hosts
from dstop.sources.prometheus.processes import processes_of


def test_a_page_of_the_exporter_becomes_cards_and_processes():
    """The simulated server, exported once: its cards have memory and names, its host says that it is simulated."""
    page = subprocess.run(
        [sys.executable, "-m", "dstop", "export", "--demo", "--once"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    known = set(Labels.__struct_fields__)
    series = [
        Series(
            metric=Labels(
                metric=sample.name,
                instance="n:9778",
                **{name: text for name, text in sample.labels.items() if name in known},
            ),
            value=(0.0, str(sample.value)),
        )
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    ]
    hosts = Hosts(series)
    books = CardBooks(hosts)
    for one in series:
        books.add(one)
    cards = books.cards()
    assert len(cards) == 8
    (name,) = {card.host for card in cards}
    assert hosts.said[name].simulated
    for card in cards:
        assert card.uuid
        assert card.name
        assert 0 <= card.memory_pct <= 100
    processes = processes_of(series, hosts)
    assert processes
    assert all(row.gpu_memory_bytes for row in processes)
    assert any(row.reserved_bytes for row in processes)
    assert any(row.job and row.rank is not None for row in processes)
