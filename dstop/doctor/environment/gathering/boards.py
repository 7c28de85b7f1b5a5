"""What NVML says of cards beyond a sample: defaults and pending changes, which only the doctor asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.doctor.environment.facts import Board, Boards
from dstop.errors import SourceError
from dstop.sources.nvml.attempt import Attempt
from dstop.sources.nvml.reasons import ClosedError, is_absent, reason_for

if TYPE_CHECKING:
    from dstop.sources.nvml.binding import Binding, Driver

_MOST_MW, _MOST_LANES, _MOST_MINOR = 10_000_000, 64, 1 << 20
_MOST_BOARDS = 256
_LATE = "the driver does not answer in time"


def read_boards(count: int, *, patience_s: float = 0.5) -> Boards:
    """Ask all cards; a driver that hangs is left after `patience_s`.

    Args:
        count: of cards, by the sample.
        patience_s: how long is waited in all.
    """
    from dstop.sources.nvml.binding import Binding  # noqa: PLC0415 - loads pynvml

    try:
        binding = Binding()
    except SourceError as error:
        return Boards(reason=error.message)
    found: list[Board] = []
    attempt = Attempt(lambda: _read(binding, count, found))
    answer = attempt.wait(patience_s)
    known = tuple(found)
    binding.stop()
    return answer or Boards(boards=known, reason=_LATE)


def _read(binding: Binding, count: int, found: list[Board]) -> Boards:
    """Read card by card into `found`, so that one that hangs does not take the others with it."""
    code = binding.start()
    if code:
        return Boards(reason=reason_for(code))
    try:
        version = binding.text("nvmlSystemGetNVMLVersion")
        for index in range(min(count, _MOST_BOARDS)):
            found.append(_board(binding, index))  # noqa: PERF401 - who waits sees how far it came
    except ClosedError:
        return Boards(boards=tuple(found), reason=_LATE)
    return Boards(boards=tuple(found), nvml_version=version if isinstance(version, str) else None)


def _board(driver: Driver, index: int) -> Board:
    handle = driver.ask("nvmlDeviceGetHandleByIndex", index)
    if is_absent(handle):
        return Board(index=index)
    ecc = driver.ask("nvmlDeviceGetEccMode", handle)
    modes = (None, None) if is_absent(ecc) else (bool(ecc[0]), bool(ecc[1]))
    retired = driver.ask("nvmlDeviceGetRetiredPagesPendingStatus", handle)
    return Board(
        index=index,
        minor=_figure(driver.ask("nvmlDeviceGetMinorNumber", handle), 0, _MOST_MINOR),
        power_default_mw=_figure(driver.ask("nvmlDeviceGetPowerManagementDefaultLimit", handle), 1, _MOST_MW),
        ecc_current=modes[0],
        ecc_pending=modes[1],
        retired_pages_pending=None if is_absent(retired) else bool(retired),
        pcie_width_max=_figure(driver.ask("nvmlDeviceGetMaxPcieLinkWidth", handle), 1, _MOST_LANES),
    )


def _figure(answer: Any, low: int, high: int) -> int | None:
    """Take a number that makes sense."""
    if is_absent(answer):
        return None
    number = int(answer)
    return number if low <= number <= high else None
