"""Pictures of the screen of a plan: models of the catalog, judged against the usual cards."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from stage import CSS, local_fonts

from dstop.footprint.fit import judged, usual_gpus
from dstop.footprint.spec.parse import parse_spec
from dstop.settings import Settings
from dstop.ui.plan_live import PlanApp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from textual.pilot import Pilot

    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import Fit, Footprint

SERVED: Mapping[str, Any] = {
    "model": "deepseek-v3",
    "framework": "vllm",
    "parallel": {"tp": 8},
    "sequence": 8192,
    "batch": 16,
}
TRAINED: Mapping[str, Any] = {
    "model": "deepseek-v2-lite",
    "phase": "training",
    "weights": "bf16",
    "parallel": {"dp": 8, "ep": 8, "zero": 1, "pp": 2},
    "checkpointing": "full",
}


def judge(spec: Spec) -> tuple[Footprint, Sequence[Fit]]:
    """Hold a spec against the usual cards."""
    return judged(spec, usual_gpus())


class PlanStageApp(PlanApp):
    """The app, with pictures that open without a network."""

    CSS_PATH = CSS

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """Draw the screen as SVG with the fonts that the reader's machine has."""
        return local_fonts(super().export_screenshot(title=title, simplify=simplify))


class PlanStage:
    """An app that shows a plan."""

    def __init__(self, spec: Mapping[str, Any], settings: Settings, theme: str) -> None:
        self.app = PlanStageApp(parse_spec(dict(spec)), judge, settings, theme=theme)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPicture:
    """A plan, and what the user turns in it."""

    name: str
    size: tuple[int, int] = (120, 34)
    spec: Mapping[str, Any] = field(default_factory=lambda: SERVED)
    keys: tuple[str, ...] = ()
    theme: str = "dark"
    settings: Settings = field(default_factory=Settings)

    def stage(self) -> PlanStage:
        """Set the scene."""
        return PlanStage(self.spec, self.settings, self.theme)

    async def play(self, stage: PlanStage, pilot: Pilot[None]) -> None:
        """Do what the user does."""
        del stage
        await pilot.pause()
        for key in self.keys:
            await pilot.press(key)
        await pilot.pause()

    async def drawn(self) -> str:
        """Play it, and give the screen as SVG."""
        stage = self.stage()
        async with stage.app.run_test(size=self.size) as pilot:
            await self.play(stage, pilot)
            return stage.app.export_screenshot(simplify=True)
