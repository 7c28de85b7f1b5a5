"""All checks of a machine, in the order in which somebody should read them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dstop.doctor.environment.checks import (
    allocator,
    container,
    driver,
    hardware,
    limits,
    memory,
    nccl,
    processes,
    ranks,
    settings,
    speed,
    torch,
    visible,
    xids,
)
from dstop.doctor.environment.gathering.gather import gather
from dstop.doctor.environment.values import Check, CheckStatus, Question
from dstop.sources.procfs.reading import clean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dstop.doctor.environment.facts import Facts

__all__ = ["CHECKS", "examine", "gather"]

_LONGEST = 600

CHECKS: tuple[Callable[[Facts], Iterable[Check]], ...] = (
    driver.answers,
    driver.versions,
    driver.device_access,
    driver.uvm,
    driver.fabric_manager,
    torch.torch_builds,
    container.kind,
    container.devices,
    container.asked,
    container.pids,
    container.ipc,
    hardware.state,
    xids.xids,
    hardware.memory_errors,
    hardware.ecc,
    hardware.modes,
    hardware.mig,
    speed.speed,
    memory.size,
    memory.free,
    memory.kills,
    memory.swap,
    memory.shm,
    memory.address_space,
    limits.open_files,
    limits.locked_memory,
    limits.address_space,
    limits.tasks,
    limits.ptrace,
    processes.unattributed,
    processes.ghosts,
    processes.stopped,
    processes.environments,
    ranks.ranks,
    settings.devices,
    visible.visible,
    visible.order,
    allocator.conf,
    allocator.options,
    allocator.twice,
    allocator.by_version,
    settings.communication,
    nccl.names,
    nccl.interfaces,
    nccl.adapters,
)
"""Every question, by subject."""


_NEEDS = {
    "allocator": ("shell",),
    "container": ("container", "driver", "shell"),
    "driver": ("driver", "container"),
    "limits": ("limits",),
    "memory": ("memory",),
    "nccl": ("shell", "limits"),
    "processes": ("jobs",),
    "ranks": ("jobs",),
    "settings": ("shell", "limits"),
    "torch": ("torches", "driver"),
    "visible": ("shell",),
    "xids": ("kernel_log",),
}
"""Module of checks -> parts without which its checks would take what was not seen for what is not there."""

_OF_THE_SAMPLE = frozenset({driver.answers})


def examine(facts: Facts, checks: Iterable[Callable[[Facts], Iterable[Check]]] = CHECKS) -> tuple[Check, ...]:
    """Ask all questions; one that stumbles gives its reason and not a traceback. Pure; the order is always the same."""
    found: list[Check] = []
    for part, reason in sorted(facts.unavailable.items()):
        if part != "sample":
            question = Question(f"gather.{part}", f"gathering: {part}", "dstop")
            found.append(
                question.unknown(f"could not be gathered: {reason}; checks that need it are left out")
            )
    for check in checks:
        needs = () if check in _OF_THE_SAMPLE else _NEEDS.get(check.__module__.rpartition(".")[2], ())
        if facts.unavailable.keys().isdisjoint(needs):
            found += _asked(check, facts)
    return tuple(_numbered([_harmless(each) for each in found]))


def _asked(check: Callable[[Facts], Iterable[Check]], facts: Facts) -> Iterator[Check]:
    try:
        yield from check(facts)
    except Exception as error:  # noqa: BLE001 - a hostile figure must not take the other checks with it
        group = check.__module__.rpartition(".")[2]
        question = Question(f"{group}.{check.__name__}", check.__name__.replace("_", " "), "dstop")
        yield question.unknown(f"could not be checked ({type(error).__name__}: {str(error)[:200]})")


def _numbered(checks: Iterable[Check]) -> Iterator[Check]:
    """Tell answers to the same question apart by their ids: `allocator.conf`, `allocator.conf.2`."""
    met: dict[str, int] = {}
    for check in checks:
        count = met[check.id] = met.get(check.id, 0) + 1
        yield check if count == 1 else replace(check, id=f"{check.id}.{count}")


def _harmless(check: Check) -> Check:
    """Make every text printable and short, wherever its parts came from."""
    value = clean(check.value)[:_LONGEST] if isinstance(check.value, str) else check.value
    return replace(
        check,
        id=clean(check.id)[:120],
        title=clean(check.title)[:120],
        status=CheckStatus(check.status),
        says=clean(check.says)[:_LONGEST],
        fix=None if check.fix is None else clean(check.fix)[:_LONGEST],
        value=value,
        source=clean(check.source)[:200],
    )
