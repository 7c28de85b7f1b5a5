"""The JSON contract: its keys, its nulls and their reasons."""

from __future__ import annotations

import json
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings

from dstop.export.json import sample_line, sample_object
from dstop.export.outage import without_figures
from dstop.model.frame import Problem
from dstop.model.gpu import Gpu, MigInstance, Xid
from dstop.model.host import Host
from dstop.model.process import GpuProcess, ProcessFacts
from dstop.model.sample import Sample
from dstop.testing import make_gpu, make_process, make_sample, samples

TOP = ["schema", "taken_at_ns", "host", "driver_version", "cuda_version", "gpus", "processes", "findings"]
GPU = [
    "index",
    "uuid",
    "name",
    "pci_bus_id",
    "memory_total_bytes",
    "memory_used_bytes",
    "memory_reserved_bytes",
    "memory_free_bytes",
    "memory_unattributed_bytes",
    "utilization_gpu_pct",
    "utilization_memory_pct",
    "temperature_c",
    "power_mw",
    "power_limit_mw",
    "clock_sm_mhz",
    "clock_memory_mhz",
    "fan_pct",
    "performance_state",
    "throttle_reasons",
    "ecc_uncorrected",
    "remapped_rows_pending",
    "mig",
    "unavailable",
]
PROCESS = [
    "gpu_index",
    "gpu_uuid",
    "pid",
    "type",
    "gpu_memory_bytes",
    "sm_pct",
    "user",
    "command",
    "cmdline",
    "cpu_pct",
    "rss_bytes",
    "started_at_s",
    "container",
    "rank",
    "world_size",
    "framework",
    "model",
    "allocator",
    "footprint",
    "unavailable",
]


def _only(**values):
    return Sample(taken_at_ns=1, host=Host(name="node"), **values)


def test_the_keys_of_the_contract_are_there():
    """Every key that other programs rely on is present, by exactly its name."""
    given = sample_object(make_sample())
    assert set(TOP) <= set(given)
    assert all(set(GPU) <= set(gpu) for gpu in given["gpus"])
    assert all(set(PROCESS) <= set(row) for row in given["processes"])
    assert len(given["gpus"]) == 8
    assert len(given["processes"]) == 64


def test_the_schema_is_one_and_the_host_is_a_name():
    """A reader can tell the version, and `host` is a plain string."""
    given = sample_object(make_sample())
    assert (given["schema"], type(given["host"]), given["findings"]) == (1, str, [])


def _nulls_without_reason(given):
    return [
        (kind, key)
        for kind, keys in (("gpus", GPU), ("processes", PROCESS))
        for row in given[kind]
        for key in keys
        if row[key] is None and not row["unavailable"].get(key)
    ] + [key for key in TOP if given[key] is None and not given["unavailable"].get(key)]


def test_a_machine_that_says_nothing_says_why():
    """With nothing known at all, every null has a reason, on the card, the process and the top."""
    bare = _only(gpus=(Gpu(index=0),), processes=(GpuProcess(gpu_index=0, pid=7, facts=ProcessFacts(pid=7)),))
    given = sample_object(bare)
    assert given["gpus"][0]["memory_used_bytes"] is None
    assert given["processes"][0]["user"] is None
    assert _nulls_without_reason(given) == []


@settings(deadline=None, max_examples=25)
@given(samples())
def test_no_sample_has_a_null_without_a_reason(sample):
    """Whatever a driver says, no promised key is null without a reason."""
    assert _nulls_without_reason(sample_object(sample)) == []


@settings(deadline=None, max_examples=25)
@given(samples())
def test_every_sample_is_one_strict_line(sample):
    """Whatever is in it, the line is UTF-8, has no line break within, and strict readers take it."""
    line = sample_line(sample)
    assert line.count(b"\n") == 1
    assert msgspec.json.decode(line)["schema"] == 1


def test_the_readers_own_reason_wins():
    """A reason that came with the sample is not replaced by a general one."""
    gpu = Gpu(index=0, unavailable={"fan_pct": "no fan: cooled by the server"})
    row = sample_object(_only(gpus=(gpu,)))["gpus"][0]
    assert row["unavailable"]["fan_pct"] == "no fan: cooled by the server"
    assert row["unavailable"]["power_mw"] == "the driver gives no such figure for this card"


def test_a_lost_card_says_so_for_each_figure():
    """A tombstone's nulls have its fault as their reason."""
    row = sample_object(_only(gpus=(Gpu(index=3, fault="GPU is lost"),)))["gpus"][0]
    assert (row["index"], row["fault"]) == (3, "GPU is lost")
    assert row["unavailable"]["temperature_c"] == "GPU is lost"
    assert row["unavailable"]["memory_unattributed_bytes"] == "GPU is lost"


def test_zero_is_not_unknown():
    """P0, no throttling and no ECC error are values, and not absences."""
    row = sample_object(_only(gpus=(make_gpu(performance_state=0, throttle_reasons=(), ecc_uncorrected=0),)))[
        "gpus"
    ][0]
    assert (row["performance_state"], row["throttle_reasons"], row["ecc_uncorrected"]) == (0, [], 0)
    assert not {"performance_state", "throttle_reasons", "ecc_uncorrected"} & set(row["unavailable"])


