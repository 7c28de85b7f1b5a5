"""Two snapshots side by side: lines and checkouts may move, and what grew is found all the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dstop.model.segment import Place
from dstop.snapshot.compare import compare, name_of
from dstop.snapshot.study import DeviceStudy, studies_of
from dstop.snapshot.values import Action
from dstop.testing.build_snapshot import make_snapshot, short_story
from dstop.units import MIB


def _study(*sites):
    """Give a recording in which each of these stacks allocates so many MiB, in blocks of one."""
    stacks = ((), *(stack for stack, _ in sites))
    steps, address = [], 0
    for number, (_, count) in enumerate(sites, 1):
        for _ in range(count):
            steps.append((Action.ALLOC, address, MIB, number))
            address += MIB
    return DeviceStudy(make_snapshot(steps, stacks=stacks), 0)


def _stack(line, function="forward", folder="/home/ann/run1"):
    return (
        Place(f"{folder}/src/model.py", line, function),
        Place(f"{folder}/src/train.py", 2 * line, "main"),
    )


def test_a_line_that_moved_is_the_same_line():
    """Ten lines were added above, the checkout is another, and the site is still one that grew by 3 MiB."""
    told = compare(_study((_stack(31), 5)), _study((_stack(41, folder="/scratch/bob"), 8)))
    (site,) = told.sites
    assert (site.before_bytes, site.after_bytes) == (5 * MIB, 8 * MIB)
    assert (site.before_blocks, site.after_blocks) == (5, 8)
    assert site.site.own == Place("/scratch/bob/src/model.py", 41, "forward")


def test_two_lines_of_one_function_are_told_apart_by_their_order():
    """Both moved by ten; the upper one kept its size, so only the lower one is named."""
    told = compare(_study((_stack(31), 5), (_stack(35), 1)), _study((_stack(45), 4), (_stack(41), 5)))
    assert [(each.site.own.line, each.before_bytes, each.after_bytes) for each in told.sites] == [
        (45, MIB, 4 * MIB)
    ]


def test_a_line_that_is_new_in_its_function_joins_it():
    """With another number of lines nobody knows which is which: the function grew by what they hold together."""
    told = compare(_study((_stack(31), 5)), _study((_stack(31), 5), (_stack(33), 2)))
    assert [(each.before_bytes, each.after_bytes) for each in told.sites] == [(5 * MIB, 7 * MIB)]


def test_what_is_new_and_what_is_gone_are_both_told():
    """The one that grew comes first, the one that shrank last, each with what is known of it."""
    told = compare(
        _study((_stack(1, "old"), 3), (_stack(1, "same"), 2)),
        _study((_stack(1, "same"), 2), (_stack(1, "new"), 4)),
    )
    assert [(each.site.own.function, each.before_bytes, each.after_bytes) for each in told.sites] == [
        ("new", 0, 4 * MIB),
        ("old", 3 * MIB, 0),
    ]


SITES = st.lists(
    st.tuples(st.tuples(st.integers(1, 4), st.sampled_from("abc")), st.integers(1, 6)),
    max_size=8,
    unique_by=lambda site: site[0],
)


@given(SITES, SITES)
def test_the_changes_add_up_to_the_difference_of_the_peaks(first, second):
    """Whatever was matched with what: the sum over sites, and over categories, is what the peaks differ by."""
    told = compare(
        _study(*((_stack(line, function), count) for (line, function), count in first)),
        _study(*((_stack(line, function), count) for (line, function), count in second)),
    )
    difference = told.after.live_bytes - told.before.live_bytes
    assert sum(each.after_bytes - each.before_bytes for each in told.sites) == difference
    assert sum(each.after_bytes - each.before_bytes for each in told.categories) == difference
    grown = [each.after_bytes - each.before_bytes for each in told.sites]
    assert grown == sorted(grown, reverse=True)
    assert 0 not in grown


def test_a_snapshot_does_not_differ_from_itself(recording):
    """A real recording beside itself: no site changed, and every category has the same twice."""
    for study in studies_of(recording("training")):
        told = compare(study, DeviceStudy(study.snapshot, study.device))
        assert told.sites == ()
        assert all(each.before_bytes == each.after_bytes for each in told.categories)


def test_a_name_has_no_lines_and_two_parts_of_each_path():
    """Windows' backslashes are parts, too."""
    (site,) = _study(((Place("C:\\jobs\\src\\model.py", 7, "forward"),), 1)).moment(1).sites
    assert name_of(site) == (("src/model.py", "forward"),)


def test_a_story_that_fails_is_compared_like_any_other():
    """The failure is an event, and changes no site."""
    assert compare(DeviceStudy(short_story(), 0), DeviceStudy(short_story(fails=True), 0)).sites == ()
