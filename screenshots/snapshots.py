"""Pictures of the screen of a memory snapshot: a real recording, made on a simulated device (`record_training.py`)."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stage import CSS, local_fonts

from dstop.settings import Settings
from dstop.ui.recording.reading import read_file
from dstop.ui.snapshot_live import SnapshotApp

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.pilot import Pilot

    from dstop.snapshot.study import DeviceStudy

RECORDING = Path(__file__).with_name("training.pickle.gz")
TITLE = "training.pickle.gz (recorded on a simulated device)"
_MOST_WAITS = 3_000


class SnapshotStageApp(SnapshotApp):
    """The app, with pictures that open without a network."""

    CSS_PATH = CSS

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """Draw the screen as SVG with the fonts that the reader's machine has."""
        return local_fonts(super().export_screenshot(title=title, simplify=simplify))


class SnapshotStage:
    """An app that shows a recording."""

    def __init__(
        self, read: Callable[[], Sequence[DeviceStudy]], title: str, settings: Settings, theme: str
    ) -> None:
        self.app = SnapshotStageApp(lambda _tell: read(), settings, title=title, theme=theme)

    async def rest(self, pilot: Pilot[None]) -> None:
        """Wait for what threads find out.

        Raises:
            TimeoutError: when that takes half a minute.
        """
        for _ in range(_MOST_WAITS):
            await pilot.pause()
            if not self.app.snapshot.waiting:
                return
            await asyncio.sleep(0.01)
        raise TimeoutError("the snapshot is still being read")


def _recorded() -> Sequence[DeviceStudy]:
    return read_file(RECORDING, lambda _text: None)


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotPicture:
    """A recording, and what the user does with it."""

    name: str
    size: tuple[int, int] = (120, 40)
    keys: tuple[str, ...] = ()
    theme: str = "dark"
    settings: Settings = field(default_factory=Settings)
    read: Callable[[], Sequence[DeviceStudy]] = _recorded
    title: str = TITLE

    def stage(self) -> SnapshotStage:
        """Set the scene."""
        return SnapshotStage(self.read, self.title, self.settings, self.theme)

    async def play(self, stage: SnapshotStage, pilot: Pilot[None]) -> None:
        """Do what the user does."""
        await stage.rest(pilot)
        for key in self.keys:
            await pilot.press(key)
            await stage.rest(pilot)
        await pilot.pause()

    async def drawn(self) -> str:
        """Play it, and give the screen as SVG."""
        stage = self.stage()
        async with stage.app.run_test(size=self.size) as pilot:
            await self.play(stage, pilot)
            return stage.app.export_screenshot(simplify=True)
