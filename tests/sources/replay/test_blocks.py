"""Moments to a block and back: nothing is lost, nothing is changed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dstop.errors import RecordingError
from dstop.model.event import Event, EventKind
from dstop.model.frame import Problem
from dstop.sources.replay.moment import Moment
from dstop.sources.replay.pack import Packer
from dstop.sources.replay.schema import CLASSES, fields_of
from dstop.sources.replay.unpack import unpack
from dstop.testing import make_gpu, make_process, make_sample
from dstop.testing.build_guest import make_guest
from dstop.testing.hostile import guests, samples


def _packed(*moments, step_s=1.0):
    packer = Packer(step_s)
    for moment in moments:
        packer.add(moment)
    return packer.take()


def _back(*moments):
    return unpack(_packed(*moments)).moments


def _moment(sample=None, **fields):
    sample = sample or make_sample(2, 2)
    return Moment(**{"at_ns": sample.taken_at_ns, "sample": sample, **fields})


def test_a_moment_comes_back_as_it_was():
    """Sample, hooks, events and problem are equal after the way through a block, types of numbers included."""
    sample = make_sample((make_gpu(0, utilization_gpu_pct=97), make_gpu(3, utilization_gpu_pct=97.0)), 2)
    moment = _moment(
        sample,
        guests=(make_guest(4000), make_guest(4300)),
        events=(Event(at_ns=5, kind=EventKind.XID, text="Xid 79", gpu_index=3),),
        problem=Problem(message="no driver", fix=None, since_ns=7),
        begins=True,
    )
    (back,) = _back(moment)
    assert back == moment
    assert [type(gpu.utilization_gpu_pct) for gpu in back.sample.gpus] == [int, float]


def test_rows_that_follow_each_other_do_not_become_one():
    """References that rise by one from row to row are not taken for one that is always the same."""
    rows = [_moment(make_sample(1, 1, taken_at_ns=10**18 + at)) for at in range(5)]
    assert list(_back(*rows)) == rows


def test_what_is_shared_is_written_once_and_shared_again():
    """The facts of a process, which no step changes, are one object in every moment that is read."""
    sample = make_sample(1, 1)
    first, second = _back(_moment(sample), _moment(sample))
    assert first.sample is second.sample
    assert first.sample.processes[0].facts is second.sample.processes[0].facts


def test_text_that_is_no_unicode_is_marked():
    """Half a character, as file names have it, does not end the recording."""
    process = make_process(command="caf\udce9", cmdline=("caf\udce9",))
    sample = make_sample(1, 0, processes=(process,))
    assert _back(_moment(sample))[0].sample.processes[0].facts.command == "caf?"


def test_what_is_no_figure_at_all_is_told():
    """A counter that no 64 bits hold, or a value of no type, is one sentence and no traceback."""
    for used in (1 << 70, object()):
        with pytest.raises(RecordingError, match="cannot be recorded"):
            _packed(_moment(make_sample((make_gpu(0, memory_used_bytes=7, memory_free_bytes=used),), 0)))


def test_control_characters_stay():
    """Nothing is cleaned silently: that is for the faces, which have to anyway."""
    sample = make_sample(1, 0, processes=(make_process(command="a\x1b[2Jb"),))
    assert _back(_moment(sample))[0].sample.processes[0].facts.command == "a\x1b[2Jb"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(samples(), st.lists(guests(), max_size=2)), min_size=1, max_size=3))
def test_whatever_a_source_gives_comes_back(steps):
    """Samples of the strangest driver, and answers of the strangest hooks, are equal after the way through a block."""
    moments = [_moment(sample, at_ns=0, guests=tuple(hooks)) for sample, hooks in steps]
    assert list(_back(*moments)) == moments


def test_every_class_stands_after_what_it_holds():
    """The tables can be made one after the other: no class holds one that comes later."""
    for place, class_ in enumerate(CLASSES):
        for field in fields_of(class_):
            assert field.of is None or CLASSES.index(field.of) < place


def test_what_a_newer_dstop_adds_is_passed_over():
    """A table and a column that nobody knows here are left out."""
    import msgspec

    block = msgspec.msgpack.decode(_packed(_moment()))
    block["tables"]["Wormhole"] = {"rows": 1, "columns": {"depth": [[[]]]}}
    block["tables"]["Gpu"]["columns"]["colour"] = [{"green": 1}]
    assert unpack(msgspec.msgpack.encode(block)).moments == (_moment(),)


def test_what_an_older_dstop_did_not_have_takes_its_default():
    """A column that is missing is what it is in a value that nobody has set; one that is needed is refused."""
    import msgspec

    block = msgspec.msgpack.decode(_packed(_moment()))
    del block["tables"]["Gpu"]["columns"]["fan_pct"]
    (moment,) = unpack(msgspec.msgpack.encode(block)).moments
    assert [gpu.fan_pct for gpu in moment.sample.gpus] == [None, None]
    del block["tables"]["Gpu"]["columns"]["index"]
    with pytest.raises(RecordingError, match="Gpu without index"):
        unpack(msgspec.msgpack.encode(block))
