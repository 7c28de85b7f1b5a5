"""A snapshot's page: whole without a script, closed to whatever a snapshot holds, and small however long it was."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.draw.category_bar import TITLES
from dstop.draw.line import clean
from dstop.export import snapshot_tables as tables
from dstop.export.markup import element
from dstop.export.snapshot_data import UNIT
from dstop.export.snapshot_html import MOST_DEVICES, snapshot_html
from dstop.export.snapshot_segments import MOST_GROUPS
from dstop.model.segment import PENDING, Place
from dstop.model.study import CATEGORIES, Fragmentation, FreeRow, Growth, Pin, SiteUse, Verdict
from dstop.snapshot.holders import holders_of
from dstop.snapshot.study import DeviceStudy, studies_of
from dstop.snapshot.values import Action, Block, Settings, StorageName
from dstop.testing.build_snapshot import MIB, make_segment, make_snapshot, short_story
from dstop.units import GIB

from .browser import HOSTILE, Page, assert_closed, one_line, shape

STORY = short_story(fails=True)
TEXTS = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=4), min_size=1, max_size=8).map("".join)


def _told(page):
    """Read what the script would."""
    text = re.search(r'<script type="application/json" id="snapshot-data">(.*?)</script>', page, re.DOTALL)[1]
    assert not set("<>&") & set(text)
    return json.loads(text)


def _site(text="forward", size=8 * MIB):
    place = Place(f"/home/{text}.py", 3, text)
    return SiteUse(
        size_bytes=size,
        blocks=2,
        category="activations",
        confidence="likely",
        places=(place, Place("??", 0, text)),
        own=place,
        name=text,
    )


def _verdict(text="expandable segments", *, fits=True):
    return Verdict(
        what=text,
        setting=text,
        fits=fits,
        capacity_bytes=None if fits is None else 8 * GIB,
        peak_reserved_bytes=6 * GIB,
        peak_live_bytes=5 * GIB,
        short_bytes=0 if fits else GIB,
        headroom_bytes=2 * GIB,
        error_bytes=60 * MIB,
        until=text,
        assumptions=(text,),
    )


def _hostile(text):
    """A page that has the text wherever text from outside can stand."""
    stacks = ((), (Place(f"{text}.py", 31, text),), (Place(text, 7, text),), (Place("??", 0, text),))
    story = short_story(fails=True)
    snapshot = replace(
        make_snapshot(segments=story.segments, stacks=stacks),
        traces=story.traces,
        settings=Settings(conf=text),
        notes=(text,),
        names=(StorageName(0, 0, 4 * MIB, "parameter", text),),
    )
    return snapshot_html(studies_of(snapshot), text, (_verdict(text),))


PLAIN = shape(Page(_hostile("word")))


def test_without_a_script_everything_is_said():
    """Figures, failures, categories, sites with their stacks, the drawings of timeline and segments."""
    page = Page(snapshot_html(studies_of(STORY), "run.pickle", (_verdict(), _verdict(fits=False))))
    for part in (
        "run.pickle",
        "Device 0",
        "44 MiB",
        "Out of memory after 63 events: 512 MiB asked for",
        *(
            TITLES[share.category]
            for share in DeviceStudy(STORY, 0).moment(DeviceStudy(STORY, 0).peak).shares
        ),
        "train.py:31 forward",
        "fits, 2.00 GiB to spare",
        "does not fit, 1.00 GiB short",
        "everybody's pool, default stream, large requests",
        "128 MiB, of it 104 MiB free; a full line is 64 MiB",
    ):
        assert part in page.text
    assert page.open == []
    assert page.tags.count("svg") > 3
    assert [value for tag, name, value in page.attributes if (tag, name) == ("svg", "class")].count(
        "map"
    ) == 1


def test_a_recording_without_events_is_told_by_its_segments():
    """A snapshot of which nothing was recorded has no timeline and says so; the map is there."""
    snapshot = make_snapshot(segments=(make_segment((2 * MIB, True, 0), (18 * MIB, False, 0)),))
    page = Page(snapshot_html(studies_of(snapshot), "x"))
    assert "Nothing was recorded" in page.text
    assert ("svg", "class", "map") in page.attributes


def test_a_snapshot_of_nothing_is_a_page():
    """No device at all, and one device without anything, are answers."""
    assert "neither segments nor events" in Page(snapshot_html((), "x")).text
    page = Page(snapshot_html((DeviceStudy(make_snapshot(), 0),), "x"))
    assert "There are no segments" in page.text


def test_nothing_is_loaded_and_nothing_foreign_runs():
    """No address, no handler, no inline style; style and script are allowed by their hashes alone."""
    text = _hostile("https://example.com/x.js")
    page = Page(text)
    assert not {"link", "img", "iframe", "object", "embed", "form", "a", "base"} & set(page.tags)
    for _, name, value in page.attributes:
        assert name not in {"src", "href", "xlink:href", "style", "action", "srcset", "background"}
        assert not name.startswith("on")
        assert "//" not in (value or "").replace("https://example.com/x.js", "")
    assert_closed(text, page)


@settings(max_examples=60, deadline=None)
@given(TEXTS)
def test_no_text_becomes_an_element_or_an_attribute(text):
    """A hostile snapshot's page has the very elements of a plain one, and its data cannot end their element."""
    text = text if clean(text).strip() else "x"
    shown = _hostile(text)
    page = Page(shown)
    assert page.open == []
    assert shape(page) == PLAIN
    assert one_line(clean(" ".join(text.split()))) in page.text
    told = _told(shown)
    assert not any(ord(char) < 32 for frame, _ in told["frames"] for char in frame)
    assert shown.encode()


