"""Lives are told apart by who asked for them and how long they were kept."""

from __future__ import annotations

import pytest

from dstop.model.study import CATEGORIES, CONFIDENCES, PHASES
from dstop.snapshot.values import StorageName
from tests.snapshot.attribution.story import UNIT, Story


def said(story: Story) -> dict[str, tuple[str, str]]:
    """Give category and confidence of each tensor of a story, as it was when it was told of last."""
    study = story.study()
    lives, told = study.lives, study.attribution
    found = {}
    for row in range(len(lives)):
        begin = int(lives.begin[row])
        names = [name for name, at in story.rows.items() if at == begin and begin >= 0] or [
            name for name in story.old if story.size[name] and story.address.get(name) == lives.address[row]
        ]
        for name in names:
            found[name] = (CATEGORIES[told.category[row]], CONFIDENCES[told.confidence[row]])
    return found


def trained(story: Story, steps: int = 2, *, asked: str = "") -> Story:
    """Tell of some steps of a training with Adam; `asked` is the stack of backward."""
    for step in range(steps):
        story.make("input", 1, f"batch{step}").make("forward", 4, f"kept{step}", f"brief{step}")
        story.drop(f"brief{step}").make("forward", 8, f"logits{step}").make("loss", 8, f"loss{step}")
        story.make(asked, 2, f"away{step}").make(asked, 3, f"gradient{step}").drop(
            f"away{step}", f"kept{step}"
        )
        story.drop(f"loss{step}", f"logits{step}")
        if step == 0:
            story.make("group", 3, "average", "square")
        story.make("step", 3, f"root{step}").drop(f"root{step}", f"gradient{step}", f"batch{step}")
    return story


@pytest.mark.parametrize("asked", ["", "engine"])
def test_a_training(asked: str) -> None:
    """Who waits for backward, who outlives it, and who outlives the optimizer; in Python stacks and in mixed ones."""
    story = trained(Story().make("load", 3, "weight", "scale", "shift"), asked=asked)
    found = said(story)
    assert {name: what for name, (what, _) in found.items()} == {
        "weight": "parameters",
        "scale": "parameters",
        "shift": "parameters",
        "average": "optimizer_state",
        "square": "optimizer_state",
        **{f"{name}{step}": what for step in (0, 1) for name, what in (
            ("batch", "input"), ("kept", "activations"), ("brief", "temporaries"), ("logits", "logits"),
            ("loss", "logits"), ("away", "temporaries"), ("gradient", "gradients"), ("root", "temporaries"),
        )},
    }  # fmt: skip
    sure = {name for name, (_, how) in found.items() if how == "likely"}
    assert {"weight", "average", "kept0", "gradient1", "root0"} <= sure
    assert not {"batch0", "logits0"} & sure


def test_steps_and_phases() -> None:
    """A step ends where the next one's first allocation is; each allocation is in the phase of its code."""
    study = trained(Story().make("load", 3, "weight")).study()
    first, last = study.attribution.steps
    batch = next(at for at in range(5, study.events) if study.lives.begin.tolist().count(at) and at == first)
    assert (batch, last) == (first, study.events)
    phases = [PHASES[phase] for phase in study.attribution.phase.tolist()]
    assert phases[:10] == [
        "load", "other", "forward", "forward", "forward", "forward", "backward", "backward", "optimizer", "optimizer"
    ]  # fmt: skip
    assert [study.moment(at).step for at in (0, first - 1, first, last - 1)] == [0, 0, 1, 1]


def test_accumulated_gradients_make_one_step() -> None:
    """Four passes and then the optimizer: one step, and the gradient of the first pass lives through all."""
    story = Story().make("load", 3, "weight")
    for turn in range(2):
        for part in range(4):
            at = f"{turn}{part}"
            story.make("forward", 4, f"kept{at}").make("", 3, f"gradient{at}").drop(f"kept{at}")
            if part:
                story.drop(f"gradient{at}")
        story.make("step", 3, f"root{turn}").drop(f"root{turn}", f"gradient{turn}0")
    found = said(story)
    assert found["gradient00"] == ("gradients", "likely")
    assert {found[f"gradient0{part}"][0] for part in (1, 2, 3)} == {"temporaries"}
    assert len(story.study().attribution.steps) == 2


