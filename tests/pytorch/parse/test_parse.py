"""Replies of good and of hostile hooks, made values."""

from __future__ import annotations

from contextlib import suppress
from copy import deepcopy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.errors import AttachError
from dstop.model.guest import ProcessId
from dstop.model.segment import ACTIVE, INACTIVE, PENDING, Block, Place
from dstop.pytorch.parse import (
    flat_stats,
    parse_facts,
    parse_hello,
    parse_segments,
    parse_sites,
    parse_stats,
    parse_summary,
)
from dstop.pytorch.parse.segments import MOST_BLOCKS
from dstop.testing.field_laws import field_laws

ME = ProcessId(42, 1000.5)
UUID = "GPU-6b3ac5f7-0b16-4e9a-9d0a-3d1f3b1c7a11"
HELLO = {
    "ok": True, "version": 1, "how": "ptrace", "pid": 7, "start": "123", "python": "3.12.1", "torch": "2.9.1",
    "cuda_version": "12.8", "cuda_initialized": True, "backend": "native", "allocator_conf": None, "rank": 3,
    "local_rank": 3, "world_size": 8, "history": False, "history_ours": False, "black_box": True,
    "incidents": {"count": 2, "directory": "/x"}, "requests": 1, "errors": 0,
    "devices": [{"index": 0, "uuid": UUID, "pci_bus_id": "0000:18:00.0", "name": "H100", "total_bytes": 1}],
}  # fmt: skip


def _stat(current, peak):
    return {"all": {"current": current, "peak": peak, "allocated": peak, "freed": peak - current}}


NESTED = {
    "requested_bytes": _stat(50, 80), "allocated_bytes": _stat(60, 90), "active_bytes": _stat(70, 95),
    "reserved_bytes": _stat(100, 120), "inactive_split_bytes": _stat(20, 20), "num_alloc_retries": 1, "num_ooms": 2,
}  # fmt: skip


def _stats(nested=NESTED, **entry):
    """Give the answer to `stats` of one device."""
    return {
        "ok": True, "taken_ns": 5, "took_ns": 9, "torch": "2.9.1", "cuda_initialized": True, "history": False,
        "incidents": 2, "devices": [{"index": 0, "uuid": UUID, "stats": nested, **entry}],
    }  # fmt: skip


def _changed(name, kind, value):
    nested = deepcopy(NESTED)
    nested[name]["all"][kind] = value
    return nested


def _device(reply, hello=HELLO):
    return parse_stats(reply, parse_hello(hello, ME)).devices[0]


def test_hello_says_who_and_what():
    """Versions, ranks and devices are there; the PID is the one that was asked, not the one that was told."""
    guest = parse_hello(HELLO, ME)
    assert guest.id == ME
    assert (guest.hook_version, guest.how, guest.torch_version, guest.backend) == (
        1,
        "ptrace",
        "2.9.1",
        "native",
    )
    assert (guest.rank, guest.world_size, guest.incidents, guest.black_box) == (3, 8, 2, True)
    assert guest.devices[0].gpu_uuid == UUID
    assert guest.devices[0].reserved_bytes is None
    assert guest.devices[0].unavailable["reserved_bytes"]


def test_stats_are_the_figures_of_memory_stats():
    """Each figure is the one of its name, and all others are kept flat."""
    device = _device(_stats())
    assert (device.requested_bytes, device.allocated_bytes, device.active_bytes) == (50, 60, 70)
    assert (device.reserved_bytes, device.inactive_split_bytes) == (100, 20)
    assert (device.peak_allocated_bytes, device.peak_reserved_bytes) == (90, 120)
    assert (device.num_alloc_retries, device.num_ooms, device.cached_bytes) == (1, 2, 30)
    assert device.stats["allocated_bytes.all.freed"] == 30
    assert device.unavailable == {}


