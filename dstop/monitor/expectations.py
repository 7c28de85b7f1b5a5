"""What every model of a sample should hold: recognised once, apart from the reading, and compared at every step.

Recognising may wait for a disk, a hook or an import, so it has a thread of its own; a step only looks up what is there.
Of machines that are not ours (the demo, a recording, a plugin's source) nothing more is asked than the sample says, and
that at once.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from dstop.monitor.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from dstop.footprint.live.hook import Held
    from dstop.footprint.live.known import Known
    from dstop.model.footprint import Expectation
    from dstop.model.guest import Guest, ProcessId
    from dstop.model.process import GpuProcess
    from dstop.model.sample import Sample
    from dstop.model.segment import ModelFacts
    from dstop.settings.profiles import Profile
    from dstop.sources.reach import Reach

NOT_YET = "not worked out yet"
MOST_KEPT = 1024
_LEAST_ALLOCATED_BYTES = 64 << 20
"""Below it a process with a hook has no model on the card yet: it is not asked to count its modules."""
_ASK_AGAIN_NS = 15 * 10**9
_MOST_ASKED = 5
"""To count its modules takes a process a tenth of a second: it is asked a few times, and at ever longer intervals."""
_MOVED = 0.1


class _Place(NamedTuple):
    """A row, for as long as it is the same process on the same card."""

    process: ProcessId
    gpu_index: int
    instance: int | None


class _Entry:
    """What is known of one row."""

    __slots__ = ("drawn", "found", "held", "signature")

    def __init__(self) -> None:
        self.signature: object = None
        self.found: Known | str = NOT_YET
        self.held: Held | None = None
        self.drawn: tuple[object, Expectation] | None = None


class _Asked:
    """What a hook has told of its modules, and when it was asked last."""

    __slots__ = ("allocated", "at_ns", "facts", "times", "waiting")

    def __init__(self) -> None:
        self.facts: ModelFacts | None = None
        self.at_ns = 0
        self.allocated = 0
        self.times = 0
        self.waiting = False


class Expectations:
    """Puts an Expectation, or the reason why there is none, into the rows of a sample.

    Args:
        reach: reads more of the processes of this machine; None where they are another's.
        ask: has a hook count its modules and optimizers; None where there are no hooks.
        of_user: `[[footprint]]` of the configuration file.
        tier: a tier of the sizing guide, for models that nothing else tells.
        only: the processes that matter; all unless given.
        at_once: work things out within the step: where nothing is ever slow, and where nobody waits.
        patience_s: how long the first sample waits for what is not known yet; one sample is all that some want.
        defer: steps to let pass before anything is looked into: the first screen does not wait for that.
    """

    def __init__(
        self,
        reach: Reach | None = None,
        *,
        ask: Callable[[ProcessId], ModelFacts] | None = None,
        of_user: Sequence[Profile] = (),
        tier: str | None = None,
        only: Collection[ProcessId] | None = None,
        at_once: bool = False,
        patience_s: float = 0.0,
        defer: int = 0,
    ) -> None:
        self._reach, self._ask_hook = reach, ask
        self._of_user, self._tier, self._only = of_user, tier, only
        self._at_once, self._patience_s, self._defer = at_once, patience_s, defer
        self._entries: dict[_Place, _Entry] = {}
        self._asked: dict[ProcessId, _Asked] = {}
        self._work = Worker("dstop-footprint")
        self._hooks = Worker("dstop-modules")

    def joined(self, sample: Sample, guests: Mapping[ProcessId, Guest]) -> Sample:
        """Give the sample with what each model in it should hold."""
        if self._defer > 0:
            self._defer -= 1
            return sample
        candidates = [row for row in sample.processes if self._is_candidate(row, guests)]
        if not candidates:
            return sample
        for row in candidates:
            self._notice(row, sample, guests)
        if self._patience_s > 0:
            self._hooks.wait(self._patience_s)
            for row in candidates:
                self._notice(row, sample, guests)  # with what the hooks have told
            self._work.wait(self._patience_s)
            self._patience_s = 0.0
        self._forget(sample)
        wanted = {_place(row) for row in candidates}
        rows = tuple(self._told(row) if _place(row) in wanted else row for row in sample.processes)
        return replace(sample, processes=rows)

    def close(self) -> None:
        """Look into nothing more; safe to call twice, and waits for nobody."""
        self._work.stop()
        self._hooks.stop()

    def _is_candidate(self, row: GpuProcess, guests: Mapping[ProcessId, Guest]) -> bool:
        """Whether it is worth a look: for all others, nothing of the arithmetic is even imported."""
        if self._only is not None and row.id not in self._only:
            return False
        if row.facts.model is not None or row.id in guests:
            return True
        if self._tier is not None and row.facts.framework is not None:
            return True
        return any(profile.fits(row.facts.cmdline) for profile in self._of_user)

    def _notice(self, row: GpuProcess, sample: Sample, guests: Mapping[ProcessId, Guest]) -> None:
        """Have a row worked out that is new, or of which something new is known."""
        attached = row.id in guests
        inside = self._inside(row, sample.taken_at_ns) if attached else None
        facts = row.facts
        total = _card_bytes(row, sample)
        signature = (
            facts.cmdline,
            facts.model,
            facts.framework,
            facts.rank,
            facts.world_size,
            attached,
            inside,
            total,
        )
        entry = self._entries.setdefault(_place(row), _Entry())
        if entry.signature == signature:
            return
        entry.signature = signature

        def work() -> None:
            entry.found, entry.held = self._recognised(row, inside, total, attached=attached)
            entry.drawn = None

        work() if self._at_once else self._work.do(work)

    def _recognised(
        self, row: GpuProcess, inside: ModelFacts | None, total: int | None, *, attached: bool
    ) -> tuple[Known | str, Held | None]:
        """Recognise one row; whatever goes wrong is its reason, and never the monitor's end."""
        try:
            from dstop.footprint.live.hook import held_of  # noqa: PLC0415 - once a model is there
            from dstop.footprint.live.known import Witness  # noqa: PLC0415 - as above
            from dstop.footprint.live.profile import profile_clues  # noqa: PLC0415 - as above
            from dstop.footprint.live.recognise import recognise  # noqa: PLC0415 - as above

            reach, process = self._reach, row.id
            witness = Witness(
                facts=row.facts,
                cmdlines=() if reach is None else reach.parents(process),
                environ={} if reach is None else reach.environ(process),
                read=None if reach is None else lambda path, most: reach.read(process, path, most),
                attached=attached,
                inside=inside,
                gpu_bytes=total,
            )
            found = recognise(witness, profile_clues(self._of_user, row.facts, self._tier))
            device = None if row.allocator is None else row.allocator.index
            return found, held_of(inside, device)
        except Exception as error:  # noqa: BLE001 - the figures of the driver must not depend on it
            words = "".join(char if char.isprintable() else " " for char in repr(error)[:120])
            return f"it could not be worked out: {words}", None

    def _inside(self, row: GpuProcess, now_ns: int) -> ModelFacts | None:
        """Give what the hook has counted so far, and have it count when there may be something new."""
        allocated = None if row.allocator is None else row.allocator.allocated_bytes
        if self._ask_hook is None or allocated is None or allocated < _LEAST_ALLOCATED_BYTES:
            return None
        asked = self._asked.setdefault(row.id, _Asked())
        moved = abs(allocated - asked.allocated) > _MOVED * max(allocated, asked.allocated)
        due = now_ns - asked.at_ns >= _ASK_AGAIN_NS << max(0, asked.times - 1)
        if not asked.waiting and asked.times < _MOST_ASKED and (asked.times == 0 or (moved and due)):
            asked.waiting = True
            asked.times, asked.at_ns, asked.allocated = asked.times + 1, now_ns, allocated
            if self._at_once:
                self._count(row.id, asked)
            else:
                self._hooks.do(lambda: self._count(row.id, asked))
        return asked.facts

    def _count(self, process: ProcessId, asked: _Asked) -> None:
        try:
            if self._ask_hook is not None:
                asked.facts = self._ask_hook(process)
        except Exception:  # noqa: BLE001 - a hook that does not count leaves the other rungs
            return
        finally:
            asked.waiting = False

    def _told(self, row: GpuProcess) -> GpuProcess:
        entry = self._entries[_place(row)]
        found = entry.found
        if isinstance(found, str):
            return replace(row, unavailable={**row.unavailable, "footprint": found})
        device = row.allocator
        figures = (row.gpu_memory_bytes, device and (device.peak_allocated_bytes, device.reserved_bytes))
        if entry.drawn is None or entry.drawn[0] != figures:
            from dstop.footprint.live.compare import compare  # noqa: PLC0415 - once a model is there

            entry.drawn = (figures, compare(found, row, entry.held))
        return replace(row, expectation=entry.drawn[1])

    def _forget(self, sample: Sample) -> None:
        if len(self._entries) <= len(sample.processes):
            return
        alive = {row.id for row in sample.processes}
        self._entries = {place: entry for place, entry in self._entries.items() if place.process in alive}
        self._asked = {process: asked for process, asked in self._asked.items() if process in alive}


def _place(row: GpuProcess) -> _Place:
    return _Place(row.id, row.gpu_index, row.gpu_instance_id)


def _card_bytes(row: GpuProcess, sample: Sample) -> int | None:
    """Give what the process' card has, or the slice that it is on."""
    gpu = next((gpu for gpu in sample.gpus if gpu.index == row.gpu_index), None)
    if gpu is None or row.gpu_instance_id is None:
        return None if gpu is None else gpu.memory_total_bytes
    mine = (each for each in gpu.mig if each.gpu_instance_id == row.gpu_instance_id)
    instance = next(mine, None)
    return None if instance is None else instance.memory_total_bytes
