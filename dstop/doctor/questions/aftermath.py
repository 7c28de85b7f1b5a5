"""Which failure dragged which along: of many processes one fails first, and the others wait, or are ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import AllocationFailure, Place, Sign

    Fact = Sign | AllocationFailure

NAMED_KILLS = (
    "kernel.killed",
    "kernel.constraint",
    "kernel.oomd",
    "kernel.earlyoom",
    "slurm.oom",
    "batch.oom",
    "kubernetes.oom",
    "kubernetes.evicted",
    "host.ray",
    "notebook.oom",
)
"""Somebody says that he ended a process for its memory; such lines often stand last, or in another log."""

SILENT_KILLS = (
    "host.exit_137",
    "host.exit_9",
    "host.sigkill",
    "host.killed_word",
    "host.worker_killed",
    "slurm.killed",
)
"""A process ended with SIGKILL, and nobody says why."""

FAULTS = (
    "fault.illegal_access",
    "fault.illegal_instruction",
    "fault.launch_failure",
    "fault.assert",
    "fault.assert_line",
    "fault.segv",
    "driver.fallen_off",
    "driver.xid",
    "driver.ecc",
)
"""A context died of itself."""


def came_before(one: Fact, place: Place, waiting: Iterable[int] = ()) -> bool:
    """Whether a fact precedes a place: by time where both lines have one, else by the place in the log.

    Args:
        one: what may have come first.
        place: of what may be its aftermath.
        waiting: ranks that only waited; what another rank reports came first wherever it stands, because they were
            waiting for it.
    """
    ranks = set(waiting)
    if one.rank is not None and ranks and one.rank not in ranks:
        return True
    if one.place.at and place.at and one.place.at != place.at:
        return one.place.at < place.at
    return one.place.order < place.order


def device_failure_before(case: Case, place: Place, waiting: Iterable[int] = ()) -> AllocationFailure | None:
    """Give the refused allocation on a device that came first; what asks for more than 1EB is no allocation."""
    ranks = tuple(waiting)
    return next((one for one in case.failures if not one.is_absurd and came_before(one, place, ranks)), None)


def first_blow(case: Case, place: Place, waiting: Iterable[int] = ()) -> Fact | None:
    """Give what ended a process before this place or on a rank that does not wait; None where nothing did."""
    ranks = tuple(waiting)
    failure = device_failure_before(case, place, ranks)
    if failure is not None:
        return failure
    for refused in case.host_failures:
        if came_before(refused, place, ranks):
            return refused
    for sign in case.all(*FAULTS):
        if came_before(sign, place, ranks):
            return sign
    named = case.first(*NAMED_KILLS)
    if named is not None:
        return named
    silent = case.first(*SILENT_KILLS)
    if silent is not None and (
        silent.place.order < place.order or not case.has("nccl.aborted", "nccl.forced_exit")
    ):
        return silent  # a launcher that ends who hangs on does so after the others have aborted
    return None