def test_flat_names_are_those_of_torch():
    """Nested objects become names with dots between; what is no count is left out."""
    nested = {
        "a": {"all": {"peak": 3, "x": 2**63}, "b": True, "limit": -1},
        "num_ooms": 0,
        "c": "7",
        "d": None,
        "e\n": 1,
    }
    assert flat_stats(nested) == {"a.all.peak": 3, "a.limit": -1, "num_ooms": 0}
    assert flat_stats([1]) == flat_stats(7) == flat_stats(None) == {}
    assert len(flat_stats({f"k{number}": number for number in range(5000)})) == 2048


def test_private_pools_do_not_crowd_out_the_figures():
    """A process with hundreds of CUDA graphs tells a dozen counters of each, before others that matter more."""
    pools = {f"{number}_0": _stat(1, 2) for number in range(1, 2000)}
    flat = flat_stats({"reserved_bytes_by_private_pools": pools, **NESTED})
    assert flat.items() >= flat_stats(NESTED).items()


@pytest.mark.parametrize(
    ("nested", "dropped"),
    [
        (_changed("active_bytes", "current", 101), "active_bytes"),
        (_changed("allocated_bytes", "current", 71), "allocated_bytes"),
        (_changed("requested_bytes", "current", 71), "requested_bytes"),
        (_changed("inactive_split_bytes", "current", 101), "inactive_split_bytes"),
        (_changed("allocated_bytes", "peak", 59), "peak_allocated_bytes"),
        (_changed("reserved_bytes", "peak", 99), "peak_reserved_bytes"),
    ],
)
def test_a_figure_that_cannot_be_is_dropped_with_the_contradiction(nested, dropped):
    """What PyTorch's own accounting rules out is not shown, and the two numbers are told."""
    device = _device(_stats(nested))
    assert getattr(device, dropped) is None
    assert "contradicts itself" in device.unavailable[dropped]
    assert set(device.unavailable) == {dropped}


def test_requests_may_exceed_the_allocated():
    """Blocks that another stream still uses are freed but stay in the requested bytes: that is no mistake."""
    assert _device(_stats(_changed("requested_bytes", "current", 65))).requested_bytes == 65


def test_another_allocator_counts_less():
    """What cudaMallocAsync leaves at zero is not a zero, and does not make the rest look wrong."""
    nested = {
        **NESTED,
        **{name: _stat(0, 0) for name in ("requested_bytes", "active_bytes", "inactive_split_bytes")},
    }
    device = _device(_stats({**nested, "num_ooms": 0}), {**HELLO, "backend": "cudaMallocAsync"})
    assert (device.allocated_bytes, device.reserved_bytes) == (60, 100)
    assert (device.requested_bytes, device.active_bytes, device.num_ooms) == (None, None, None)
    assert device.unavailable["active_bytes"] == "the cudaMallocAsync allocator does not count it"


def test_an_old_torch_and_a_device_without_stats_say_why():
    """A figure that is missing has a reason: the hook's own where it gave one."""
    old = {name: value for name, value in NESTED.items() if name != "requested_bytes"}
    assert _device(_stats(old)).unavailable == {"requested_bytes": "this PyTorch does not count it"}
    bare = _device(_stats(None, unavailable={"stats": "no context on this device"}))
    assert bare.reserved_bytes is None
    assert bare.unavailable["reserved_bytes"] == "no context on this device"
    every = _device({**_stats(None), "unavailable": {"stats": "the allocator pluggable keeps no counters"}})
    assert every.unavailable["num_ooms"] == "the allocator pluggable keeps no counters"


def test_a_uuid_is_written_as_the_driver_does():
    """PyTorch gives a bare UUID; where stats give none, hello's is kept; MIG's stays as it is."""
    assert _device(_stats(uuid=UUID[4:].upper())).gpu_uuid == UUID
    assert _device(_stats(uuid=None)).gpu_uuid == UUID
    assert _device(_stats(uuid="MIG-1234")).gpu_uuid == "MIG-1234"
    assert "gpu_uuid" in _device(_stats(uuid=None), {**HELLO, "devices": []}).unavailable


