"""Attached processes for other programs: the allocator of a row, and the document of one process."""

from __future__ import annotations

import json
from dataclasses import replace

from hypothesis import given, settings

from dstop.export.attach_json import attach_document
from dstop.export.csv import PROCESS_COLUMNS, process_lines
from dstop.export.json import sample_object
from dstop.model.allocator import Allocator
from dstop.model.guest import Guest
from dstop.testing import guests, make_allocator, make_guest, make_process, make_sample
from dstop.units import GIB

ROW = make_process(allocator=make_allocator())
DEVICE_KEYS = {
    "index", "uuid", "stats", "allocated_bytes", "reserved_bytes", "active_bytes", "inactive_split_bytes",
    "requested_bytes", "num_alloc_retries", "num_ooms", "non_torch_bytes", "peak_allocated_bytes", "summary",
}  # fmt: skip


def _row(row):
    return sample_object(replace(make_sample(1, 0), processes=(row,)))["processes"][0]


def _unexplained(value, name=""):
    """Name every null that no `unavailable` beside it explains."""
    if isinstance(value, list):
        return [found for part in value for found in _unexplained(part, name)]
    if not isinstance(value, dict):
        return []
    said = value.get("unavailable", {})
    mine = [f"{name}.{key}" for key, part in value.items() if part is None and not said.get(key)]
    return mine + [found for key, part in value.items() for found in _unexplained(part, f"{name}.{key}")]


def test_a_row_has_the_figures_of_its_allocator():
    """What tensors have, what is cached, and what is not PyTorch's add up to the row."""
    given_row = _row(ROW)["allocator"]
    device = ROW.allocator
    assert given_row == {
        "allocated_bytes": device.allocated_bytes,
        "active_bytes": device.active_bytes,
        "reserved_bytes": device.reserved_bytes,
        "requested_bytes": device.requested_bytes,
        "cached_bytes": device.reserved_bytes - device.active_bytes,
        "inactive_split_bytes": device.inactive_split_bytes,
        "peak_allocated_bytes": device.peak_allocated_bytes,
        "peak_reserved_bytes": device.peak_reserved_bytes,
        "num_alloc_retries": 0,
        "num_ooms": 0,
        "not_torch_bytes": 10 * GIB - device.reserved_bytes,
        "unavailable": {},
    }


def test_a_row_without_a_hook_says_that_nobody_is_attached():
    """Null and its reason, the one that the Monitor found where it found one."""
    assert _row(make_process())["allocator"] is None
    assert _row(make_process())["unavailable"]["allocator"] == "dstop is not attached to the process"
    told = make_process(unavailable={"allocator": "torch is not imported"})
    assert _row(told)["unavailable"]["allocator"] == "torch is not imported"


def test_a_figure_that_is_absent_has_its_reason_and_those_made_of_it_too():
    """Cached is reserved without active; not PyTorch's needs the driver's figure."""
    device = make_allocator(
        active_bytes=None, unavailable={"active_bytes": "cudaMallocAsync does not count it"}
    )
    given_row = _row(make_process(gpu_memory_bytes=None, allocator=device))["allocator"]
    assert given_row["cached_bytes"] is None
    assert given_row["unavailable"]["cached_bytes"] == "cudaMallocAsync does not count it"
    assert "from the driver" in given_row["unavailable"]["not_torch_bytes"]


def test_two_figures_are_columns_of_the_csv():
    """They come after those that there were before; empty where nothing is known."""
    at = PROCESS_COLUMNS.index("allocated_bytes")
    assert PROCESS_COLUMNS[at : at + 2] == ("allocated_bytes", "reserved_bytes")
    with_hook, without = process_lines(
        replace(make_sample(1, 0), processes=(ROW, make_process(0, 7)))
    ).splitlines()
    after = "," * (len(PROCESS_COLUMNS) - at - 2)
    assert with_hook.endswith(f",{ROW.allocator.allocated_bytes},{ROW.allocator.reserved_bytes}{after}")
    assert without.endswith(f",,{after}")


def test_the_document_of_a_process_has_the_keys_of_the_contract():
    """Process, hook and devices by exactly their names; stats under the names of torch, in order."""
    told = attach_document(make_guest(4000), [ROW], {0: "|===|"})
    assert {"schema", "pid", "hook", "torch_version", "devices"} <= set(told)
    assert (told["schema"], told["pid"]) == (1, 4000)
    assert {"version": 1, "how": "run"}.items() <= told["hook"].items()
    (device,) = told["devices"]
    assert set(device) >= DEVICE_KEYS
    assert device["stats"]["allocated_bytes.all.current"] == device["allocated_bytes"]
    assert list(device["stats"]) == sorted(device["stats"])
    assert (device["summary"], device["non_torch_bytes"]) == ("|===|", 10 * GIB - device["reserved_bytes"])
    assert _unexplained(told) == []


def test_a_process_that_no_driver_lists_says_so():
    """Without a row there is no figure of the driver to subtract from, and none is made up."""
    (device,) = attach_document(make_guest(), [], {})["devices"]
    assert (device["non_torch_bytes"], device["summary"]) == (None, None)
    assert "lists the process" in device["unavailable"]["non_torch_bytes"]
    assert device["unavailable"]["summary"] == "not asked for"


def test_rows_of_others_are_not_taken_for_its_own():
    """The PID of a row that is another process' gives no figure."""
    other = make_process(started_at_s=5.0, allocator=make_allocator())
    assert attach_document(make_guest(), [other], {})["devices"][0]["non_torch_bytes"] is None


def test_a_process_without_torch_says_why_there_are_no_devices():
    """An empty list has the hook's reason."""
    told = attach_document(
        make_guest(devices=0, torch_version=None, unavailable={"devices": "torch is not imported"}), [], {}
    )
    assert told["devices"] == []
    assert told["unavailable"]["devices"] == "torch is not imported"


def test_a_hook_that_says_nothing_leaves_no_null_unexplained():
    """With nothing known at all, every null has its reason."""
    bare = Guest(pid=1, devices=(Allocator(index=0),))
    assert _unexplained(attach_document(bare, [], {})) == []


@given(guests())
@settings(max_examples=60, deadline=None)
def test_any_guest_is_a_document_that_can_be_read(guest):
    """Whatever a process says of itself, strict readers can parse it and every null is explained."""
    told = attach_document(guest, [], {0: "\ud800"})
    assert _unexplained(told) == []
    assert json.loads(json.dumps(told, allow_nan=False).encode()) == told
