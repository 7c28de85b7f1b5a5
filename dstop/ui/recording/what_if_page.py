"""Would it have fitted? The recording replayed under other settings and with another batch, one after the other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dstop.draw.line import BLANK, fit_line
from dstop.draw.verdict_lines import fidelity_lines, verdict_lines
from dstop.model.study import Fidelity, Verdict
from dstop.ui.recording.page import ScrollPage

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dstop.draw.line import Line
    from dstop.snapshot.study import DeviceStudy

CHANGES = ("expandable", "max_split=128", "max_split=256", "batch=x0.75", "batch=x0.5", "checkpointing")
"""As `dstop snapshot --what-if` takes them: what is most often advised."""
_FIDELITY, _GROWTH = "fidelity", "growth"


class WhatIfPage(ScrollPage):
    """How good the replay is, and a verdict for each change."""

    NAME = "what if"
    KEYS = (("↑↓", "scroll"),)

    def questions(self) -> Mapping[str, Callable[[], object]]:
        """Replay what was recorded; then, where that is possible, each change."""
        study = self.studied.study
        fidelity = self.studied.answers.get(_FIDELITY)
        asked: dict[str, Callable[[], object]] = {_FIDELITY: lambda: study.replayed.fidelity}
        if isinstance(fidelity, Fidelity) and not fidelity.why_not:
            asked[_GROWTH] = lambda: study.growth
            asked |= {change: partial(_verdict, study, change) for change in self._changes()}
        return asked

    def _changes(self) -> tuple[str, ...]:
        """Ask for the end of a leak only where something leaks."""
        return (*CHANGES, "no-leak") if self.studied.answers.get(_GROWTH) else CHANGES

    def content(self, width: int) -> list[Line]:
        """Draw what is known by now."""
        fidelity = self.studied.answers.get(_FIDELITY)
        lines = self.trouble(_FIDELITY, width)
        if not isinstance(fidelity, Fidelity):
            return lines or [fit_line(((" replaying the recording …", "note"),), width)]
        lines += fidelity_lines(fidelity, width)
        for change in () if fidelity.why_not else self._changes():
            verdict = self.studied.answers.get(change)
            lines.append(fit_line(BLANK, width))
            if isinstance(verdict, Verdict):
                lines += verdict_lines(verdict, width)
            else:
                waits = [fit_line(((f" {'…':13}", "note"), (f" {change}", "dim")), width)]
                lines += self.trouble(change, width) or waits
        return lines


def _verdict(study: DeviceStudy, change: str) -> object:
    from dstop.snapshot.replay.change import parse_what_if  # noqa: PLC0415 - the replay is loaded for whoever asks
    from dstop.snapshot.replay.what_if import what_if  # noqa: PLC0415

    return what_if(study, parse_what_if(change))
