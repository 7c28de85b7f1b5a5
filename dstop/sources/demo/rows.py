"""The process rows of one card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.process import GpuProcess, ProcessFacts
from dstop.sources.demo.neighbours import HIDDEN, Role
from dstop.sources.demo.noise import scramble, wobble
from dstop.sources.demo.story import LOOP_S, Phase
from dstop.sources.demo.training import rank_bytes
from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from dstop.sources.demo.load import Load
    from dstop.sources.demo.neighbours import Neighbour
    from dstop.sources.demo.scenery import Card

PROBE_EVERY_S, PROBE_FOR_S = 30.0, 5.0
PROBE_RESTS = (110.0, 200.0)
"""The health probe leaves a card that is nearly full alone, and the minute after the crash."""
_MIG_SHARE = "MIG is on: the driver counts no utilisation per process"
_TERSE_SHARE = "not supported by this driver on this card"
_TERSE_MEMORY = "the driver gives no memory per process on this card"
_UNSEEN = {"cpu_pct": HIDDEN, "rss_bytes": HIDDEN, "state": HIDDEN}


def rank_row(card: Card, load: Load, facts: ProcessFacts, world_size: int, at_s: float) -> GpuProcess:
    """Give the row of the rank on a card that has one there now."""
    work = load.rank
    share = min(work.busy, 1.0 - load.server)
    silent = {"gpu_memory_bytes": _TERSE_MEMORY, "sm_pct": _TERSE_SHARE, "memory_pct": _TERSE_SHARE}
    return GpuProcess(
        gpu_index=card.index,
        gpu_uuid=card.uuid,
        pid=facts.pid,
        gpu_memory_bytes=None if card.terse else rank_bytes(card, load.phase, load.age_s, world_size),
        sm_pct=None if card.terse else round(100 * share),
        memory_pct=None if card.terse else round(100 * work.memory_busy * share),
        encoder_pct=0,
        decoder_pct=0,
        facts=facts,
        cpu_pct=round(work.cpu_pct * (1 + 0.05 * wobble(card.seed, 11, at_s / 2)), 1),
        rss_bytes=_rank_rss(load) + scramble(card.seed, 12) % (420 * MIB) // 4096 * 4096,
        state="D" if load.phase is Phase.CHECKPOINT else "R",
        unavailable=silent if card.terse else {},
    )


def _rank_rss(load: Load) -> int:
    """Give the host memory of a rank: the weights pass through it, and a checkpoint is gathered in it."""
    if load.phase is Phase.STARTING:
        return 2 * GIB + 310 * MIB
    if load.phase is Phase.LOADING:
        return 5 * GIB + int(load.age_s * 390) * MIB
    gathered = 3 * GIB + 900 * MIB if load.phase is Phase.CHECKPOINT else 0
    return 8 * GIB + 740 * MIB + int(load.age_s * 3.1) * MIB + gathered


def neighbour_row(card: Card, neighbour: Neighbour, load: Load, at_s: float) -> GpuProcess:
    """Give the row of a program that was there before the demo."""
    hidden = neighbour.role is Role.STRANGER
    silent = card.mig or card.terse
    share = min(neighbour.busy(at_s), load.busy)
    unavailable = dict(_UNSEEN) if hidden else {}
    if silent:
        reason = _MIG_SHARE if card.mig else _TERSE_SHARE
        unavailable |= dict.fromkeys(("sm_pct", "memory_pct"), reason)
    if card.mig:
        unavailable |= dict.fromkeys(("encoder_pct", "decoder_pct"), _MIG_SHARE)
    return GpuProcess(
        gpu_index=card.index,
        gpu_uuid=card.uuid,
        pid=neighbour.facts.pid,
        gpu_memory_bytes=neighbour.memory_bytes,
        sm_pct=None if silent else round(100 * share),
        memory_pct=None if silent else round(62 * share),
        encoder_pct=None if card.mig else 0,
        decoder_pct=None if card.mig else 0,
        gpu_instance_id=neighbour.gpu_instance_id,
        compute_instance_id=None if neighbour.gpu_instance_id is None else 0,
        facts=neighbour.facts,
        cpu_pct=neighbour.cpu_pct(at_s),
        rss_bytes=neighbour.rss_bytes,
        state=None if hidden else ("R" if neighbour.role is Role.SERVER else "S"),
        unavailable=unavailable,
    )


def probe_row(card: Card, count: int, at_s: float, *, epoch_s: float, speed: float) -> GpuProcess | None:
    """Give the row of root's health probe while it looks at this card: it walks from card to card."""
    visit, into = divmod(at_s, PROBE_EVERY_S)
    if into >= PROBE_FOR_S or int(visit) % count != card.index or card.mig or card.lost:
        return None
    if PROBE_RESTS[0] <= at_s % LOOP_S < PROBE_RESTS[1]:
        return None
    began = visit * PROBE_EVERY_S
    facts = ProcessFacts(
        pid=1_204_411 + int(visit) * 97 % 900_000,
        ppid=1_988,
        started_at_s=round(epoch_s + began / speed, 2),
        uid=0,
        user="root",
        command="gpu-probe",
        cmdline=("/usr/local/bin/gpu-probe", "--device", str(card.index), "--memory", "64MiB"),
        unavailable=_PROBE_UNKNOWN,
    )
    return GpuProcess(
        gpu_index=card.index,
        gpu_uuid=card.uuid,
        pid=facts.pid,
        gpu_memory_bytes=582 * MIB,
        sm_pct=None if card.terse else 0,
        memory_pct=None if card.terse else 0,
        encoder_pct=0,
        decoder_pct=0,
        facts=facts,
        cpu_pct=41.0,
        rss_bytes=212 * MIB,
        state="R",
        unavailable=dict.fromkeys(("sm_pct", "memory_pct"), _TERSE_SHARE) if card.terse else {},
    )


_PROBE_UNKNOWN = {
    "container": "not in a container",
    "framework": "not a framework that dstop knows",
    "model": "not a framework that dstop knows",
    **dict.fromkeys(("rank", "local_rank", "world_size", "job"), "not one of several ranks"),
}
