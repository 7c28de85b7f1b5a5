"""A frame as a page: the figures it has, in their units, and nothing that is not known."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from dstop.export.metrics.moment import Counts, Moment
from dstop.export.metrics.names import BY_NAME
from dstop.export.metrics.page import page
from dstop.export.metrics.text import openmetrics
from dstop.model.event import EventKind
from dstop.model.finding import Finding, Severity
from dstop.model.frame import Problem
from dstop.model.gpu import Activity, MigInstance, Xid
from dstop.model.process import ProcessFigure
from dstop.testing import (
    frames,
    make_allocator,
    make_expectation,
    make_gpu,
    make_guest,
    make_process,
    make_sample,
)
from dstop.units import GIB, MIB

from .pages import moment, read, value


def one_process(**changes):
    """Give a machine of one card and one process."""
    row = make_process(0, 4000, **changes)
    return replace(make_sample((make_gpu(0),), 0), processes=(row,))


def test_the_figures_of_a_card_are_in_base_units():
    """Bytes, shares of one, watts, joules, hertz, degrees."""
    gpu = make_gpu(3, power_mw=612_500, energy_mj=9_000_500, utilization_gpu_pct=97, clock_sm_mhz=1980)
    found = read(moment(make_sample((gpu,), 0)))
    assert value(found, "dstop_gpu_memory_used_bytes", gpu="3") == 40 * GIB
    assert value(found, "dstop_gpu_utilization_ratio", gpu="3") == 0.97
    assert value(found, "dstop_gpu_power_watts", gpu="3") == 612.5
    assert value(found, "dstop_gpu_energy_joules_total", gpu="3") == 9000.5
    assert value(found, "dstop_gpu_sm_clock_hertz", gpu="3") == 1.98e9
    assert value(found, "dstop_gpu_temperature_celsius", gpu="3") == 61
    assert value(found, "dstop_gpu_info", gpu="3", uuid=gpu.uuid, name=gpu.name) == 1


@pytest.mark.parametrize(
    ("field", "name"),
    [
        ("memory_used_bytes", "dstop_gpu_memory_used_bytes"),
        ("utilization_gpu_pct", "dstop_gpu_utilization_ratio"),
        ("power_mw", "dstop_gpu_power_watts"),
        ("fan_pct", "dstop_gpu_fan_speed_ratio"),
        ("throttle_reasons", "dstop_gpu_throttle_active"),
        ("ecc_corrected", "dstop_gpu_ecc_errors_total"),
        ("remapped_rows_pending", "dstop_gpu_remapped_rows_pending"),
        ("mig_enabled", "dstop_gpu_mig_mode"),
    ],
)
def test_what_a_card_does_not_tell_has_no_sample(field, name):
    """Nought is a measurement; what is not known is not there, and the rest of the card is."""
    labels = {"error": "corrected"} if field == "ecc_corrected" else {}
    known = (
        make_gpu(0, memory_used_bytes=None) if field == "memory_used_bytes" else make_gpu(0, **{field: None})
    )
    found = read(moment(make_sample((known,), 0)))
    assert value(found, name, gpu="0", **labels) is None
    assert value(found, "dstop_gpu_temperature_celsius", gpu="0") is not None


def test_throttling_names_the_reason_and_denies_the_others():
    """One series a reason, so that an alert can end."""
    found = read(moment(make_sample((make_gpu(0, throttle_reasons=("sw_thermal",)),), 0)))
    assert value(found, "dstop_gpu_throttle_active", gpu="0", reason="sw_thermal") == 1
    assert value(found, "dstop_gpu_throttle_active", gpu="0", reason="hw_slowdown") == 0


def test_xids_are_counted_and_the_last_of_each_is_dated():
    """The counter is the exporter's own; without an event set there is none."""
    gpu = make_gpu(0, xids=(Xid(code=79, at_ns=5 * 10**9), Xid(code=79, at_ns=7 * 10**9)))
    found = read(moment(make_sample((gpu,), 0), counts=Counts(xids={0: 2})))
    assert value(found, "dstop_gpu_xid_errors_total", gpu="0") == 2
    assert value(found, "dstop_gpu_xid_timestamp_seconds", gpu="0", xid="79") == 7
    deaf = make_gpu(0, unavailable={"xids": "not supported"})
    assert "dstop_gpu_xid_errors_total" not in read(moment(make_sample((deaf,), 0)))


