"""What models should hold, for programs: null or a whole object, and a reason for every null in it."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

from dstop.draw.attach_text import attach_text_lines
from dstop.draw.line import plain
from dstop.export.attach_json import attach_document
from dstop.export.csv import PROCESS_COLUMNS, process_lines
from dstop.export.footprint_json import footprint_object
from dstop.export.process_json import process_object
from dstop.model.footprint import Cause, PartComparison
from dstop.testing import make_allocator, make_expectation, make_guest, make_process, make_sample
from dstop.units import GIB

SHOULD = make_expectation(
    34 * GIB, 36 * GIB, 38 * GIB, live=52 * GIB, unexplained_bytes=0,
    causes=(Cause(name="second_copy", says="a copy\x1b[0m", bytes=16 * GIB, confidence="likely"),),
    parts=(
        PartComparison(part="weights", expected_bytes=36 * GIB, live_bytes=None, reason="dstop is not attached"),
        PartComparison(part="total", expected_bytes=36 * GIB, live_bytes=52 * GIB),
    ),
)  # fmt: skip


def _reasons_are_whole(value):
    """Every null of an object is in its `unavailable`, and nothing else is."""
    nulls = {name for name, each in value.items() if each is None}
    assert set(value["unavailable"]) == nulls
    assert all(value["unavailable"].values())


def test_an_expectation_is_one_object():
    """The band, the verdict, the parts side by side, the causes, and where each field is from."""
    told = footprint_object(SHOULD)
    assert (told["expected_bytes"], told["low_bytes"], told["high_bytes"]) == (36 * GIB, 34 * GIB, 38 * GIB)
    assert (told["verdict"], told["remainder_bytes"], told["is_floor"]) == ("above", 16 * GIB, False)
    assert told["causes"] == [
        {"name": "second_copy", "says": "a copy\x1b[0m", "bytes": 16 * GIB, "confidence": "likely"}
    ]
    assert told["sources"] == {"model": "catalog", "phase": "command line"}
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    _reasons_are_whole(told)
    for part in told["parts"]:
        _reasons_are_whole(part)


def test_a_tier_and_a_floor_say_why_they_have_no_figure():
    """Null and its reason, whichever way an expectation is incomplete."""
    tier = footprint_object(make_expectation(24 * GIB, None, 48 * GIB, live=52 * GIB))
    _reasons_are_whole(tier)
    assert tier["unavailable"]["expected_bytes"] == "only the sizing guide's range is known"
    floor = footprint_object(
        make_expectation(20, 21, None, live=52, unknown={"activations": "batch is not known"})
    )
    _reasons_are_whole(floor)
    assert floor["unavailable"]["high_bytes"] == "activations: batch is not known"


def test_a_process_has_it_or_the_reason():
    """`footprint` of the contract is no longer always null."""
    known = process_object(make_process(expectation=SHOULD))
    assert known["footprint"]["model"] == "Llama-3.1-8B"
    assert "footprint" not in known["unavailable"]
    unknown = process_object(make_process(unavailable={"footprint": "what model this is, is not known: x"}))
    assert (unknown["footprint"], unknown["unavailable"]["footprint"]) == (
        None,
        "what model this is, is not known: x",
    )
    assert (
        process_object(make_process())["unavailable"]["footprint"]
        == "what the model should need is not known"
    )


def test_the_csv_has_the_band_and_the_remainder():
    """Six columns after those that there were; empty where nothing is expected."""
    rows = (make_process(0, 7, expectation=SHOULD), make_process(0, 8))
    at = PROCESS_COLUMNS.index("footprint_model")
    known, unknown = csv.reader(process_lines(replace(make_sample(1, 0), processes=rows)).splitlines())
    figures = [str(amount * GIB) for amount in (36, 34, 38, 16)]
    assert known[at : at + 6] == ["Llama-3.1-8B", "", *figures]
    assert unknown[at : at + 6] == [""] * 6


def test_an_attached_process_has_it_by_device():
    """Where dstop looks into one process, each of its devices says what it should hold."""
    row = make_process(allocator=make_allocator(), expectation=SHOULD, gpu_memory_bytes=52 * GIB)
    (device,) = attach_document(make_guest(row.pid), [row], {})["devices"]
    assert device["footprint"]["verdict"] == "above"
    bare = make_process(
        allocator=make_allocator(), unavailable={"footprint": "no module in it is one that is known"}
    )
    (device,) = attach_document(make_guest(bare.pid), [bare], {})["devices"]
    assert (device["footprint"], device["unavailable"]["footprint"]) == (
        None,
        "no module in it is one that is known",
    )
    text = "\n".join(plain(line) for line in attach_text_lines(make_guest(row.pid), [row], 100))
    assert "holds 52.0G of 34.0G–38.0G, likeliest 36.0G: more than expected" in text
    text = "\n".join(plain(line) for line in attach_text_lines(make_guest(bare.pid), [bare], 100))
    assert "no module in it is one that is known" in text
