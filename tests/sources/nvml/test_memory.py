"""How full a card is, in every dialect of the driver."""

from __future__ import annotations

import pytest

from dstop.sources.nvml.figures import Figures, checked, percent
from dstop.sources.nvml.memory import Memory, put_memory, read_memory
from dstop.sources.nvml.reasons import NOT_SUPPORTED, Unavailable, absent

V1, V2 = "nvmlDeviceGetMemoryInfo", "nvmlDeviceGetMemoryInfo_v2"


def saying(total=100, used=30, free=60, reserved=10):
    """Give a driver function that fills the struct it is handed."""

    def fill(_handle, reference):
        info = reference._obj
        info.total, info.used, info.free = total, used, free
        if hasattr(info, "version"):
            assert info.version == 0x02000028
            info.reserved = reserved
        return 0

    return fill


def test_used_memory_is_without_what_the_driver_keeps(twin_driver):
    """Memory info v2 tells the reserve apart, and so do we."""
    assert read_memory(twin_driver(**{V2: saying()}), "h") == Memory(100, 30, 60, 10)


def test_an_old_driver_gives_used_with_its_reserve_and_the_reason(twin_driver):
    """Where v2 is missing v1 is taken, and the reserve is absent with a reason, not 0."""
    driver = twin_driver(**{V2: 13, V1: saying(used=40)})
    figures = Figures()
    put_memory(figures, read_memory(driver, "h"))
    assert figures.values["memory_used_bytes"] == 40
    assert figures.values["memory_reserved_bytes"] is None
    assert "510" in figures.reasons()["memory_reserved_bytes"]


@pytest.mark.parametrize("answer", [NOT_SUPPORTED, saying(0, 0, 0, 0)])
def test_a_board_without_memory_of_its_own_is_unified(twin_driver, answer):
    """Both ways of saying "I have none" mean that the memory is the host's."""
    figures = Figures()
    put_memory(figures, read_memory(twin_driver(**{V2: answer}), "h"))
    assert figures.values["unified_memory"] is True
    assert "unified" in figures.reasons()["memory_reserved_bytes"]


def test_no_permission_is_not_unified_memory(twin_driver):
    """A refusal for want of rights says nothing of the board."""
    figures = Figures()
    put_memory(figures, read_memory(twin_driver(**{V2: 4}), "h"))
    assert figures.values["unified_memory"] is False
    assert "root only" in figures.reasons()["memory_total_bytes"]


def test_more_used_than_there_is_is_not_believed(twin_driver):
    """A used figure above the total is dropped with what the driver said."""
    answer = read_memory(twin_driver(**{V2: saying(used=2**63)}), "h")
    assert isinstance(answer, Unavailable)
    assert str(2**63) in answer.reason


def test_a_percentage_above_a_hundred_is_dropped_with_its_number():
    """The driver's 4294967295 % is shown as absent, with that number as the reason."""
    assert percent(4294967295) == Unavailable("the driver said 4294967295 %")
    assert percent(97) == 97.0
    assert checked(-1, 0, 10) == Unavailable("the driver said -1")


def test_a_field_has_a_value_or_a_reason():
    """A figure that comes back loses its reason, and one that goes gets one."""
    figures = Figures()
    figures.put("power_mw", absent(3))
    before = figures.reasons()
    assert before == {"power_mw": "not supported on this board"}
    figures.put("power_mw", 5)
    assert figures.values["power_mw"] == 5
    assert figures.reasons() == {}
    assert before == {"power_mw": "not supported on this board"}