def test_slices_and_activity_are_there_where_the_card_has_them():
    """MIG memory by slice, GPM figures by card."""
    gpu = make_gpu(
        0,
        mig_enabled=True,
        mig=(
            MigInstance(
                gpu_instance_id=1,
                compute_instance_id=0,
                uuid="MIG-1",
                profile="3g.40gb",
                memory_used_bytes=GIB,
            ),
        ),
        activity=Activity(sm_pct=50.0, tensor_pct=25.0),
    )
    found = read(moment(make_sample((gpu,), 0)))
    assert value(found, "dstop_mig_memory_used_bytes", gpu="0", mig="1/0") == GIB
    assert value(found, "dstop_mig_info", gpu="0", mig="1/0", profile="3g.40gb") == 1
    assert value(found, "dstop_gpu_tensor_active_ratio", gpu="0") == 0.25
    assert "dstop_gpu_dram_active_ratio" not in found


def test_a_process_has_the_labels_of_its_job():
    """Card, PID, command, user, job and rank stand on each of its series."""
    found = read(moment(one_process(job="slurm:77", rank=3, world_size=8)))
    labels = {
        "gpu": "0",
        "pid": "4000",
        "command": "train.py",
        "user": "deepa",
        "job_id": "slurm:77",
        "rank": "3",
    }
    assert value(found, "dstop_process_gpu_memory_bytes", **labels) == 10 * GIB
    assert value(found, "dstop_process_sm_utilization_ratio", **labels) == 0.9
    assert value(found, "dstop_process_info", **labels, world_size="8", framework="pytorch") == 1
    assert value(found, "dstop_process_cpu_utilization_ratio", pid="4000", rank="3") == 1.015
    assert "gpu" not in found["dstop_process_resident_memory_bytes"][0].labels


def test_rank_nought_is_a_rank_and_none_is_empty():
    """`rank="0"` is the first of a job; a process of no job has an empty label."""
    assert read(moment(one_process(rank=0)))["dstop_process_gpu_memory_bytes"][0].labels["rank"] == "0"
    assert read(moment(one_process()))["dstop_process_gpu_memory_bytes"][0].labels["rank"] == ""


def test_the_allocator_is_told_by_process():
    """Allocated, reserved, cached, fragmented, and what is not PyTorch's."""
    allocator = make_allocator(0)
    found = read(moment(one_process(allocator=allocator, gpu_memory_bytes=10 * GIB)))
    assert value(found, "dstop_torch_allocated_bytes", pid="4000") == allocator.allocated_bytes
    assert value(found, "dstop_torch_reserved_bytes", pid="4000") == 9 * GIB
    assert value(found, "dstop_torch_cached_bytes", pid="4000") == 9 * GIB - allocator.active_bytes
    assert value(found, "dstop_torch_inactive_split_bytes", pid="4000") == 640 * MIB
    assert value(found, "dstop_process_not_torch_bytes", pid="4000") == GIB
    assert value(found, "dstop_torch_alloc_retries_total", pid="4000") == allocator.num_alloc_retries


def test_a_process_without_a_hook_has_no_allocator_at_nought():
    """Nobody has asked it: it has no `dstop_torch_…` at all."""
    assert not [name for name in read(moment(one_process())) if name.startswith("dstop_torch_")]


def test_what_a_hook_said_long_ago_is_not_said_again():
    """A process that does not answer keeps its memory by the driver, and its age."""
    sample = one_process(allocator=make_allocator(0))
    row = sample.processes[0]
    for stale_s, there in ((None, True), (1.0, True), (30.0, False)):
        guest = make_guest(pid=row.pid, started_at_s=row.facts.started_at_s, stale_s=stale_s)
        found = read(moment(sample, guests={row.id: guest}))
        assert ("dstop_torch_allocated_bytes" in found) is there, stale_s
        assert value(found, "dstop_torch_stale_seconds", pid="4000") == (stale_s or 0)
        assert value(found, "dstop_process_gpu_memory_bytes", pid="4000") == 10 * GIB


