"""Pages as their readers see them."""

from __future__ import annotations

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from dstop.export.metrics.moment import Moment
from dstop.export.metrics.page import page
from dstop.export.metrics.text import openmetrics
from dstop.model.finding import Finding, Severity
from dstop.model.gpu import Activity, MigInstance, Xid
from dstop.model.process import ProcessFigure
from dstop.testing import (
    make_allocator,
    make_expectation,
    make_frame,
    make_gpu,
    make_guest,
    make_process,
    make_sample,
)
from dstop.units import GIB


def moment(sample=None, **changes):
    """Give a fresh moment of a machine; a change may be one of the frame or of the moment."""
    of_moment = {
        name: changes.pop(name)
        for name in list(changes)
        if name in {"age_s", "counts", "most_processes", "most_findings", "version", "cpu_s", "read_s"}
    }
    return Moment(frame=make_frame(sample, **changes), **{"age_s": 0.5, **of_moment})


def read(found):
    """Write a moment's page in OpenMetrics, and give what the library's parser makes of it: samples by name."""
    samples = {}
    for family in text_string_to_metric_families(openmetrics(page(found)).decode()):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append(sample)
    return samples


def value(samples, name, /, **labels):
    """Give the one sample of a name that has these labels, or None."""
    found = [
        sample.value
        for sample in samples.get(name, ())
        if all(sample.labels.get(key) == text for key, text in labels.items())
    ]
    assert len(found) <= 1, (name, labels, found)
    return found[0] if found else None


def full():
    """Give a moment of a machine that tells all that a machine can tell."""
    gpu = make_gpu(
        0,
        mig_enabled=True,
        mig=(
            MigInstance(
                gpu_instance_id=1,
                compute_instance_id=0,
                memory_total_bytes=GIB,
                memory_used_bytes=GIB // 2,
                memory_reserved_bytes=0,
                memory_free_bytes=GIB // 2,
            ),
        ),
        xids=(Xid(code=79, at_ns=1),),
        activity=Activity(sm_pct=1.0, sm_occupancy_pct=2.0, tensor_pct=3.0, dram_pct=4.0),
        pcie_tx_bytes_s=1,
        pcie_rx_bytes_s=2,
        nvlink_tx_bytes_s=3,
        nvlink_rx_bytes_s=4,
    )
    row = make_process(
        0,
        4000,
        allocator=make_allocator(0),
        expectation=make_expectation(GIB, 2 * GIB, 3 * GIB, live=2 * GIB),
        labels={"pod": "trainer-0"},
        figures=(ProcessFigure(name="kv_cache_pct", value=50.0),),
    )
    finding = Finding(rule="DS301", cause="leak", severity=Severity.WARNING, badge="x", says="y", gpu_index=0)
    sample = make_sample((gpu,), 0, processes=(row,), simulated="simulated")
    guest = make_guest(pid=row.pid, started_at_s=row.facts.started_at_s)
    return moment(sample, guests={row.id: guest}, findings=(finding,), cpu_s=1.0, read_s=0.01, version="1")
