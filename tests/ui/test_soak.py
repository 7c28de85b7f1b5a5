"""A night on the screen, in a few seconds."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

from stage import Scene, playing

from dstop.units import KIB

FRAMES, WARM = 2000, 500
"""Rings and caches are full after the first five hundred."""
MOST_GROWTH_BYTES = 256 * KIB
"""The event log is still filling up: it keeps five hundred."""


async def test_two_thousand_frames_leave_memory_as_it_was():
    """Drawn frames leave nothing behind: half an hour of the story, eight times the job's whole life."""
    async with playing(Scene(past_s=2, gpus=3), size=(80, 24)) as (stage, pilot):
        tracemalloc.start()
        try:
            warm = 0
            for number in range(1, FRAMES + 1):
                stage.clock_s += 1
                frame = stage.monitor.step()
                stage.poller.give(frame)
                while stage.app.frame is not frame:  # noqa: ASYNC110 - one turn of the loop at a time
                    await asyncio.sleep(0)
                if number % 100 == 0:
                    await pilot.press(*(("down", "f2") if number % 200 else ("up", "J")))
                if number == WARM:
                    gc.collect()
                    warm = tracemalloc.get_traced_memory()[0]
            del frame
            gc.collect()
            growth = tracemalloc.get_traced_memory()[0] - warm
        finally:
            tracemalloc.stop()
        assert len(stage.app.frame.sample.gpus) == 3
    assert growth < MOST_GROWTH_BYTES
