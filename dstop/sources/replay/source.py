"""A recording as a source: each reading is the next moment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from dstop.model.sample import Sample
    from dstop.sources.replay.moment import Moment
    from dstop.sources.replay.recording import Recording


class ReplaySource:
    """Gives the moments of a recording one after the other, and the last one again when there are no more.

    Args:
        recording: it is closed with the source.
    """

    def __init__(self, recording: Recording) -> None:
        self.recording = recording
        self.number = -1
        """Which moment was read last."""
        self._moment: Moment | None = None
        self._hides_problem = False

    @property
    def moment(self) -> Moment | None:
        """What was read last; None before the first."""
        return self._moment

    @property
    def ended(self) -> bool:
        """Whether there is nothing after what was read last."""
        return self.number >= len(self.recording) - 1

    def read(self, *, patience_s: float = 0.5) -> Sample:  # noqa: ARG002 - nothing here is ever slow
        """Give the next moment's sample.

        Raises:
            SourceError: where the recorded monitor had no figures, with its own words.
            RecordingError: the file is damaged there.
        """
        number = min(self.number + 1, len(self.recording) - 1)
        moment = self._moment = self.recording.moment(number)
        self.number = number
        hides, self._hides_problem = self._hides_problem, False
        if moment.problem is not None and not hides:
            raise SourceError(moment.problem.message, fix=moment.problem.fix)
        return moment.sample

    def go_to(self, number: int) -> None:
        """Have the next reading give this moment; where there were no figures, the last that there had been.

        A monitor that begins in the middle of an outage then has something to call old.
        """
        self.number = max(0, min(number, len(self.recording) - 1)) - 1
        self._hides_problem = True

    def now_ns(self) -> int:
        """Give the recording's clock: the place of what was read last."""
        return self.recording.begin_ns if self._moment is None else self._moment.at_ns

    def watch(self, fields: AbstractSet[str]) -> None:
        """Do nothing: what was not recorded cannot be had."""

    def close(self) -> None:
        """Let go of the file."""
        self.recording.close()
