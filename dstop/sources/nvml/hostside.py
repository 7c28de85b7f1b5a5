"""What the host adds to a sample: processes by `/proc`, the machine's own figures, who holds the devices."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dstop.model.host import Host
    from dstop.model.unattributed import Holder
    from dstop.sources.procfs.table import HostView


class HostSide(Protocol):
    """All that the NVML source asks of the host; read by one thread."""

    container: str | None

    def views(self, pids: Iterable[int], now_s: float) -> Mapping[int, HostView]:
        """Look at these processes; every one gets a view, if only to say why there is nothing in it."""
        ...

    def host(self) -> Host:
        """Read the machine's own figures."""
        ...

    def holders(self, minor_to_index: Mapping[int, int]) -> tuple[tuple[Holder, ...], bool]:
        """Find who has the cards' device files open, and whether all processes could be looked at."""
        ...

    def stop(self) -> None:
        """End what runs in the background."""
        ...


class LinuxHost:
    """The host as `/proc` has it."""

    def __init__(self) -> None:
        from dstop.sources.procfs.host import HostReader  # noqa: PLC0415 - only a live source owes it
        from dstop.sources.procfs.namespace import own_container  # noqa: PLC0415
        from dstop.sources.procfs.table import ProcessTable  # noqa: PLC0415

        self.container = own_container()
        self._table, self._reader = ProcessTable(), HostReader()

    def views(self, pids: Iterable[int], now_s: float) -> Mapping[int, HostView]:
        """Look at these processes."""
        return self._table.update(pids, now_s)

    def host(self) -> Host:
        """Read the machine's own figures."""
        return self._reader.read()

    def holders(self, minor_to_index: Mapping[int, int]) -> tuple[tuple[Holder, ...], bool]:
        """Find who has the cards' device files open."""
        from dstop.sources.procfs.holders import device_holders  # noqa: PLC0415 - needed when memory is unexplained

        return device_holders(minor_to_index)

    def stop(self) -> None:
        """End the table's thread."""
        self._table.stop()
