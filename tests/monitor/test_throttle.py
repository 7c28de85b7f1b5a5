"""Episodes of throttling."""

from __future__ import annotations

from dstop.model.event import EventKind
from dstop.monitor.throttle import CALM_S, ThrottleLog


def _play(build, log, *steps):
    return [
        event
        for at_s, values in steps
        for event in log.observe(build.sample(at_s, gpus=[build.gpu(**values)]))
    ]


def _held(*reasons):
    return {"throttle_reasons": reasons}


def test_an_episode_is_told_with_its_cause_and_its_length(build):
    """A card that is held back says by what, and afterwards for how long."""
    events = _play(
        build, ThrottleLog(), (0, _held()), (1, _held("power_cap")), (60, _held("power_cap")), (80, _held())
    )
    assert [event.text for event in events] == [
        "GPU 0 is held back by the power limit",
        "GPU 0 is no longer held back by the power limit (it was for 59s)",
    ]
    assert [event.kind for event in events] == [EventKind.THROTTLE_STARTED, EventKind.THROTTLE_ENDED]


def test_flapping_is_one_episode(build):
    """A card that touches its power limit every other second does not fill the log."""
    flaps = [(second, _held("power_cap") if second % 2 else _held()) for second in range(100)]
    assert len(_play(build, ThrottleLog(), *flaps)) == 1


def test_rest_and_settings_are_no_throttling(build):
    """An idle card and application clocks are no trouble."""
    assert _play(build, ThrottleLog(), (0, _held()), (1, _held("idle", "application_clocks"))) == []


def test_what_was_there_at_the_start_has_no_beginning(build):
    """A card held back at the first look has no start event, and its length is a lower bound."""
    (event,) = _play(build, ThrottleLog(), (0, _held("sw_thermal")), (10, _held("sw_thermal")), (40, _held()))
    assert event.text == "GPU 0 is no longer held back by heat (driver) (it was for 10s or more)"


def test_not_knowing_ends_nothing(build):
    """Reasons that could not be read, a lost card and a stale one do not end an episode."""
    log = ThrottleLog()
    assert len(_play(build, log, (0, _held()), (1, _held("hw_thermal")))) == 1
    silent = [{"throttle_reasons": None}, {"fault": "lost", **_held()}, {"stale_s": 9.0, **_held()}]
    assert _play(build, log, *[(100 + CALM_S * at, values) for at, values in enumerate(silent)]) == []
    assert len(_play(build, log, (300, _held()))) == 1


def test_a_reason_of_a_newer_driver_is_told_by_its_name(build):
    """A reason that is not in the table is told as the driver's bits call it."""
    (event,) = _play(build, ThrottleLog(), (0, _held()), (1, _held("0x200")))
    assert event.text == "GPU 0 is held back by 0x200"