def test_what_is_not_there_yet_says_so():
    """Without torch, and with torch but without CUDA, the missing devices have their reason; it goes with them."""
    early = parse_hello({"version": 1, "torch": None}, ME)
    assert early.unavailable["torch_version"] == "torch is not imported"
    imported = parse_stats({"torch": "2.9.1", "cuda_initialized": False, "devices": []}, early)
    assert imported.torch_version == "2.9.1"
    assert imported.unavailable == {"devices": "CUDA is not initialised in the process"}
    assert parse_stats(_stats(), imported).unavailable == {}
    assert "no list" in parse_stats({"torch": "2", "cuda_initialized": True}, early).unavailable["devices"]


def test_truth_values_and_texts_are_no_numbers():
    """`true` is not 1, and neither is `"1"`; numbers end where 64 bits do."""
    guest = parse_hello({**HELLO, "rank": True, "world_size": "8", "local_rank": 2.0}, ME)
    assert (guest.rank, guest.world_size, guest.local_rank) == (None, None, None)
    assert _device(_stats({**NESTED, "num_ooms": 2**63})).num_ooms is None
    assert _device(_stats({**NESTED, "num_ooms": -1})).num_ooms is None
    assert _device(_stats({**NESTED, "num_ooms": 2**63 - 1})).num_ooms == 2**63 - 1


def test_texts_cannot_paint_the_screen():
    """Escapes, bidi marks and half characters become spaces, and no text is long."""
    guest = parse_hello({**HELLO, "torch": "\x1b[2J2.9\u202e", "backend": "\ud800x", "how": "y" * 1000}, ME)
    assert guest.torch_version == "[2J2.9"
    assert guest.backend == "x"
    assert len(guest.how) == 20


def test_segments_are_in_the_order_of_their_addresses():
    """Each list of the wire becomes a segment with its blocks."""
    blocks = [[60, 50, "a"], [10, None, "p"], [30, None, "i"]]
    reply = {
        "taken_ns": 3,
        "left_out": 4,
        "segments": [
            [0, 900, 100, 60, 70, 16, True, [0, 1], True, blocks],
            [0, 100, 20, 0, 0, 0, False, [0, 0], False, [[20, None, "i"]]],
        ],
    }
    told = parse_segments(reply)
    assert (told.taken_at_ns, told.left_out) == (3, 4)
    first, second = told.segments
    assert (first.address, first.total_bytes, first.small, first.expandable) == (100, 20, False, False)
    assert (second.stream, second.pool, second.small, second.expandable) == (16, (0, 1), True, True)
    assert second.blocks == (Block(60, 50, ACTIVE), Block(10, None, PENDING), Block(30, None, INACTIVE))


@pytest.mark.parametrize(
    "entry",
    [
        [0, 1, 2],
        [0, 100, 20, 21, 21, 0, False, [0, 0], False, []],
        [0, 100, 20, 9, 8, 0, False, [0, 0], False, []],
        [0, -1, 20, 0, 0, 0, False, [0, 0], False, []],
        [True, 100, 20, 0, 0, 0, False, [0, 0], False, []],
        [0, 100, 20, 0, 0, 0, False, [0, 0], False, [[20, None, "?"]]],
        [0, 100, 20, 0, 0, 0, False, [0, 0], False, [[20, None, []]]],
        [0, 100, 20, 0, 0, 0, False, [0, 0], False, [[1, None, "i"]] * (MOST_BLOCKS + 1)],
        "segment",
    ],
)
def test_a_segment_that_cannot_be_is_counted_as_left_out(entry):
    """One bad segment costs itself, and is not passed over in silence."""
    good = [0, 1, 2, 0, 0, 0, False, [0, 0], False, [[2, None, "i"]]]
    told = parse_segments({"segments": [entry, good]})
    assert (len(told.segments), told.left_out) == (1, 1)


