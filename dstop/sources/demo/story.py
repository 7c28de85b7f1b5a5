"""The script of the demo: what happens when, in a loop of four minutes.

  0 s  DeepSeek-V2-Lite trains on every card; rank 3 shares its card with alice's idle notebook
 60 s  a checkpoint: five seconds of writing
 90 s  a row of one card is marked for remapping (Xid 63: no program ends, a reset is due)
100 s  the driver calls of one card do not come back for eight seconds
138 s  rank 3 is at the top of its card: the allocator empties its cache and tries again
150 s  rank 3 runs out of memory; the others wait for it in NCCL, busy and cool
160 s  the launcher ends them
200 s  and starts the job again, with new PIDs
"""

from __future__ import annotations

from enum import StrEnum
from math import floor

LOOP_S = 240.0
RESTART_AT_S = 200.0
XID_AT_S = 90.0
STALE_FROM_S, STALE_FOR_S = 100.0, 8.0

CONTEXT_AGE_S = 4.0
"""When a new rank has its CUDA context, and so appears on its card."""
LOADING_AGE_S, TRAINING_AGE_S = 6.0, 22.0
CHECKPOINT_AGE_S, CHECKPOINT_FOR_S = 100.0, 5.0
FULL_AGE_S = 178.0
"""When the unlucky rank first asks for more than its card has."""
OOM_AGE_S, TRACEBACK_FOR_S = 190.0, 1.5
HANG_FOR_S, EXIT_GAP_S = 10.0, 0.25


class Phase(StrEnum):
    """What a rank does."""

    ABSENT = "absent"
    STARTING = "starting"
    LOADING = "loading"
    TRAINING = "training"
    CHECKPOINT = "checkpoint"
    HANGING = "hanging"
    DYING = "dying"


def launch_of(at_s: float) -> tuple[int, float]:
    """Give the number of the job's present launch and its age in seconds; launch 0 began before second 0."""
    since = at_s + LOOP_S - RESTART_AT_S
    number = floor(since / LOOP_S)
    return number, since - number * LOOP_S


def launched_at_s(launch: int) -> float:
    """Give the moment of the story at which a launch began."""
    return launch * LOOP_S - (LOOP_S - RESTART_AT_S)


def phase_of(age_s: float, rank: int, *, unlucky: bool) -> Phase:
    """Say what a rank of that age does; the unlucky one is the one that runs out of memory."""
    if age_s < CONTEXT_AGE_S:
        return Phase.ABSENT
    if age_s < LOADING_AGE_S:
        return Phase.STARTING
    if age_s < TRAINING_AGE_S:
        return Phase.LOADING
    if age_s < OOM_AGE_S:
        saving = 0 <= age_s - CHECKPOINT_AGE_S < CHECKPOINT_FOR_S
        return Phase.CHECKPOINT if saving else Phase.TRAINING
    if unlucky:
        return Phase.DYING if age_s < OOM_AGE_S + TRACEBACK_FOR_S else Phase.ABSENT
    leaves_at = OOM_AGE_S + HANG_FOR_S + rank * EXIT_GAP_S
    return Phase.HANGING if age_s < leaves_at else Phase.ABSENT


def stale_for(at_s: float) -> float:
    """Give for how long the driver calls of the stuck card have not come back; 0 when they do."""
    into = at_s % LOOP_S - STALE_FROM_S
    return into if 0 < into < STALE_FOR_S else 0.0