def test_an_optimizer_that_allocates_nothing() -> None:
    """Plain SGD: gradients are known by the sizes of the parameters, and by being let go all together."""
    story = Story().make("load", 3, "one").make("load", 5, "two")
    for step in range(3):
        story.make("forward", 4, f"kept{step}").make("", 5, f"second{step}").make("", 2, f"away{step}")
        story.make("", 3, f"first{step}").drop(f"away{step}", f"kept{step}", f"first{step}", f"second{step}")
    found = said(story)
    assert {found[f"{name}{step}"][0] for name in ("first", "second") for step in range(3)} == {"gradients"}
    assert found["away1"][0] == "temporaries"
    assert len(story.study().attribution.steps) == 3


def test_without_sizes_to_go_by_age_tells() -> None:
    """Old weights, an optimizer that allocates nothing: what backward has kept for long is a gradient."""
    story = (
        Story()
        .make("forward", 4, "kept")
        .make("", 5, "second")
        .make("", 2, "a", "b", "c")
        .make("", 3, "last")
    )
    story.drop("kept", "a", "b", "c", "second", "last").make("forward", 4, "again")
    found = said(story)
    assert found["second"] == ("gradients", "possible")
    assert found["last"] == ("temporaries", "possible")


def test_recomputed_activations() -> None:
    """Checkpointing: the forward pass within backward makes activations, unless they go before backward goes on."""
    story = Story().make("load", 3, "weight").make("forward", 4, "kept").make("", 1, "root")
    story.make("again", 4, "brief", "again").drop("brief").make("", 3, "gradient").drop(
        "again", "kept", "root"
    )
    story.make("step", 3, "square").drop("square", "gradient").make("forward", 4, "next")
    found = said(story)
    assert found["again"] == ("activations", "likely")
    assert found["brief"][0] == "temporaries"
    assert found["gradient"][0] == "gradients"


def test_a_closure_is_no_optimizer() -> None:
    """The forward pass that an optimizer's step calls is a forward pass: the innermost kind of code decides."""
    story = Story().make("closure", 4, "kept").make("", 3, "gradient").drop("kept").make("step", 2, "root")
    found = said(story.drop("root", "gradient").make("closure", 4, "more"))
    assert (found["kept"][0], found["root"][0]) == ("activations", "temporaries")


def test_a_failure_in_backward() -> None:
    """Nobody sees the end of this backward: as many of each size as there are parameters are gradients, possibly."""
    story = Story().make("load", 3, "one", "two").make("load", 5, "three", "four")
    story.make("forward", 7, "kept").make("", 3, "gradient", "other", "away").make("", 7, "large").fail()
    found = said(story)
    assert [found[name] for name in ("gradient", "other", "away", "large")] == [
        ("gradients", "possible"),
        ("gradients", "possible"),
        ("temporaries", "possible"),
        ("temporaries", "possible"),
    ]
    assert found["kept"][0] == "activations"
    assert story.study().attribution.steps == ()


def test_a_failure_in_the_optimizer() -> None:
    """What it makes its state with is state; what else it has at hand is not."""
    story = Story().make("load", 3, "weight").make("forward", 4, "kept").make("", 3, "gradient").drop("kept")
    found = said(story.make("group", 3, "average").make("step", 3, "root").fail())
    assert (found["average"][0], found["root"][0]) == ("optimizer_state", "temporaries")


def test_a_failure_in_forward() -> None:
    """What waits for a backward that never came is an activation, possibly."""
    found = said(Story().make("load", 3, "weight").make("forward", 4, "kept", "brief").drop("brief").fail())
    assert found["kept"] == ("activations", "possible")
    assert found["brief"][0] == "temporaries"


def test_collectives_and_compiled_code() -> None:
    """Both are what they are, unless what they made is something better: compiled code has activations, too."""
    story = Story().make("gather", 6, "gathered").make("compiled", 4, "kept", "brief").drop("brief")
    found = said(story.make("", 3, "gradient").drop("kept", "gathered").make("step", 1, "root"))
    assert found["gathered"] == ("communication", "likely")
    assert found["kept"][0] == "activations"
    assert found["brief"] == ("compiled", "likely")


