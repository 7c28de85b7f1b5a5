"""What makes the cards slower than they are?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.environment.checks.words import answering, card_list, cards, on_host
from dstop.doctor.environment.values import Question
from dstop.model.gpu import QUIET_REASONS
from dstop.units import watts_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dstop.doctor.environment.facts import Board, Facts
    from dstop.doctor.environment.values import Check
    from dstop.model.gpu import Gpu

_POWER = Question("hardware.power_limit", "power limit", "NVML")
_CLOCKS = Question("hardware.clocks", "what holds the clocks down now", "NVML")
_LINK = Question("hardware.pcie", "PCIe lanes", "NVML")

_HARD = frozenset({"hw_slowdown", "hw_thermal", "hw_power_brake"})
_WORDS = {
    "hw_slowdown": "the hardware's slowdown",
    "hw_thermal": "heat, by the hardware",
    "hw_power_brake": "the server's power brake",
    "sw_thermal": "heat, by the driver",
    "power_cap": "the power limit",
}


def speed(facts: Facts) -> Iterator[Check]:
    """Power limit, clocks, and the bus."""
    gpus, boards = answering(facts), {board.index: board for board in facts.boards.boards}
    capped = [
        (gpu, default)
        for gpu in gpus
        if gpu.power_limit_mw is not None
        and (default := _default(boards.get(gpu.index))) is not None
        and gpu.power_limit_mw < default
    ]
    if capped:
        gpu, default = capped[0]
        yield _POWER.warns(
            f"{watts_text(gpu.power_limit_mw)} W of {watts_text(default)} W on {_named([c for c, _ in capped], facts)}:"
            " the clocks stay lower under load",
            f"sudo nvidia-smi -i {card_list([c for c, _ in capped])} -pl {watts_text(default)}{on_host(facts)}",
            gpu.power_limit_mw,
        )
    elif any(_default(board) is not None for board in boards.values()):
        yield _POWER.passes("as the boards come")
    yield from _clocks(gpus, facts)
    narrow = [
        (gpu, board.pcie_width_max)
        for gpu in gpus
        if (board := boards.get(gpu.index)) is not None
        and board.pcie_width_max is not None
        and gpu.pcie_width is not None
        and gpu.pcie_width < board.pcie_width_max
    ]
    if narrow:
        gpu, most = narrow[0]
        yield _LINK.warns(
            f"{gpu.pcie_width} of {most} on {_named([c for c, _ in narrow], facts)}: copies from the host are slower"
            " (riser, slot, or a bad contact)",
            f"nvidia-smi -q -i {gpu.index} | grep -A8 'GPU Link Info'",
            gpu.pcie_width,
        )
    elif boards and any(gpu.pcie_width for gpu in gpus):
        yield _LINK.passes("as many as the cards have")


def _clocks(gpus: Sequence[Gpu], facts: Facts) -> Iterator[Check]:
    reasons: dict[str, list[Gpu]] = {}
    for gpu in gpus:
        for reason in gpu.throttle_reasons or ():
            if reason not in QUIET_REASONS:
                reasons.setdefault(reason, []).append(gpu)
    told = [f"{_WORDS.get(reason, reason)} ({_named(held, facts)})" for reason, held in reasons.items()]
    if _HARD & reasons.keys():
        yield _CLOCKS.fails(
            f"{'; '.join(told)}: the card runs at a fraction", "nvidia-smi -q -d PERFORMANCE,TEMPERATURE"
        )
    elif reasons.keys() - {"power_cap"}:
        yield _CLOCKS.warns(
            f"{'; '.join(told)}: steps take longer", "nvidia-smi -q -d PERFORMANCE,TEMPERATURE"
        )
    elif reasons:
        yield _CLOCKS.passes(f"{'; '.join(told)}, as it is under full load")
    elif any(gpu.throttle_reasons is not None for gpu in gpus):
        yield _CLOCKS.passes("nothing")


def _default(board: Board | None) -> int | None:
    return None if board is None else board.power_default_mw


def _named(gpus: Sequence[Gpu], facts: Facts) -> str:
    return cards((gpu.index for gpu in gpus), facts)
