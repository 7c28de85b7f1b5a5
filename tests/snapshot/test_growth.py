"""Growth is what nearly every step adds and nobody takes away."""

from __future__ import annotations

import pytest

from dstop.snapshot.growth import LEAST_BYTES, growth_of, rows_of
from dstop.snapshot.study import DeviceStudy
from dstop.snapshot.values import Annotation
from tests.snapshot.attribution.story import UNIT, Story


def steps_with(add, count: int = 6) -> Story:
    """Tell of a training, to each step of which `add(story, step)` adds something after its forward pass."""
    story = Story().make("load", 3, "weight")
    for step in range(count):
        story.make("forward", 4, f"kept{step}")
        add(story, step)
        story.make("", 3, f"gradient{step}").drop(f"kept{step}").make("step", 3, f"root{step}")
        story.drop(f"root{step}", f"gradient{step}")
    return story


def test_a_leak_is_found() -> None:
    """Each step leaves two units more: how much, for how many steps, and from which line."""
    (leak,) = steps_with(lambda story, step: story.make("validate", 2, f"lost{step}")).study().growth
    assert leak.per_step_bytes == 2 * UNIT
    assert leak.steps == 5
    assert leak.held_bytes == tuple(2 * UNIT * turn for turn in range(1, 7))
    assert leak.site.size_bytes == 12 * UNIT
    assert leak.site.own is not None
    assert leak.site.own.file == "/home/ann/model.py"


def _cached(story: Story, step: int) -> None:
    if step < 3:
        story.make("validate", 2, f"cached{step}")


def _replaced(story: Story, step: int) -> None:
    story.make("validate", step + 1, f"newest{step}")
    if step:
        story.drop(f"newest{step - 1}")


def _window(story: Story, step: int) -> None:
    story.make("validate", 2, f"recent{step}")
    if step >= 2:
        story.drop(f"recent{step - 2}")


def _ragged(story: Story, step: int) -> None:
    story.make("validate", (3, 1, 4, 1, 5, 9)[step], f"ragged{step}")
    if step:
        story.drop(f"ragged{step - 1}")


@pytest.mark.parametrize("add", [_cached, _replaced, _window, _ragged], ids=lambda add: add.__name__)
def test_what_is_no_leak(add) -> None:
    """A cache that fills up, one thing that gets larger, the last few of something, and lengths of all kinds."""
    assert steps_with(add).study().growth == ()


def test_a_plot_is_no_leak() -> None:
    """Who keeps a number a step on the device fills no card."""
    study = steps_with(lambda story, step: story.make("validate", 2, f"lost{step}")).study()
    lives = study.lives
    fields = {name: getattr(lives, name) for name in lives.__slots__}
    small = DeviceStudy(study.snapshot, 0)
    small.lives = type(lives)(**fields | {"size": lives.size // UNIT * (LEAST_BYTES // 8)})
    assert growth_of(small) == ()


def test_three_steps_are_too_few() -> None:
    """Two rises are chance."""
    assert steps_with(lambda story, step: story.make("validate", 2, f"lost{step}"), 3).study().growth == ()


def test_rows_for_the_replay() -> None:
    """The lives that should have been let go, and the ends of the steps that they belong to."""
    story = steps_with(lambda story, step: story.make("validate", 2, f"lost{step}"))
    study = story.study()
    (leak,) = study.growth
    rows, ends = rows_of(study, leak)
    assert study.lives.begin[rows].tolist() == [story.rows[f"lost{step}"] for step in range(6)]
    assert ends.tolist() == list(study.attribution.steps)


def test_marked_ranges_stand_for_steps() -> None:
    """Where no step is recognised, the range that the program marked most often is one."""
    story = Story()
    for step in range(5):
        story.make("init", 9, f"work{step}").make("init", 2, f"lost{step}").drop(f"work{step}")
    study = story.study()
    trace = study.snapshot.trace_of(0)
    assert trace is not None
    ends = [Annotation(f"request{step}", False, 0, int(trace.time_us[4 * step + 3])) for step in range(5)]
    fields = {name: getattr(study.snapshot, name) for name in study.snapshot.__slots__}
    marked = DeviceStudy(type(study.snapshot)(**fields | {"annotations": tuple(ends)}), 0)
    assert study.growth == ()
    assert [leak.per_step_bytes for leak in marked.growth] == [2 * UNIT]


def test_pieces_stand_for_steps() -> None:
    """Without any mark the ring is cut into equal pieces, each at its emptiest; then a leak must be quite steady."""
    story = Story()
    for turn in range(64):
        story.make("init", 1, f"lost{turn}").make("validate", 5, f"work{turn}").drop(f"work{turn}")
    (leak,) = story.study().growth
    assert leak.per_step_bytes == 4 * UNIT


def test_a_ring_that_is_empty_or_short_grows_nothing() -> None:
    """No events, or too few to cut."""
    assert Story().study().growth == ()
    assert Story().has(3, "old").study().growth == ()
    assert Story().make("forward", 1, "x").study().growth == ()


def test_what_grows_in_backward_has_no_line() -> None:
    """Gradients that somebody keeps: backward's threads have no stack, and it is said so by an empty site."""

    def keep(story: Story, step: int) -> None:
        story.make("", 6, f"lost{step}")

    (leak,) = steps_with(keep).study().growth
    assert leak.site.places == ()
    assert leak.per_step_bytes == 6 * UNIT
    rows, _ = rows_of(steps_with(keep).study(), leak)
    assert len(rows) == 6
