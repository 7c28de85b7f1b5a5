"""Alerts over readings: what is told, how often, and that nothing outside holds a reading up."""

from __future__ import annotations

from dataclasses import replace

from dstop.model.event import EventKind
from dstop.testing import make_gpu, make_sample
from dstop.units import GIB

TOTAL = 80 * GIB


def reading(*shares, **fields):
    """Give a sample with a card for each percentage of used memory; None is a card that tells none."""
    gpus = tuple(
        make_gpu(
            index,
            memory_total_bytes=TOTAL,
            memory_reserved_bytes=0,
            memory_used_bytes=None if share is None else int(TOTAL * share / 100),
        )
        for index, share in enumerate(shares)
    )
    return replace(make_sample(gpus, 0), **fields)


def test_a_webhook_gets_what_began_and_what_is_over(alarms, clock, receiver):
    """One POST when it begins, one when it is over, with the card, the figure and how long it has been so."""
    it = alarms({"name": "full", "when": "gpu.memory_pct > 95 for 60s", "do": {"webhook": receiver.url}})
    assert it.see(reading(50, 97), ()) == []
    clock.now_s += 20
    it.see(reading(50, 97), ())
    clock.now_s += 29
    it.see(reading(50, 97), ())
    clock.now_s += 12
    events = it.see(reading(50, 97.5), ())
    assert [event.kind for event in events] == [EventKind.ALERT_STARTED]
    assert events[0].gpu_index == 1
    first = receiver.wait(1)[0].body
    assert (first["schema"], first["status"], first["alert"]) == (1, "firing", "full")
    assert first["alerts"][0]["gpu_index"] == 1
    assert "memory_pct 97.5 % (> 95)" in first["alerts"][0]["says"]
    assert first["at_ns"] - first["alerts"][0]["since_ns"] == 61 * 10**9
    clock.now_s += 5
    assert it.see(reading(50, 50), ()) == []
    clock.now_s += 30
    assert [event.kind for event in it.see(reading(50, 50), ())] == [EventKind.ALERT_ENDED]
    assert receiver.wait(2)[1].body["status"] == "resolved"
