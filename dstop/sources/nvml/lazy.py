"""The costly figures of one GPU: read while somebody looks, let go of when nobody does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.sources.nvml.due import Due
from dstop.sources.nvml.gpm import GpmMeter
from dstop.sources.nvml.links import NVLINK_FIELDS, PCIE_FIELDS, NvlinkMeter, read_pcie

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from dstop.sources.nvml.binding import Driver
    from dstop.sources.nvml.figures import Figures

UNWATCHED = "costs the driver time, so it is read only while shown"
_PERIOD_S = 1.0
_FIELDS = {"pcie": PCIE_FIELDS, "nvlink": NVLINK_FIELDS, "activity": ("activity",)}


class LazyFigures:
    """PCIe, NVLink and GPM of one GPU; one thread at a time."""

    def __init__(self, driver: Driver, figures: Figures) -> None:
        self._driver, self._figures = driver, figures
        self._gpm, self._nvlink = GpmMeter(driver), NvlinkMeter(driver)
        self._due = Due(_PERIOD_S)
        self._shown: AbstractSet[str] = frozenset()

    def read(self, handle: object, watched: AbstractSet[str], now_s: float) -> bool:
        """Read what is watched and due; True when a figure came or went."""
        gone, newly = self._shown - watched, watched - self._shown
        self._shown = watched
        self._let_go(gone)
        if newly:
            self._due.reset()
        if not watched or not self._due.now(now_s):
            return bool(gone)
        if "activity" in watched:
            self._figures.put("activity", self._gpm.read(handle))
        if "nvlink" in watched:
            self._nvlink.read(handle, self._figures, now_s)
        if "pcie" in watched:
            read_pcie(self._driver, handle, self._figures)
        return True

    def forget(self) -> None:
        """Let go of all that hangs on a handle; the next reading starts as if nobody had looked."""
        self._gpm.release()
        self._nvlink.forget()
        self._shown = frozenset()

    def hide(self) -> None:
        """Say of every field that nobody looks at it."""
        for names in _FIELDS.values():
            for name in names:
                self._figures.miss(name, UNWATCHED)

    def _let_go(self, gone: AbstractSet[str]) -> None:
        if "activity" in gone:
            self._gpm.release()
        if "nvlink" in gone:
            self._nvlink.forget()
        for field in gone:
            for name in _FIELDS.get(field, ()):
                self._figures.miss(name, UNWATCHED)
