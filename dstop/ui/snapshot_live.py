"""`dstop snapshot FILE` on a terminal: the screen of a snapshot as a program of its own, without cards or processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dstop.draw.line import clean
from dstop.draw.palette import theme_for
from dstop.ui.lone_app import LoneApp
from dstop.ui.recording.reading import read_file
from dstop.ui.screens.snapshot import SnapshotScreen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.screen import Screen

    from dstop.errors import DstopError
    from dstop.settings import Settings
    from dstop.snapshot.study import DeviceStudy
    from dstop.ui.screens.recording import Read


class SnapshotApp(LoneApp):
    """The screen of a snapshot, read behind its first frame."""

    def __init__(self, read: Read, settings: Settings, *, title: str, theme: str) -> None:
        super().__init__(settings, theme=theme)
        self.snapshot = SnapshotScreen(read, title, self._refuse)

    def first_screen(self) -> Screen[None]:
        """Begin with the snapshot."""
        return self.snapshot

    def _refuse(self, error: DstopError) -> None:
        """End: who asked for a file that cannot be read wants to see why on the terminal."""
        self.failure = error
        self.exit(return_code=1)


def run_snapshot(what: str | Path | Sequence[DeviceStudy], settings: Settings, title: str = "") -> None:
    """Show a snapshot until the user leaves it.

    Args:
        what: a file, which is read behind the first frame; or studies, which need not be computed yet.
        settings: what the user has configured: theme and ASCII are used.
        title: what to call it; the file's name unless given.

    Raises:
        SnapshotError: when the file cannot be read.
    """
    if isinstance(what, str | Path):
        path = Path(what)
        read: Callable[[Callable[[str], None]], Sequence[DeviceStudy]] = lambda tell: read_file(path, tell)  # noqa: E731
        title = title or path.name
    else:
        studies = what
        read = lambda tell: studies  # noqa: ARG005, E731
    app = SnapshotApp(read, settings, title=clean(title), theme=theme_for(settings.theme, os.environ))
    app.run()
    if app.failure is not None:
        raise app.failure
