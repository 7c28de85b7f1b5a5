"""Traffic over PCIe and NVLink: read only while somebody looks, since the driver measures while we wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.sources.nvml.fields import ALL_LINKS, NVLINK_COUNT, NVLINK_DATA_RX, NVLINK_DATA_TX, read_fields
from dstop.sources.nvml.figures import checked
from dstop.sources.nvml.reasons import Unavailable, is_absent

if TYPE_CHECKING:
    from dstop.sources.nvml.binding import Driver
    from dstop.sources.nvml.figures import Figures

PCIE_TX, PCIE_RX = 0, 1
"""nvml.h, nvmlPcieUtilCounter_t. The GPU is the subject: TX is what it sends to the host."""
PCIE_FIELDS = ("pcie_tx_bytes_s", "pcie_rx_bytes_s")
NVLINK_FIELDS = ("nvlink_tx_bytes_s", "nvlink_rx_bytes_s")
_KIB = 1024
_MAX_KIB_S = 2**33
_MAX_LINKS = 128
_FIRST = Unavailable("a rate needs two readings; the second comes with the next")


def read_pcie(driver: Driver, handle: object, figures: Figures) -> None:
    """Read both directions; each takes the driver 20 ms, over which it counts."""
    for field, counter in zip(PCIE_FIELDS, (PCIE_TX, PCIE_RX), strict=True):
        kib_s = checked(driver.ask("nvmlDeviceGetPcieThroughput", handle, counter), 0, _MAX_KIB_S, " KiB/s")
        figures.put(field, kib_s if is_absent(kib_s) else int(kib_s) * _KIB)


class NvlinkMeter:
    """Rates of one GPU's NVLinks together, from the difference of two readings of its counters."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._before: tuple[float, list[Any]] | None = None
        self._links: list[int] = [ALL_LINKS]

    def read(self, handle: object, figures: Figures, now_s: float) -> None:
        """Read the counters and enter the rates since the reading before."""
        counters = self._counters(handle)
        before, self._before = self._before, (now_s, counters)
        for index, field in enumerate(NVLINK_FIELDS):
            figures.put(field, _rate(before, (now_s, counters), index))

    def forget(self) -> None:
        """Start anew: a rate over the time nobody looked would be an average of no use."""
        self._before = None

    def _counters(self, handle: object) -> list[Any]:
        sums = self._sum(handle)
        if self._links == [ALL_LINKS] and any(is_absent(one) for one in sums):
            # Drivers before 525 have no sum over the links, so the links are asked one by one.
            count = read_fields(self._driver, handle, [(NVLINK_COUNT, 0)])[0]
            if not is_absent(count) and 0 < int(count) <= _MAX_LINKS:
                self._links = list(range(int(count)))
                return self._sum(handle)
        return sums

    def _sum(self, handle: object) -> list[Any]:
        wanted = [(field, link) for field in (NVLINK_DATA_TX, NVLINK_DATA_RX) for link in self._links]
        values = read_fields(self._driver, handle, wanted)
        half = len(self._links)
        return [_total(values[:half]), _total(values[half:])]


def _total(values: list[Any]) -> Any:
    """Add the links that are up; those that are not refuse."""
    numbers = [int(value) for value in values if not is_absent(value)]
    return sum(numbers) if numbers else values[0]


def _rate(before: tuple[float, list[Any]] | None, now: tuple[float, list[Any]], index: int) -> Any:
    """Give bytes a second between two readings, or why there is no rate."""
    count = now[1][index]
    if is_absent(count):
        return count
    if before is None or is_absent(before[1][index]) or now[0] <= before[0]:
        return _FIRST
    gone = count - before[1][index]
    if gone < 0:
        return Unavailable("the driver's counter started over")
    return checked(int(gone * _KIB / (now[0] - before[0])), 0, _MAX_KIB_S * _KIB, " B/s")
