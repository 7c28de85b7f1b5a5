"""A case: all facts of one failure, and the questions that rules ask of them."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from dstop.doctor.questions.balance import balance_of
from dstop.doctor.questions.expected import expected_of
from dstop.doctor.questions.frameworks import framework_of
from dstop.doctor.questions.memories import completed, memory_of
from dstop.doctor.questions.phases import phase_of
from dstop.model.diagnosis import Balance, Evidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.doctor.evidence.collect import Found
    from dstop.doctor.evidence.facts import AllocationFailure, Setting, Sign, StackFrame, Trace
    from dstop.doctor.evidence.memory import Memory
    from dstop.doctor.questions.expected import Expected

_EPOCH = re.compile(r"(?i)\bepoch\s{0,2}[:\[=#]?\s{0,2}(\d{1,5})(?![\d.])")
_STEP = re.compile(
    r"(\d{1,9})/\d{1,9} \[[\d:]+<|(?i:\b(?:global_)?(?:step|iter(?:ation)?))[\"']?\s{0,2}[:=\[]?\s{0,3}(\d{1,9})\b"
)
_HEAD, _TAIL = 128 * 1024, 384 * 1024
_NEAR_LINES = 400
"""A traceback this far from a failure is still its own."""


def _is_near(one: AllocationFailure, other: AllocationFailure) -> bool:
    return one.place.source == other.place.source and abs(one.place.order - other.place.order) <= _NEAR_LINES


def _figures(one: AllocationFailure) -> tuple[int, int]:
    known = (one.total_bytes, one.free_bytes, one.allocated_bytes, one.process_bytes)
    return sum(figure is not None for figure in known), -one.place.order


class Case:
    """The facts of everything that was read, as one.

    Args:
        found: the facts of each source, in the order in which the sources are to be understood.
        environment: of the job's process, where it is known.
    """

    def __init__(self, found: Sequence[Found], environment: Mapping[str, str] | None = None) -> None:
        self.found = tuple(found)
        self.environment = dict(environment or {})
        self._signs: dict[str, list[Sign]] = {}
        for one in self.found:
            for sign in one.signs:
                self._signs.setdefault(sign.kind, []).append(sign)
        self._settings: dict[str, Setting] = {}
        for one in self.found:
            for setting in one.settings:
                self._settings.setdefault(setting.name, setting)

    @cached_property
    def text(self) -> str:
        """The text without prefixes; of much of it the beginning, which tells what ran, and the end."""
        text = "\n".join(one.text for one in self.found)
        return text if len(text) <= _HEAD + _TAIL else f"{text[:_HEAD]}\n{text[-_TAIL:]}"

    # Signs -----------------------------------------------------------------------------------------------------

    def all(self, *kinds: str) -> list[Sign]:
        """Give the signs of these kinds, by place; a kind that ends in a dot stands for all that begin so."""
        found: list[Sign] = []
        for kind in kinds:
            if kind.endswith("."):
                for name, signs in self._signs.items():
                    if name.startswith(kind):
                        found += signs
            else:
                found += self._signs.get(kind, [])
        return sorted(found, key=lambda sign: sign.place.order)

    def first(self, *kinds: str) -> Sign | None:
        """Give the first sign of these kinds."""
        return next(iter(self.all(*kinds)), None)

    def has(self, *kinds: str) -> bool:
        """Whether there is a sign of one of these kinds."""
        return any(self._signs.get(kind) for kind in kinds if not kind.endswith(".")) or any(
            name.startswith(kind) for kind in kinds if kind.endswith(".") for name in self._signs
        )

    # Failures --------------------------------------------------------------------------------------------------

    @cached_property
    def failures(self) -> tuple[AllocationFailure, ...]:
        """Every refused allocation on a device that is one: what the run survived is left out."""
        benign = {sign.place.order for sign in self.all("benign.bfc", "benign.retry", "benign.skipped_batch")}
        found = [one for source in self.found for one in source.failures if one.place.order not in benign]
        return tuple(sorted(found, key=lambda one: one.place.order))

    @cached_property
    def host_failures(self) -> tuple[AllocationFailure, ...]:
        """Every refused allocation in host memory."""
        found = [one for source in self.found for one in source.host_failures]
        return tuple(sorted(found, key=lambda one: one.place.order))

    @cached_property
    def failure(self) -> AllocationFailure | None:
        """The allocation that failed first on a device, with what a snapshot adds to its figures."""
        told = self._told_failure
        return None if told is None else completed(told, memory_of(self.found, told))

    @cached_property
    def memory(self) -> Memory | None:
        """What a snapshot tells of the failure, or of a run that did not fail; None without one."""
        return memory_of(self.found, self._told_failure)

    @cached_property
    def _told_failure(self) -> AllocationFailure | None:
        """Of the failures of one moment, the one that says most."""
        real = [one for one in self.failures if not one.is_absurd] or list(self.failures)
        if not real:
            return None
        rank = self.first_failing_rank
        of_rank = [one for one in real if one.rank == rank] or real
        telling = [one for one in of_rank if one.tried_bytes is not None]
        first = (telling or of_rank)[0]
        # PyTorch 2.14 warns of the refusal before it raises the error: of one request, what says most.
        same = [one for one in telling if one.tried_bytes == first.tried_bytes and _is_near(one, first)]
        return max(same, key=_figures, default=first)

    @cached_property
    def first_failing_rank(self) -> int | None:
        """The rank that failed first: by time where every line has one, else by place; else by the launcher's word."""
        ranked = [one for one in self.failures if one.rank is not None]
        if ranked:
            if all(one.place.at for one in ranked):
                return min(ranked, key=lambda one: (one.place.at or "", one.place.order)).rank
            return ranked[0].rank
        root = self.first("torch.elastic_root")
        return None if root is None else root.number("rank_count")

    @cached_property
    def balance(self) -> Balance:
        """The balance sheet of the failure."""
        return Balance() if self.failure is None else balance_of(self.failure)

    @cached_property
    def last_epoch(self) -> int | None:
        """The last epoch that a progress line names before the failure; None where none does."""
        numbers = [int(found[1]) for found in _EPOCH.finditer(self.text)]
        return numbers[-1] if numbers else None

    @cached_property
    def last_step(self) -> int | None:
        """The step that the last progress line before the failure shows; None where none does."""
        numbers = [int(found[1] or found[2]) for found in _STEP.finditer(self.text)]
        return numbers[-1] if numbers else None

    def told_bytes(self, what: str) -> int | None:
        """Give a counter of the allocator at the failure, as a black box or a printed memory_summary tells it.

        Args:
            what: allocated, active or requested.
        """
        recorded = None if self.failure is None else getattr(self.failure, f"{what}_bytes")
        printed = self.all(f"torch.summary_{what}")
        if printed and (recorded is None or what == "allocated"):
            return printed[-1].number("now_bytes")
        return recorded if isinstance(recorded, int) else None

    def told_gap_bytes(self, more: str, less: str, *, part: float) -> int | None:
        """Give by how much one counter (see `told_bytes`) passes another, where that explains the failure.

        None where a figure is missing, or where the gap is below what was short, or below `part` of the larger one.
        """
        larger, smaller, short = self.told_bytes(more), self.told_bytes(less), self.balance.short_bytes
        if larger is None or smaller is None or short is None:
            return None
        gap = larger - smaller
        return gap if gap >= max(part * larger, short) else None

    # Circumstances ---------------------------------------------------------------------------------------------

    @cached_property
    def framework(self) -> str:
        """What ran: vllm, sglang, llama.cpp, comfyui, deepspeed, transformers, pytorch, and so on."""
        return framework_of(self)

    @cached_property
    def phase(self) -> str:
        """What it was doing: load, forward, backward, optimizer, eval, save, inference, capture, build, training."""
        return phase_of(self)

    @cached_property
    def expected(self) -> Expected | None:
        """The model and its layout in the terms of a plan; None where nothing names a model that is known."""
        return expected_of(self)

    @cached_property
    def traces(self) -> tuple[Trace, ...]:
        """Every traceback."""
        found = [one for source in self.found for one in source.traces]
        return tuple(sorted(found, key=lambda one: one.place.order))

    @cached_property
    def trace(self) -> Trace | None:
        """The traceback of the failure; without a failure, the last."""
        framed = [one for one in self.traces if one.frames]
        if self.failure is None:
            return framed[-1] if framed else None
        at = self.failure.place
        near = [
            one
            for one in framed
            if one.place.source == at.source and abs(one.place.order - at.order) <= _NEAR_LINES
        ]
        return min(near, key=lambda one: abs(one.place.order - at.order), default=None)

    @property
    def frames(self) -> tuple[StackFrame, ...]:
        """The frames of the failure, outermost first."""
        return () if self.trace is None else self.trace.frames

    def in_frames(self, expression: str) -> StackFrame | None:
        """Give the innermost frame of the failure whose function, code or file matches."""
        wanted = re.compile(expression)
        for frame in reversed(self.frames):
            if wanted.search(f"{frame.file}:{frame.function}:{frame.code}"):
                return frame
        return None

    def says(self, expression: str) -> bool:
        """Whether the text matches; for circumstances, never for a cause by itself."""
        return re.search(expression, self.text) is not None

    # Settings --------------------------------------------------------------------------------------------------

    def number(self, name: str) -> int | None:
        """Give a setting that is a number."""
        setting = self._settings.get(name)
        return int(setting.value) if setting is not None and isinstance(setting.value, int | float) else None

    def setting(self, name: str) -> Setting | None:
        """Give a setting with its place."""
        return self._settings.get(name)

    def flag(self, name: str) -> bool:
        """Whether something was turned on, as far as the log tells."""
        return name in self._settings

    # Words -----------------------------------------------------------------------------------------------------

    @staticmethod
    def cite(
        fact: Sign | AllocationFailure | Trace | Setting,
        says: str | None = None,
        value: float | str | None = None,
    ) -> Evidence:
        """Make evidence of a fact: what it says, or our words for it."""
        text = says if says is not None else str(getattr(fact, "text", ""))
        return Evidence(source=str(fact.place), says=text, value=value)