def test_pools_streams_and_pending_blocks_are_told_apart():
    """A private pool has its numbers, a stream its handle, and what another stream still uses a colour of its own."""
    segment = make_segment((2 * MIB, True, 1))
    private = replace(segment, address=1 << 33, pool=(1, 2), stream=0xBEEF, small=True)
    pending = replace(segment, address=1 << 34, blocks=(Block(1 << 34, 2 * MIB, 2 * MIB, PENDING),))
    page = snapshot_html(studies_of(make_snapshot(segments=(segment, private, pending))), "x")
    assert "private pool 1:2, stream 0xbeef, small requests" in Page(page).text
    assert 'class="k-pending"' in page
    assert any(
        piece[1] == "pending"
        for group in _told(page)["devices"][0]["groups"]
        for bar in group
        for piece in bar[6]
    )


def test_a_block_is_told_by_the_name_the_process_gave():
    """Where the hook named a storage, the map says the name, and what was asked for before rounding."""
    study = DeviceStudy(
        replace(STORY, names=(StorageName(0, 1 << 30, 24 * MIB, "parameter", "wte.weight"),)), 0
    )
    assert holders_of(study)[1 << 30].name == "wte.weight"
    told = _told(snapshot_html((study,), "x"))
    pieces = [piece for group in told["devices"][0]["groups"] for bar in group for piece in bar[6]]
    assert [piece[5] for piece in pieces if len(piece) > 5] == ["wte.weight"]


def test_colour_is_never_the_only_sign():
    """All but three categories have a pattern of their own, and what is drawn with it is in the legend with it."""
    page = snapshot_html(studies_of(STORY), "x")
    drawn = dict(re.findall(r'<pattern id="c-(\w+)".*?d="([^"]+)"', page))
    assert set(CATEGORIES) - set(drawn) == {"parameters", "logits", "unknown"}
    assert len(set(drawn.values())) == len(drawn)
    study = DeviceStudy(STORY, 0)
    for share in study.moment(study.peak).shares:
        assert page.count(f'fill="url(#c-{share.category})"') >= (3 if share.category in drawn else 0)
    assert 'role="img"' in page
    assert "<desc>At most 44 MiB live" in page


def test_growth_fragmentation_and_an_unknown_verdict_are_tables():
    """What grows, what the free memory is good for and what pins it; a verdict without a capacity says so."""
    grown = Growth(site=_site(), per_step_bytes=3 * MIB, steps=7, held_bytes=(1, 2))
    row = FreeRow((2, 0), 0x10, True, 20 * MIB, 8 * MIB, 12 * MIB, 6 * MIB, 4 * MIB)
    told = Fragmentation(
        reserved_bytes=30 * MIB,
        active_bytes=10 * MIB,
        free_bytes=20 * MIB,
        reclaimable_bytes=4 * MIB,
        split_bytes=16 * MIB,
        largest_hole_bytes=6 * MIB,
        rows=(row,),
        pins=(Pin(segment_bytes=20 * MIB, free_bytes=12 * MIB, block_bytes=MIB, site=_site()),),
    )
    parts = (
        tables.growth_table((grown,)),
        *tables.fragmentation_tables(told),
        tables.verdicts_table((_verdict(fits=None),)),
    )
    text = Page(element("main", *parts)).text
    for part in (
        "+3 MiB",
        "20 MiB of 30 MiB reserved are free",
        "private 2:0",
        "0x10",
        "12 MiB",
        "not known",
    ):
        assert part in text


