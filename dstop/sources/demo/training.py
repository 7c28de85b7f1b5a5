"""The training job: what each rank holds, and who it is.

The caching allocator gives nothing back by itself, so a rank climbs in stairs, one a step that met a longer
sequence; this job empties its cache every six steps, and that makes the saw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.process import ProcessFacts
from dstop.sources.demo.noise import scramble
from dstop.sources.demo.story import (
    FULL_AGE_S,
    LOADING_AGE_S,
    OOM_AGE_S,
    TRAINING_AGE_S,
    Phase,
    launched_at_s,
)
from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from dstop.sources.demo.scenery import Card

SHARDED_WORLD = 6
"""From this many ranks on the whole model is trained (FSDP); fewer have room for LoRA alone."""
STEP_S, FLUSH_STEPS = 2.0, 6
CONTEXT_BYTES = 554 * MIB
_GRAIN = 2 * MIB
"""The driver hands out memory in pages of this size."""
_SAW_BYTES = 5 * GIB
_LONGEST_S = OOM_AGE_S - TRAINING_AGE_S
_ENDGAME_S = 2 * STEP_S


def rank_bytes(card: Card, phase: Phase, age_s: float, world_size: int) -> int:
    """Give what the rank on a card holds of it, in whole driver pages."""
    if phase is Phase.ABSENT:
        return 0
    sharded = world_size >= SHARDED_WORLD
    states = states_bytes(world_size)
    if phase is Phase.STARTING:
        return CONTEXT_BYTES
    if phase is Phase.LOADING:
        done = (age_s - LOADING_AGE_S) / (TRAINING_AGE_S - LOADING_AGE_S)
        return (CONTEXT_BYTES + int(done * states)) // _GRAIN * _GRAIN
    settled = min(age_s, OOM_AGE_S)
    base = int((46.5 if sharded else 35.0) * GIB) + scramble(card.seed, 7) % (700 * MIB)
    wanted = base + _longer_sequences(card, base, settled) + saw_bytes(settled)
    room = card.room_bytes
    if card.unlucky:
        wanted = _at_the_ceiling(card, wanted, room, settled)
    return min(wanted, room) // _GRAIN * _GRAIN


def states_bytes(world_size: int) -> int:
    """Give weights, gradients and optimizer states of one rank: 16 bytes a parameter, sharded (LoRA: the weights)."""
    return int((29.3 if world_size >= SHARDED_WORLD else 30.1) * GIB)


def _longer_sequences(card: Card, base: int, age_s: float) -> int:
    """Give what the growing sequences add; the unlucky rank's grow until it fills its card at FULL_AGE_S."""
    stairs = age_s // STEP_S * STEP_S - TRAINING_AGE_S
    if card.unlucky:
        return int((card.room_bytes - base - _SAW_BYTES) * stairs / (FULL_AGE_S - TRAINING_AGE_S))
    growth = 0.16 * base + scramble(card.seed, 8) % (2 * GIB)
    return int(growth * stairs / _LONGEST_S)


def saw_bytes(age_s: float) -> int:
    """Give the cached blocks that the next flush lets go."""
    return int(age_s // STEP_S) % FLUSH_STEPS * _SAW_BYTES // (FLUSH_STEPS - 1)


def _at_the_ceiling(card: Card, wanted: int, room: int, age_s: float) -> int:
    """Bend the climb where the card ends: an allocation fails, the cache is emptied, and it fills again."""
    if age_s >= OOM_AGE_S - _ENDGAME_S:
        return room - 12 * MIB
    if age_s < FULL_AGE_S or wanted < room:
        return wanted
    retry = scramble(card.seed, int(age_s // STEP_S), 9) % (2 * GIB)
    return room - (retry if age_s % STEP_S < STEP_S / 2 else 14 * MIB)


def rank_facts(card: Card, launch: int, world_size: int, *, epoch_s: float, speed: float) -> ProcessFacts:
    """Give who a rank is: a child of that launch's torchrun, with a PID of its own."""
    rank = card.rank or 0
    launcher = _launcher_pid(launch)
    started = launched_at_s(launch) + 1.2 + 0.01 * rank
    return ProcessFacts(
        pid=launcher + 66 + rank,
        ppid=launcher,
        started_at_s=round(epoch_s + started / speed, 2),
        uid=1003,
        user="deepa",
        command="train.py",
        cmdline=_command_line(world_size),
        rank=rank,
        local_rank=rank,
        world_size=world_size,
        job=f"torchrun:{launcher}",
        framework="pytorch",
        model="DeepSeek-V2-Lite",
        unavailable={"container": "not in a container"},
    )


def _launcher_pid(launch: int) -> int:
    """Give the PID of a launch: each some thousand later, as on a host that lives."""
    return 482_103 + launch * 2_417 % 3_000_000


def _command_line(world_size: int) -> tuple[str, ...]:
    """Give the command line: FSDP over the whole model, or LoRA where that has no room.

    The micro-batches are those that a footprint comes near the story's figures with.
    """
    sharded = world_size >= SHARDED_WORLD
    adapters = ("--lora-rank", "64", "--lora-target-modules", "q_proj", "kv_b_proj")
    how = ("--fsdp", "full_shard") if sharded else adapters
    return (
        "/opt/envs/sft/bin/python",
        "-u",
        "train.py",
        "--model",
        "deepseek-ai/DeepSeek-V2-Lite",
        *how,
        "--dtype",
        "bf16",
        "--max-seq-len",
        "4096",
        "--micro-batch",
        "4" if sharded else "1",
        "--gradient-checkpointing",
        "--empty-cache-every",
        str(FLUSH_STEPS),
        "--run",
        "v2lite-sft-0412",
    )
