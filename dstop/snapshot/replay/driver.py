"""The driver's side of the model: a capacity, addresses, and what a recording tells of both."""

from __future__ import annotations

from dstop.units import MIB, TIB

_ABOVE, _BELOW = 1 << 52, 1 << 46
"""Where segments are put whose address nobody told: above every address of a device, or below those in use."""
_GAP = 4 * TIB
_ALIGNED = 2 * MIB


class Driver:
    """Gives memory and takes it back.

    Args:
        capacity_bytes: what it has; None is without end.
        device_bytes: how large the device is, which decides how far an expandable segment may reach; None is larger
            than any.
    """

    __slots__ = (
        "_next",
        "capacity_bytes",
        "device_bytes",
        "falling",
        "missing_bytes",
        "reserved_bytes",
        "taken",
        "told",
    )

    def __init__(self, capacity_bytes: int | None = None, device_bytes: int | None = None) -> None:
        self.capacity_bytes, self.device_bytes = capacity_bytes, device_bytes
        self.reserved_bytes = 0
        self.missing_bytes = 0
        """How much the last refused request lacked."""
        self.told: list[tuple[int, int]] = []
        """(size, address) of segments that a recording says were made now: the next one of that size is put there."""
        self.taken: set[int] = set()
        """The addresses of the segments that `cudaMalloc` gave."""
        self.falling = False
        """Whether new segments lie below older ones; to be said before the first of them."""
        self._next = 0

    def reserve(self, size: int) -> bool:
        """Give memory; False where there is not enough."""
        if self.capacity_bytes is not None and self.reserved_bytes + size > self.capacity_bytes:
            self.missing_bytes = self.reserved_bytes + size - self.capacity_bytes
            return False
        self.reserved_bytes += size
        return True

    def address(self, size: int) -> int:
        """Give a segment an address: the recorded one where there is one."""
        for number, (told, address) in enumerate(self.told):
            if told == size and address not in self.taken:
                del self.told[number]
                break
        else:
            address = self._own(-(-size // _ALIGNED) * _ALIGNED)
        self.taken.add(address)
        return address

    def space(self) -> int:
        """Give an expandable segment the beginning of its address space."""
        if self.told:
            return self.told.pop(0)[1]
        return self._own(_GAP)

    def _own(self, size: int) -> int:
        if not self._next:
            self._next = _BELOW if self.falling else _ABOVE
        if self.falling:
            self._next -= size
            return self._next
        self._next += size
        return self._next - size

    def reach(self, page: int, least: int = 0) -> int:
        """Give the address space of an expandable segment: 1 1/8 of the device, in whole pages.

        Source: the constructor of `ExpandableSegment` in `c10/cuda/CUDACachingAllocator.cpp`.
        """
        most = TIB if self.device_bytes is None else self.device_bytes * 9 // 8
        return -(-max(most, least) // page) * page