def test_the_band_of_its_model_stands_beside_what_it_holds():
    """Low, expected and high on the labels of the process, so that an alert is one comparison."""
    expectation = make_expectation(8 * GIB, 9 * GIB, 11 * GIB, live=10 * GIB)
    found = read(moment(one_process(expectation=expectation)))
    assert value(found, "dstop_process_expected_bytes", pid="4000") == expectation.expected_bytes
    assert value(found, "dstop_process_expected_low_bytes", pid="4000") == expectation.low_bytes
    assert value(found, "dstop_process_expected_info", pid="4000", model=expectation.model) == 1
    floor = replace(expectation, expected_bytes=None, high_bytes=None)
    found = read(moment(one_process(expectation=floor)))
    assert "dstop_process_expected_high_bytes" not in found
    assert "dstop_process_expected_low_bytes" in found


def test_what_plugins_know_of_a_process_is_a_series_a_label():
    """A job's name from Slurm, a pod's from Kubernetes; at most eight, whatever a source gives."""
    found = read(moment(one_process(labels={"slurm_job": "llama \n pretrain"})))
    assert (
        value(found, "dstop_process_label_info", pid="4000", label="slurm_job", value="llama   pretrain") == 1
    )
    found = read(moment(one_process(labels={f"l{n}": "x" for n in range(30)})))
    assert len(found["dstop_process_label_info"]) == 8


def test_what_a_process_tells_of_itself_is_a_series_a_figure():
    """An engine's cache and its queue, by plugins; what could not be read has none."""
    told = (
        ProcessFigure(name="kv_cache_pct", value=83.5),
        ProcessFigure(name="requests_waiting", why="no answer"),
    )
    rows = tuple(make_process(index, 4000, figures=told) for index in range(2))
    found = read(moment(replace(make_sample(2, 0), processes=rows)))
    assert value(found, "dstop_process_figure", pid="4000", figure="kv_cache_pct") == 83.5
    assert len(found["dstop_process_figure"]) == 1


def test_too_many_processes_are_added_up():
    """The biggest have series; the others of a card are one, and counted; nothing is lost from the sum."""
    rows = tuple(make_process(0, 4000 + n, gpu_memory_bytes=(n + 1) * GIB) for n in range(6))
    sample = replace(make_sample((make_gpu(0, memory_used_bytes=21 * GIB),), 0), processes=rows)
    found = read(moment(sample, most_processes=2))
    shown = {each.labels["pid"]: each.value for each in found["dstop_process_gpu_memory_bytes"]}
    assert shown == {"4005": 6 * GIB, "4004": 5 * GIB, "other": 10 * GIB}
    assert value(found, "dstop_gpu_processes", gpu="0") == 6
    assert value(found, "dstop_gpu_other_processes", gpu="0") == 4
    assert value(found, "dstop_exporter_left_out", what="processes") == 4
    assert value(found, "dstop_gpu_memory_unattributed_bytes", gpu="0") == 0


def test_a_sum_with_an_unknown_part_is_not_known():
    """One process without a figure among those that are added up: no sum, and their count all the same."""
    rows = (make_process(0, 1, gpu_memory_bytes=GIB), make_process(0, 2, gpu_memory_bytes=None))
    found = read(moment(replace(make_sample((make_gpu(0),), 0), processes=rows), most_processes=0))
    assert value(found, "dstop_process_gpu_memory_bytes", pid="other") is None
    assert value(found, "dstop_gpu_other_processes", gpu="0") == 2
    assert value(found, "dstop_gpu_memory_unattributed_bytes", gpu="0") is None


def test_old_figures_are_not_served_as_new():
    """Without a driver, or long after the last reading: the names of the cards, and that nothing answers."""
    sample = make_sample(2, 2)
    gone = Problem(message="the driver does not answer", fix=None, since_ns=1)
    for broken in (moment(sample, problem=gone), moment(sample, age_s=60.0)):
        found = read(broken)
        assert value(found, "dstop_up") == 0
        assert value(found, "dstop_gpu_up", gpu="1") == 0
        assert value(found, "dstop_gpu_info", gpu="1") == 1
        assert not [
            name for name in found if name.startswith(("dstop_process_", "dstop_torch_", "dstop_gpu_mem"))
        ]
        assert "dstop_findings" not in found
    assert value(read(moment(sample, age_s=2.0)), "dstop_up") == 1