def test_sites_come_biggest_first():
    """A site is its bytes, its blocks and its stack; a bad one is left out."""
    stack = [["a.py", 3, "f"], ["b.py", "x", None], "no place"]
    sites = parse_sites({"sites": [[0, 5, 1, []], [0, 9, 2, stack], [0, -1, 1, []], 7]})
    assert [site.size_bytes for site in sites] == [9, 5]
    assert sites[0].places == (Place("a.py", 3, "f"), Place("b.py", 0, "?"))


def test_a_summary_keeps_its_lines_and_nothing_else_that_moves_the_cursor():
    """The table of torch survives; an escape in it does not."""
    assert parse_summary({"text": "|==|\n| a\x1b[2J |"}) == "|==|\n| a [2J |"


def test_facts_are_plain_values_in_bounds():
    """Names and texts are cleaned, depth and number are bounded, numbers are finite."""
    deep: object = 1
    for _ in range(50):
        deep = {"x": deep}
    models = [{"class": "A\x1b[0m", "parameters": 7, "deep": deep, "inf": float("inf"), "big": 2**70}, "no"]
    told = parse_facts(
        {"models": models, "optimizers": [], "config": {"n": [1, None, True]}, "unavailable": {"a": "b"}}
    )
    assert len(told.models) == 1
    model = told.models[0]
    assert (model["class"], model["parameters"], model["inf"], model["big"]) == ("A [0m", 7, None, None)
    assert str(model["deep"]).count("x") < 20
    assert told.config == {"n": [1, None, True]}
    assert told.unavailable == {"a": "b"}
    many = parse_facts({"models": [{"a": list(range(100_000))}], "optimizers": []})
    assert len(str(many)) < 100_000


@pytest.mark.parametrize("parse", [parse_segments, parse_sites, parse_summary, parse_facts])
def test_a_reply_of_another_shape_is_refused_with_what_to_do(parse):
    """When the thing asked for is not in it, the user hears that, and what to try."""
    with pytest.raises(AttachError) as caught:
        parse({"ok": True})
    assert "sent no readable" in caught.value.message
    assert caught.value.fix


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=20,
)
KNOWN = st.sampled_from(
    ["version", "how", "torch", "devices", "stats", "segments", "sites", "text", "models", "optimizers", "config",
     "incidents", "unavailable", "backend", "taken_ns", "left_out", "index", "uuid", "rank", "history"]
)  # fmt: skip
ENTRY = st.dictionaries(KNOWN, JSON, max_size=6)
REPLY = st.dictionaries(KNOWN, JSON | st.lists(ENTRY | st.lists(JSON, max_size=11), max_size=4), max_size=8)
NUMBER = st.integers(-(2**64), 2**64) | st.integers(0, 200)


@settings(deadline=None)
@given(REPLY)
def test_no_reply_is_a_bug(reply):
    """Whatever JSON comes, it becomes values that keep the laws of a field, or an AttachError."""
    guest = parse_stats(reply, parse_hello(reply, ME))
    for device in (guest, *guest.devices):
        assert not list(field_laws(device))
    for parse in (parse_segments, parse_sites, parse_summary, parse_facts):
        with suppress(AttachError):
            parse(reply)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(NESTED)), st.builds(_stat, NUMBER, NUMBER) | NUMBER))
def test_figures_that_are_told_can_be_true_together(nested):
    """Of any numbers, those that are left are in order, and every other has its reason."""
    device = _device(_stats(nested))
    chain = [device.allocated_bytes, device.active_bytes, device.reserved_bytes]
    known = [value for value in chain if value is not None]
    assert known == sorted(known)
    for name in ("requested_bytes", *("allocated_bytes", "reserved_bytes", "active_bytes", "num_ooms")):
        assert (getattr(device, name) is None) == (name in device.unavailable)
    assert device.cached_bytes is None or device.cached_bytes >= 0