def test_the_data_is_what_the_study_says():
    """Points, peak, failures and flames are the study's own figures, in units that lose nothing."""
    study = DeviceStudy(STORY, 0)
    told = _told(snapshot_html((study,), "x"))["devices"][0]
    assert [each * UNIT for each in told["live"]] == [int(study.live[at]) for at in told["event"]]
    assert told["event"] == list(range(study.events + 1))
    assert told["peak"] == study.peak
    assert told["failures"] == [[study.failures[0].event, 512 * MIB // UNIT]]
    assert told["capacity"] * UNIT == study.failures[0].reserved_bytes + 7 * MIB
    assert [view[0] for view in told["flames"]] == ["the peak", "the failure", "the end"]
    for _, at, live, sites in told["flames"]:
        assert live * UNIT == study.live[at]
        assert sum(size for _, size in sites) == live


def _long(events, depth):
    """A recording in which every stack is another one, with long names."""
    rng = np.random.default_rng(5)
    stacks = ((), *(tuple(Place(f"/{i}/{j}.py", j, "n" * 300) for j in range(depth)) for i in range(600)))
    steps = [
        (
            Action.ALLOC if at % 3 else Action.FREE_COMPLETED,
            int(rng.integers(0, 4000)) * 8192,
            4096,
            1 + at % 600,
        )
        for at in range(events)
    ]
    blocks = [make_segment(*[(512, at % 2 == 0, 1)] * 1000, address=at << 40) for at in range(80)]
    return make_snapshot(steps, blocks, stacks=stacks)


def test_a_long_recording_is_a_small_page():
    """Sixty thousand events, six hundred deep stacks and eighty thousand blocks are less than four megabytes."""
    page = snapshot_html(studies_of(_long(60_000, 120)), "long")
    assert len(page) < 4_000_000
    told = _told(page)
    assert len(told["devices"][0]["event"]) < 15_000
    assert len(told["devices"][0]["moments"]) < 260


def test_many_devices_and_many_pools_are_bounded_and_said():
    """Beyond the bound devices and pools are counted, not drawn."""
    many = tuple(
        replace(make_segment((MIB, True, 0), address=at << 32), device=at % 40, pool=(at, 1))
        for at in range(2400)
    )
    page = snapshot_html(studies_of(make_snapshot(segments=many)), "x")
    assert page.count('class="device"') == MOST_DEVICES
    text = Page(page).text
    assert f"{40 - MOST_DEVICES} more devices are not shown" in text
    assert f"{60 - MOST_GROUPS} segments of smaller pools are not drawn" in text
    assert len(page) < 4_000_000


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_script_is_valid(tmp_path):
    """Its syntax is checked by an engine, as it stands in the page."""
    script = re.search(r"<script>(.*?)</script>", snapshot_html((), "x"), re.DOTALL)[1]
    file = tmp_path / "page.js"
    file.write_text(script)
    command = [shutil.which("node"), "--check", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
def test_a_browser_draws_the_flames(tmp_path):
    """In a real browser, under the page's own policy, the script runs: flames, cursor and tools are there."""
    file = tmp_path / "page.html"
    file.write_text(_hostile("<b>x</b>"), encoding="utf-8")
    command = [
        "chromium",
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        f"--user-data-dir={tmp_path / 'profile'}",
    ]
    done = subprocess.run(
        [*command, "--virtual-time-budget=3000", "--dump-dom", file.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    flame = re.search(r'<svg class="flame".*?</svg>', done.stdout, re.DOTALL)[0]
    assert flame.count("<rect") > 3
    assert "<b>" not in flame
    assert re.search(r'<svg[^>]*class="timeline[^>]*aria-valuetext="After [1-9]', done.stdout)
    assert 'class="readout"' in done.stdout
    assert 'class="map-say"' in done.stdout
