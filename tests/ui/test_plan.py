"""The screen of a plan: every knob, any size, nonsense typed, and what cannot be is said."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from test_sizes import is_whole
from textual.binding import Binding

from dstop.draw.line import plain
from dstop.footprint.estimate import estimate
from dstop.footprint.spec.parse import parse_spec
from dstop.model.footprint import Fit
from dstop.settings import Settings
from dstop.ui.plan_live import PlanApp
from dstop.ui.screens.plan import PlanScreen
from dstop.ui.screens.plan_help import PlanHelp

GIB = 2**30
SMALL, BIG = (80, 24), (200, 60)
LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 2048,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "intermediate_size": 8192,
    "vocab_size": 128256,
    "max_position_embeddings": 8192,
    "torch_dtype": "bfloat16",
}


def judge(spec):
    """Hold a spec against two cards of round sizes."""
    footprint = estimate(spec)
    total = footprint.per_gpu.parts.total_bytes
    fits = []
    for name, usable in (("Small", 24 * GIB), ("Large", 80 * GIB)):
        verdict = (
            "fits"
            if footprint.per_gpu.high_bytes <= usable
            else "tight"
            if total <= usable
            else "does not fit"
        )
        fits.append(
            Fit(
                gpu=name,
                count=footprint.gpus,
                usable_bytes=usable,
                verdict=verdict,
                headroom_bytes=usable - total,
            )
        )
    return footprint, fits


class Stage:
    """The app with a plan, and what is on its screen."""

    def __init__(self, app, pilot):
        self.app, self.pilot = app, pilot

    @property
    def plan(self):
        """The screen of the plan."""
        return self.app.plan

    def lines(self):
        """Give the text of the screen on top."""
        return [plain(line) for line in self.app.screen.canvas._lines]

    def text(self):
        """Give all of it."""
        return "\n".join(self.lines())

    async def press(self, *keys):
        """Press keys."""
        for key in keys:
            await self.pilot.press(key)
        await self.pilot.pause()


@asynccontextmanager
async def showing(size=SMALL, *, ascii_only=False, theme="dark", **fields):
    """Show the plan of a small Llama."""
    spec = parse_spec({"model": LLAMA, "phase": "training", **fields})
    app = PlanApp(spec, judge, Settings(ascii=ascii_only), theme=theme)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Stage(app, pilot)


async def test_turning_a_knob_changes_the_answer():
    """More sequences take more memory, and the screen says what changed."""
    async with showing() as stage:
        before = stage.plan.footprint.per_gpu.parts
        await stage.press("right", "right")
        after = stage.plan.footprint.per_gpu.parts
        assert stage.plan.spec.batch == 3
        assert after.activations_bytes > before.activations_bytes
        assert after.static_bytes == before.static_bytes
        assert "changed" in stage.lines()[-1]


async def test_a_number_can_be_typed():
    """5 0 0 Enter at the tokens sets 500; the line shows what is being typed."""
    async with showing() as stage:
        await stage.press("down", "5", "0")
        assert "50▏" in stage.text()
        await stage.press("0", "enter")
        assert stage.plan.spec.sequence == 500


async def test_what_is_typed_is_taken_when_one_moves_on_and_dropped_by_escape():
    """Moving to another knob sets the number; Escape forgets it and does not leave."""
    async with showing() as stage:
        await stage.press("7", "down")
        assert stage.plan.spec.batch == 7
        await stage.press("9", "escape")
        assert (stage.plan.typed, stage.plan.spec.sequence) == ("", None)
        assert stage.app.is_running


async def test_a_layout_that_cannot_be_is_said_and_nothing_changes():
    """More pipeline stages than layers: the reason is in the last line, the figures stay."""
    async with showing() as stage:
        while stage.plan.knob.name != "pp":
            await stage.press("down")
        await stage.press("9", "9", "enter")
        assert "parallel.pp: 99 stages for 16 layers" in stage.lines()[-1]
        assert stage.plan.spec.parallel.pp == 1


async def test_undo_goes_back_and_the_beginning_is_one_key_away():
    """Undo takes back one change, R all of them; both say when there is nothing to do."""
    async with showing() as stage:
        await stage.press("right", "down", "right", "u")
        assert (stage.plan.spec.batch, stage.plan.spec.sequence) == (2, None)
        await stage.press("R")
        assert stage.plan.spec.batch == 1
        await stage.press("u", "u", "u")
        assert "nothing to undo" in stage.lines()[-1]


async def test_the_bar_is_measured_against_the_smallest_card_that_does_or_the_chosen_one():
    """A plan that only the large card holds is measured against it; g goes on to the next."""
    async with showing(sequence=2048, batch=8) as stage:
        total = stage.plan.footprint.per_gpu.parts.total_bytes
        assert (stage.plan.card.gpu == "Large") == (total > 24 * GIB)
        before = stage.plan.card.gpu
        await stage.press("g")
        assert stage.plan.card.gpu != before


async def test_the_other_phase_has_other_knobs():
    """Inference has a cache and no optimizer; the chosen knob stays where it was."""
    async with showing() as stage:
        await stage.press("home", "right")
        assert stage.plan.spec.phase == "inference"
        names = {knob.name for knob in stage.plan.knobs}
        assert "kv_cache" in names
        assert "optimizer" not in names
        assert stage.plan.knob.name == "phase"


async def test_a_click_on_a_track_sets_it():
    """The right end of the slider of ZeRO is stage 3."""
    async with showing(parallel={"dp": 8}) as stage:
        row = next(y for y, line in enumerate(stage.lines()) if "ZeRO stage" in line)
        line = stage.lines()[row]
        end = max(x for x, char in enumerate(line[: stage.plan._left]) if char in "─●━")
        await stage.pilot.click(offset=(end, row))
        await stage.pilot.pause()
        assert stage.plan.spec.parallel.zero == 3


async def test_the_wheel_turns_what_it_points_at():
    """Scrolling over the batch makes it larger, whatever was chosen before."""
    async with showing() as stage:
        await stage.press("end")
        row = next(y for y, line in enumerate(stage.lines()) if line.lstrip("▸ ").startswith("batch"))
        stage.plan._wheel(3, row, 1)
        assert stage.plan.spec.batch == 2


async def test_help_names_every_key():
    """What is bound is in the help, and ? takes it away again."""
    async with showing(BIG) as stage:
        await stage.press("question_mark")
        assert isinstance(stage.app.screen, PlanHelp)
        text = stage.text()
        assert all(word in text for word in ("undo", "theme", "set a number", "does not fit", "KV cache"))
        await stage.press("question_mark")
        assert isinstance(stage.app.screen, PlanScreen)


@pytest.mark.parametrize(
    "size", [(1, 1), (10, 3), (36, 5), (37, 24), (80, 24), (100, 30), (200, 60)], ids=str
)
async def test_every_size_is_filled_and_nothing_sticks_out(size):
    """Whatever the terminal has, each line is as wide as it; a pipeline with its stages too."""
    async with showing(size, parallel={"pp": 4}) as stage:
        assert is_whole(stage.app.screen)
        await stage.press("down", "down", "right", "question_mark")
        assert is_whole(stage.app.screen)


@pytest.mark.parametrize("theme", ["dark", "light", "mono"])
async def test_every_theme_and_ascii_work(theme):
    """Any theme, ASCII alone: the keys do what they do."""
    async with showing(theme=theme, ascii_only=True) as stage:
        await stage.press("right", "f2")
        assert stage.plan.spec.batch == 2


async def test_every_key_can_be_pressed_at_any_knob():
    """No key raises anywhere, also where it has nothing to do."""
    keys = [
        key
        for binding in PlanScreen.BINDINGS
        if isinstance(binding, Binding) and binding.action not in {"back", "escape", "help"}
        for key in binding.key.split(",")
    ]
    async with showing() as stage:
        for _ in range(len(stage.plan.knobs)):
            await stage.press(*keys, "5", "down")
        assert stage.app.is_running
