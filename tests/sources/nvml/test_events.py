"""Xids from the driver's event set."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

from dstop.sources.nvml.events import KEPT, XidWatch
from dstop.sources.nvml.reasons import absent

HANDLE = ctypes.c_void_p(100)


def pointer(number):
    """Give a handle."""
    return ctypes.c_void_p(number)


def event(number, code, kind=8):
    """Give what the driver says of an Xid."""
    return SimpleNamespace(device=pointer(number), eventType=kind, eventData=code)


def waiting(events):
    """Give an answer to the wait: the events one by one, then "nothing yet"."""
    return lambda _set, _ms: events.pop(0) if events else absent(10)


def test_xids_go_to_their_gpu_and_the_last_sixteen_stay(twin_driver):
    """An error is told of the card whose handle it carries, with its code and the time; old ones go."""
    events = [event(200, 79), event(300, 1), *(event(100, code) for code in range(20))]
    driver = twin_driver(
        nvmlEventSetCreate="set", nvmlDeviceRegisterEvents=None, nvmlEventSetWait_v2=waiting(events)
    )
    watch = XidWatch(driver, lambda: [(0, pointer(100)), (1, pointer(200))], wall_ns=lambda: 5)
    watch.prompt()
    assert [(xid.code, xid.at_ns) for xid in watch.of(1)] == [(79, 5)]
    assert [xid.code for xid in watch.of(0)] == list(range(20))[-KEPT:]


def test_a_board_without_events_is_a_reason_and_not_asked_again(twin_driver):
    """Refused registration is kept as words, until the GPU comes back with another handle."""
    driver = twin_driver(nvmlEventSetCreate="set", nvmlDeviceRegisterEvents=absent(3))
    handles = [(0, "h")]
    watch = XidWatch(driver, lambda: handles)
    watch.prompt()
    watch.prompt()
    assert watch.refusals == {0: "not supported on this board"}
    assert [call[0] for call in driver.calls].count("nvmlDeviceRegisterEvents") == 1
    driver.answers.update(nvmlDeviceRegisterEvents=None, nvmlEventSetWait_v2=absent(10))
    handles[0] = (0, HANDLE)
    watch.prompt()
    assert watch.refusals == {}


def test_a_storm_of_events_ends(twin_driver):
    """A driver that always has one more event does not keep the pass for ever."""
    driver = twin_driver(
        nvmlEventSetCreate="set", nvmlDeviceRegisterEvents=None, nvmlEventSetWait_v2=lambda *_: event(100, 31)
    )
    watch = XidWatch(driver, lambda: [(0, HANDLE)])
    watch.prompt()
    assert len(watch.of(0)) == KEPT


def test_an_event_set_that_died_is_made_anew(twin_driver):
    """After the driver went away the set is of no use; the next pass makes and registers another."""
    driver = twin_driver(
        nvmlEventSetCreate="set", nvmlDeviceRegisterEvents=None, nvmlEventSetWait_v2=absent(1)
    )
    handle = pointer(100)
    watch = XidWatch(driver, lambda: [(0, handle)])
    watch.prompt()
    watch.prompt()
    assert [call[0] for call in driver.calls].count("nvmlEventSetCreate") == 2