def test_evaluation_is_no_training() -> None:
    """A validation's forward pass ends no step, and is called evaluation; a name alone proves nothing."""
    story = trained(Story().make("load", 3, "weight"), 1).make("validate", 4, "x", "y").drop("x", "y")
    story.make("forward", 4, "next")
    study = story.study()
    assert [PHASES[phase] for phase in study.attribution.phase[-3:].tolist()] == ["eval", "eval", "forward"]
    assert len(study.attribution.steps) == 1
    used = Story().make("validate", 4, "kept").make("", 3, "gradient").drop("kept").make("step", 1, "root")
    assert said(used)["kept"] == ("activations", "likely")


def test_data_loaders_are_input() -> None:
    """Where a data loader asked, there is no doubt about it."""
    assert said(Story().make("collate", 2, "batch").make("forward", 1, "x"))["batch"] == ("input", "likely")


def test_old_memory_is_read_by_its_sizes() -> None:
    """Without stacks: as many of a size as have gradients are parameters, the rest is their optimizer state."""
    story = Story().has(3, "weight", "average", "square").has(7, "cache")
    for step in range(2):
        story.make("forward", 4, f"kept{step}").make("", 3, f"gradient{step}").drop(f"kept{step}")
        story.make("step", 3, f"root{step}").drop(f"root{step}", f"gradient{step}")
    found = said(story)
    assert found["weight"] == ("parameters", "possible")
    assert found["average"] == found["square"] == ("optimizer_state", "possible")
    assert found["cache"][0] == "unknown"


def test_old_memory_with_stacks_is_read_by_them() -> None:
    """The blocks at the end still know who asked for them."""
    story = (
        Story()
        .has(3, "weight", stack="load")
        .has(3, "average", stack="group")
        .has(3, "mask", stack="forward")
    )
    found = said(story.make("forward", 1, "x"))
    assert found["weight"] == ("parameters", "likely")
    assert found["average"] == ("optimizer_state", "likely")
    assert found["mask"] == ("activations", "possible")


def test_names_are_exact() -> None:
    """What the process named is that, whatever its stack says; names of what is not there change nothing."""
    story = trained(Story().has(3, "weight", "odd"), 1).make("forward", 5, "cache")
    here = story.address
    story.names = [
        StorageName(0, here["weight"], 3 * UNIT, "parameter", "embed.weight"),
        StorageName(0, here["cache"], 5 * UNIT, "buffer", "cache"),
        StorageName(0, here["average"], 3 * UNIT, "optimizer_state", "exp_avg of embed.weight"),
        StorageName(0, here["odd"], 99 * UNIT, "gradient", "too large for its block"),
        StorageName(1, here["odd"], 3 * UNIT, "gradient", "of another device"),
        StorageName(0, 5, 3 * UNIT, "gradient", "nowhere"),
    ]
    found = said(story)
    assert found["weight"] == found["cache"] == ("parameters", "exact")
    assert found["average"] == ("optimizer_state", "exact")
    assert found["odd"][1] != "exact"
    assert sorted(story.study().attribution.names.values()) == [
        "cache",
        "embed.weight",
        "exp_avg of embed.weight",
    ]


def test_a_ring_without_stacks_says_nothing() -> None:
    """Where no stack was recorded, an empty one is not backward's."""
    study = Story().make("", 4, "x", "y").drop("x").study()
    assert {CATEGORIES[number] for number in study.attribution.category.tolist()} == {"unknown"}
    assert study.attribution.steps == ()


def test_a_workspace_is_no_gradient() -> None:
    """What cuBLAS keeps for the thread of backward outlives every gradient: it is not one."""
    story = Story().make("load", 32, "weight")
    story.make("forward", 1, "a").make("", 32, "workspace", "gradient0").drop("a").make("step", 1, "root0")
    story.drop("root0", "gradient0").make("forward", 1, "b").make("", 32, "gradient1").drop("b")
    found = said(story.make("step", 1, "root1").drop("gradient1").make("forward", 1, "c"))
    assert found["workspace"] == ("temporaries", "likely")
    assert found["gradient0"] == found["gradient1"] == ("gradients", "likely")