def test_memory_that_is_nobodys_is_used_minus_the_sum():
    """The unattributed bytes of a card are what its processes do not explain."""
    gpu = make_gpu(memory_used_bytes=10 * 2**30)
    rows = (make_process(0, 1, gpu_memory_bytes=2 * 2**30), make_process(0, 2, gpu_memory_bytes=3 * 2**30))
    assert (
        sample_object(_only(gpus=(gpu,), processes=rows))["gpus"][0]["memory_unattributed_bytes"] == 5 * 2**30
    )


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_cannot_say_is_null_with_a_reason(number):
    """NaN and infinity never reach a reader."""
    gpu = replace(make_gpu(), utilization_gpu_pct=number)
    row = json.loads(sample_line(_only(gpus=(gpu,))))["gpus"][0]
    assert row["utilization_gpu_pct"] is None
    assert row["unavailable"]["utilization_gpu_pct"]


def test_a_command_line_of_bytes_is_unicode():
    """Bytes that are no UTF-8 (lone surrogates in Python) do not break a strict reader."""
    facts = ProcessFacts(pid=7, command="a\udcff", cmdline=("a\udcff", "b\n"), user="é")
    row = GpuProcess(gpu_index=0, pid=7, facts=facts)
    line = sample_line(_only(gpus=(Gpu(index=0),), processes=(row,)))
    decoded = msgspec.json.decode(line)["processes"][0]
    assert (decoded["command"], decoded["cmdline"], decoded["user"]) == ("a?", ["a?", "b\n"], "é")


def test_a_process_that_ended_has_no_arguments_and_a_hidden_one_has_none_known():
    """A zombie's empty command line is a value; that of a process out of sight is not known."""
    zombie = GpuProcess(gpu_index=0, pid=7, facts=ProcessFacts(pid=7, command="python"))
    hidden = GpuProcess(
        gpu_index=0, pid=8, facts=ProcessFacts(pid=8, unavailable={"cmdline": "another namespace"})
    )
    rows = sample_object(_only(gpus=(Gpu(index=0),), processes=(zombie, hidden)))["processes"]
    assert [row["cmdline"] for row in rows] == [[], None]
    assert rows[1]["unavailable"]["cmdline"] == "another namespace"


def test_slices_have_their_figures_and_reasons():
    """MIG instances are objects of a card, and say why they do not know a figure."""
    gpu = make_gpu(mig=(MigInstance(gpu_instance_id=1, compute_instance_id=0, profile="3g.40gb"),))
    (part,) = sample_object(_only(gpus=(gpu,)))["gpus"][0]["mig"]
    assert (part["gpu_instance_id"], part["profile"], part["memory_used_bytes"]) == (1, "3g.40gb", None)
    assert part["unavailable"]["memory_used_bytes"]


def test_an_xid_comes_with_its_meaning():
    """Errors of the driver are told in words beside the number."""
    row = sample_object(_only(gpus=(make_gpu(xids=(Xid(code=31, at_ns=5),)),)))["gpus"][0]
    assert row["xids"] == [
        {"code": 31, "at_ns": 5, "meaning": "a kernel touched memory that is not mapped (GPU page fault)"}
    ]


def test_an_old_sample_says_that_it_is_old():
    """When the driver has gone, the line says so and since when."""
    problem = Problem(message="gone", fix=None, since_ns=9)
    assert sample_object(make_sample(1), problem=problem)["problem"] == {
        "message": "gone",
        "fix": None,
        "since_ns": 9,
    }
    assert sample_object(make_sample(1))["problem"] is None


def test_a_simulated_sample_says_so():
    """Numbers without hardware behind them are labelled for programs too."""
    assert sample_object(_only(simulated="simulated: no hardware"))["simulated"] == "simulated: no hardware"


def _unexplained(value: object, name: str = "") -> list[str]:
    """Name every null that no `unavailable` beside it explains."""
    if isinstance(value, list):
        return [found for part in value for found in _unexplained(part, name)]
    if not isinstance(value, dict):
        return []
    said = value.get("unavailable", {})
    mine = [f"{name}.{key}" for key, part in value.items() if part is None and not said.get(key)]
    return mine + [found for key, part in value.items() for found in _unexplained(part, f"{name}.{key}")]


NOTHING_TO_TELL = {".gpus.fault", ".simulated", ".problem", ".problem.fix", ".gpus.xids.meaning"}
"""Null is the answer here: there is no fault, nothing is simulated, no problem is known."""


@given(samples())
@settings(max_examples=60, deadline=None)
def test_every_null_has_a_reason_beside_it(sample):
    """Also those that the contract does not promise: a reader need not know which are which."""
    gone = without_figures(sample, "gone", 5)
    for each in (sample, gone):
        assert set(_unexplained(sample_object(each))) <= NOTHING_TO_TELL


def test_without_a_driver_no_figure_is_left():
    """What was true once is not told again: the cards are named, with the reason for every figure."""
    old = make_sample(2, 3)
    gone = sample_object(without_figures(old, "the driver has gone", 5))
    assert gone["taken_at_ns"] == 5
    assert [row["uuid"] for row in gone["gpus"]] == [gpu.uuid for gpu in old.gpus]
    for row in gone["gpus"]:
        figures = {
            key: value for key, value in row.items() if key.startswith(("memory_", "power_", "temperature_"))
        }
        assert set(figures.values()) == {None}
        assert {row["unavailable"][key] for key in figures} == {"the driver has gone"}
    assert (gone["processes"], gone["unattributed"]) == ([], [])
