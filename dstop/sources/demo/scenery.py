"""Who sits on which card: the fixed part of the scene, laid out once for any number of cards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.model.value import Value
from dstop.sources.demo.neighbours import mig_neighbours, notebook, stranger, vllm_server
from dstop.sources.demo.noise import scramble
from dstop.units import MIB

if TYPE_CHECKING:
    from dstop.sources.demo.neighbours import Neighbour

TOTAL_BYTES = 81559 * MIB
RESERVED_BYTES = 597 * MIB
USABLE_BYTES = TOTAL_BYTES - RESERVED_BYTES
BOOKKEEPING_BYTES = 6 * MIB
"""What a card shows as used beyond its processes."""
ORPHAN_BYTES = 2356 * MIB
_NODE = 8
_BUSES = (0x18, 0x2A, 0x3A, 0x5D, 0x9A, 0xAB, 0xBA, 0xDB)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Card(Value):
    """One card's place in the scene."""

    index: int
    uuid: str
    pci_bus_id: str
    seed: int
    rank: int | None = None
    unlucky: bool = False
    """Its rank is the one that runs out of memory."""
    neighbours: tuple[Neighbour, ...] = ()
    orphan_bytes: int = 0
    eager: bool = False
    """Asks for more power than it may have."""
    hot: bool = False
    remaps: bool = False
    sticks: bool = False
    mig: bool = False
    lost: bool = False
    terse: bool = False
    """Its driver answers few questions."""

    @property
    def room_bytes(self) -> int:
        """What a rank can have of it at most."""
        taken = sum(neighbour.memory_bytes for neighbour in self.neighbours)
        return USABLE_BYTES - BOOKKEEPING_BYTES - self.orphan_bytes - taken


def spot(role: int, count: int) -> int:
    """Put one of eight roles on one of `count` cards; from eight cards on each has its own."""
    return role if count >= _NODE else role * count // _NODE


def lay_out(
    count: int, *, seed: int, epoch_s: float, mig: bool = False, broken: bool = False
) -> tuple[Card, ...]:
    """Lay out the scene: ranks on every whole card that works, neighbours where they hurt."""
    lost = min(1, count - 1) if broken else None
    terse = _terse_card(count) if broken else None
    ranked = [index for index in range(count) if index != lost and not (mig and index == 0)]
    crowded = spot(3, count)
    return tuple(
        Card(
            index=index,
            uuid=device_uuid("GPU", seed, index),
            pci_bus_id=f"{index // _NODE:08X}:{_BUSES[index % _NODE]:02X}:00.0",
            seed=seed * 1009 + index,
            rank=ranked.index(index) if index in ranked else None,
            unlucky=index == crowded and index in ranked,
            neighbours=mig_neighbours(epoch_s) if mig and index == 0 else _beside(index, count, epoch_s),
            orphan_bytes=ORPHAN_BYTES if index == spot(2, count) and index in ranked else 0,
            eager=index == 0,
            hot=index == spot(5, count),
            remaps=index == spot(6, count),
            sticks=index == spot(4, count),
            mig=mig and index == 0,
            lost=index == lost,
            terse=index == terse,
        )
        for index in range(count)
    )


def device_uuid(kind: str, seed: int, index: int) -> str:
    """Give a UUID in the driver's spelling, the same for the same seed and device."""
    text = "".join(f"{scramble(seed, index, salt):08x}" for salt in range(4))
    return f"{kind}-{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def _beside(index: int, count: int, epoch_s: float) -> tuple[Neighbour, ...]:
    """Give the neighbours of a whole card: a server on the last of every eight, and three odd ones."""
    found: list[Neighbour] = []
    if index == spot(3, count):
        found.append(notebook(epoch_s))
    if index % _NODE == _NODE - 1 or index == spot(7, count):
        found.append(vllm_server(epoch_s, index // _NODE))
    if index == spot(1, count):
        found.append(stranger())
    return tuple(found)


def _terse_card(count: int) -> int | None:
    """Choose a card of its own for the driver that says little; one card is lost already."""
    if count == 1:
        return None
    return min(4, count - 1) if count > 2 else 0  # noqa: PLR2004 - of two, the second is the lost one
