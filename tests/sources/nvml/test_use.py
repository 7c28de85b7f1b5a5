"""What a process does with the GPU: samples, idleness, and the two functions that give them."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

from dstop.sources.nvml.reasons import absent
from dstop.sources.nvml.use import IDLE, NEW, OLD, SAMPLE, Use, UseReader, newest_of

S = 1_000_000


def sample(pid, stamp, sm=10, mem=5):
    """Give a sample of a process."""
    return (pid, stamp, sm, mem, 0, 0)


def ring(*samples):
    """Give the old function with these samples in its ring; it says how many when the buffer is too small."""

    def fill(_handle, buffer, reference, _since):
        room, reference._obj.value = reference._obj.value, len(samples)
        if room < len(samples):
            return 7
        data = b"".join(SAMPLE.pack(*one) for one in samples)
        ctypes.memmove(buffer, data, len(data))
        return 0

    return fill


def test_the_newest_sample_of_a_pid_wins():
    """Of several samples of one process the last counts, in whatever order they come."""
    used, newest = newest_of([sample(1, 30, sm=3), sample(1, 50, sm=5), sample(1, 40, sm=4)], 0)
    assert used[1].sm_pct == 5.0
    assert newest == 50


def test_what_was_read_before_is_not_read_again(twin_driver):
    """The next question is for what is newer than the newest stamp seen."""
    driver = twin_driver(**{OLD: ring(sample(1, 99 * S))})
    reader = UseReader(driver)
    reader.read("h", 100 * S)
    reader.read("h", 102 * S)
    assert [call[4].value for call in driver.calls] == [98 * S, 99 * S]


def test_a_stamp_of_the_future_does_not_silence_the_gpu(twin_driver):
    """A sample stamped ahead of the clock is not waited for until the clock has caught up."""
    driver = twin_driver(**{OLD: ring(sample(1, 900 * S))})
    reader = UseReader(driver)
    reader.read("h", 100 * S)
    reader.read("h", 102 * S)
    assert driver.calls[1][4].value == 100 * S


def test_silence_is_idleness_only_where_samples_came_before(twin_driver):
    """Not found means idle once the function has proved itself on this GPU; before that it means nothing."""
    driver = twin_driver(**{OLD: 6, NEW: absent(13)})
    reader = UseReader(driver)
    assert reader.read("h", 100 * S) == ({}, "the driver has not sampled it yet")
    driver.answers[OLD] = ring(sample(1, 101 * S))
    assert set(reader.read("h", 102 * S)[0]) == {1}
    driver.answers[OLD] = 6
    assert reader.read("h", 104 * S) == ({}, IDLE)


def test_silence_over_half_a_second_is_not_idleness(twin_driver):
    """A window shorter than the driver's sampling proves nothing."""
    driver = twin_driver(**{OLD: ring(sample(1, 100 * S))})
    reader = UseReader(driver)
    reader.read("h", 100 * S)
    driver.answers[OLD] = 6
    assert isinstance(reader.read("h", 100 * S + S // 2)[1], str)


def test_a_refusal_is_a_reason_and_no_zero(twin_driver):
    """Where the driver refuses, every process gets its words."""
    driver = twin_driver(**{OLD: 3, NEW: absent(3)})
    assert UseReader(driver).read("h", 100 * S) == ({}, "not supported on this board")


def test_one_impossible_figure_leaves_the_others():
    """A share above 100 % is None with the driver's number; the rest of the sample stands."""
    used, _ = newest_of([sample(1, 10, sm=37100, mem=20)], 0)
    assert used[1] == Use(None, 20.0, 0.0, 0.0, "the driver said 37100 %")


def test_unwritten_places_of_the_ring_are_no_processes():
    """PID 0 and stamps from before the question are left out."""
    assert newest_of([sample(0, 50), sample(3, 10)], 20) == ({}, 20)


def test_a_ring_of_any_size_is_read_whole(twin_driver):
    """Where the buffer is too small for the samples it grows, and every process has its own."""
    driver = twin_driver(**{OLD: ring(*(sample(pid, 99 * S) for pid in range(1, 1001)))})
    used, _ = UseReader(driver).read("h", 100 * S)
    assert set(used) == set(range(1, 1001))


def test_a_ring_that_never_fits_is_a_reason(twin_driver):
    """A driver that always wants a larger buffer gets no endless one."""
    driver = twin_driver(**{OLD: 7, NEW: absent(13)})
    used, why = UseReader(driver).read("h", 100 * S)
    assert used == {}
    assert "did not fit" in why


def test_the_successor_gives_the_same_figures(twin_driver):
    """Where only the newer function works, its samples are read and it alone is asked from then on."""
    info = SimpleNamespace(pid=4, timeStamp=99 * S, smUtil=60, memUtil=20, encUtil=1, decUtil=2)
    driver = twin_driver(**{OLD: 3, NEW: [info]})
    reader = UseReader(driver)
    assert reader.read("h", 100 * S)[0] == {4: Use(60.0, 20.0, 1.0, 2.0)}
    reader.read("h", 102 * S)
    assert [call[0] for call in driver.calls] == [OLD, NEW, NEW]