def test_a_card_that_does_not_answer_is_down_alone():
    """Lost, or its driver calls hang: no figures of it and of its processes; the others go on."""
    lost = make_gpu(0, fault="GPU is lost", memory_used_bytes=None)
    hung = make_gpu(1, stale_s=30.0)
    sample = replace(
        make_sample((lost, hung, make_gpu(2)), 0),
        processes=tuple(make_process(index, 4000 + index) for index in range(3)),
    )
    found = read(moment(sample))
    assert [value(found, "dstop_gpu_up", gpu=str(index)) for index in range(3)] == [0, 0, 1]
    assert [each.labels["gpu"] for each in found["dstop_gpu_memory_used_bytes"]] == ["2"]
    assert [each.labels["gpu"] for each in found["dstop_process_gpu_memory_bytes"]] == ["2"]
    assert value(found, "dstop_gpu_stale_seconds", gpu="1") == 30


def test_a_card_without_a_list_of_processes_has_no_count_of_them():
    """Not nought processes, and not all memory unattributed: the list is not known."""
    found = read(moment(make_sample((make_gpu(0, unavailable={"processes": "no permission"}),), 0)))
    assert "dstop_gpu_processes" not in found
    assert "dstop_gpu_memory_unattributed_bytes" not in found


def test_findings_are_series_and_counts():
    """Rule, cause and severity are labels; what does not fit into the bound is counted."""
    findings = tuple(
        Finding(
            rule=f"DS{n}", cause="leak", severity=Severity.WARNING, badge="x", says="y", gpu_index=0, pid=n
        )
        for n in range(5)
    )
    found = read(moment(findings=(*findings, findings[0]), most_findings=4))
    assert value(found, "dstop_finding_active", rule="DS1", cause="leak", severity="warning", pid="1") == 1
    assert len(found["dstop_finding_active"]) == 4
    assert value(found, "dstop_findings", severity="warning") == 6
    assert value(found, "dstop_findings", severity="critical") == 0
    assert value(found, "dstop_exporter_left_out", what="findings") == 2


def test_events_begin_at_nought():
    """A counter that is there before the first event shows the first event as an increase."""
    found = read(moment(counts=Counts(events={EventKind.OUT_OF_MEMORY: 2})))
    assert value(found, "dstop_events_total", event="out_of_memory") == 2
    assert value(found, "dstop_events_total", event="xid") == 0


def test_simulated_figures_say_so():
    """A demo can be told from a machine; a machine has no such series."""
    assert "dstop_simulated" not in read(moment())
    found = read(moment(make_sample(1, 1, simulated="simulated: no hardware")))
    assert value(found, "dstop_simulated") == 1
    assert found["dstop_host_info"][0].labels["simulated"]


def test_one_process_on_two_slices_of_a_card_is_two_rows():
    """The slice is a label, so that no two series are the same; a row that comes twice is there once."""
    row = make_process(0, 4000, gpu_instance_id=1, compute_instance_id=0)
    rows = (row, replace(row, gpu_instance_id=2), row)
    found = read(moment(replace(make_sample((make_gpu(0),), 0), processes=rows)))
    assert [each.labels["mig"] for each in found["dstop_process_gpu_memory_bytes"]] == ["1/0", "2/0"]


@given(frame=frames())
@settings(deadline=None, max_examples=60)
def test_every_page_can_be_read(frame):
    """Whatever a machine holds, the page is OpenMetrics: names and labels of the table, finite figures, no doubles."""
    text = openmetrics(page(Moment(frame=frame, age_s=0.0))).decode()
    seen = set()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            metric = BY_NAME[sample.name]
            assert set(sample.labels) == set(metric.labels)
            assert math.isfinite(sample.value)
            assert metric.unit == family.unit
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in seen
            seen.add(key)
