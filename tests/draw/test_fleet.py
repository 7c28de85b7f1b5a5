"""Lines of a fleet: exactly as wide as told, whatever labels hold."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as some

from dstop.draw.fleet_host import host_detail
from dstop.draw.fleet_lines import fleet_title, job_lines, state_lines
from dstop.draw.fleet_once import fleet_lines
from dstop.draw.fleet_rows import rows_of
from dstop.draw.line import clean, line_cells, plain
from dstop.model.finding import Severity
from dstop.model.fleet import Fleet, FleetFinding, FleetGpu, FleetHost, FleetProcess
from dstop.view.fleet import FleetView, known

TEXT = some.text(max_size=12)
AMOUNT = some.none() | some.integers(0, 2**50)
PERCENT = some.none() | some.floats(0, 100)


@some.composite
def fleets(draw):
    """Fleets with any text for a label, and any figure or none."""
    hosts = []
    for name in draw(some.lists(TEXT, max_size=3, unique=True)):
        gpus = tuple(
            FleetGpu(
                host=name,
                gpu=draw(TEXT),
                name=draw(some.none() | TEXT),
                up=draw(some.none() | some.booleans()),
                memory_used_bytes=draw(AMOUNT),
                memory_free_bytes=draw(AMOUNT),
                utilization_gpu_pct=draw(PERCENT),
                power_mw=draw(some.none() | some.integers(0, 2**31)),
                temperature_c=draw(some.none() | some.integers(-60, 2**31)),
                xid=draw(some.none() | some.integers(0, 200)),
            )
            for _ in range(draw(some.integers(0, 2)))
        )
        rows = tuple(
            FleetProcess(
                host=name,
                gpu=draw(TEXT),
                pid=draw(TEXT),
                command=draw(some.none() | TEXT),
                job=draw(some.none() | TEXT),
                rank=draw(some.none() | some.integers(0, 10**9)),
                gpu_memory_bytes=draw(AMOUNT),
                reserved_bytes=draw(AMOUNT),
            )
            for _ in range(draw(some.integers(0, 3)))
        )
        hosts.append(
            FleetHost(name=name, gone=draw(some.booleans()), exporters=("dstop",), gpus=gpus, processes=rows)
        )
    finding = FleetFinding(
        host=draw(TEXT), severity=Severity.NOTE, says=draw(TEXT), badge=draw(TEXT), pid=draw(TEXT)
    )
    return Fleet(
        taken_at_ns=0, server="http://p", hosts=tuple(hosts), findings=(finding,), notices=(draw(TEXT),)
    )


@settings(max_examples=60, deadline=None)
@given(fleets(), some.integers(1, 210))
def test_every_line_is_as_wide_as_it_is_told(fleet, width):
    """Titles, states, tables, hosts and jobs, at any width."""
    found = known(fleet)
    lines = [fleet_title(found, 0, width)]
    lines += state_lines(found, width, now_ns=10**12, error="no", waiting=True, interval_s=1)
    for show in range(4):
        header, rows = rows_of(found, FleetView(), show, width)
        lines += [header] if header is not None else []
        lines += [row.draw() for row in rows]
    for host in fleet.hosts:
        lines += host_detail(host, found, width)
    for job in found.jobs:
        lines += job_lines(job, width)
    assert {line_cells(line) for line in lines} == {width}
    assert all(plain(line) == clean(plain(line)) for line in lines)


@settings(max_examples=30, deadline=None)
@given(fleets())
def test_text_for_a_pipe_moves_no_cursor(fleet):
    """Sentences may be longer than the width; nothing in them is a control character."""
    assert all(
        plain(line) == clean(plain(line)) for line in fleet_lines(known(fleet), FleetView(), 100, top=5)
    )


def test_simulated_hosts_are_called_so():
    """No figure of a simulated machine passes for a real one."""
    hosts = (
        FleetHost(name="a", simulated="simulated by dstop demo", exporters=("dstop",)),
        FleetHost(name="b"),
    )
    found = known(Fleet(taken_at_ns=0, server="http://p", hosts=hosts))
    assert "1 host SIMULATED" in plain(fleet_title(found, 0, 160))
    _, rows = rows_of(found, FleetView(), 1, 160)
    assert any("simulated" in plain(row.draw()) for row in rows)
    assert "simulated by dstop demo" in "".join(map(plain, host_detail(hosts[0], found, 100)))


def test_an_outage_says_its_age_and_reason():
    """Old figures are told from new ones."""
    found = known(Fleet(taken_at_ns=0, server="http://p", notices=("processes: cut off",)))
    texts = [
        plain(line)
        for line in state_lines(found, 60, now_ns=90 * 10**9, error="it is down", waiting=False, interval_s=5)
    ]
    assert "1:30 old: it is down" in texts[0]
    assert "processes: cut off" in texts[1]
    assert (
        state_lines(
            known(Fleet(taken_at_ns=0, server="p")), 60, now_ns=10**9, error=None, waiting=False, interval_s=5
        )
        == []
    )
