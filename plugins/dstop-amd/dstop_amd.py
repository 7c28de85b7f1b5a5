"""AMD GPUs as a source of samples, through amdsmi. It was never run on hardware: see the README.

Units and keys: https://rocm.docs.amd.com/projects/amdsmi/en/latest/reference/amdsmi-py-api.html
"""

from __future__ import annotations

import contextlib
import threading
import time
from dataclasses import replace
from importlib import import_module
from math import isfinite
from typing import TYPE_CHECKING, Any

import pluggy

from dstop.errors import SourceError
from dstop.model.gpu import Gpu
from dstop.model.process import GpuProcess
from dstop.model.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from dstop.sources import Source
    from dstop.sources.procfs.table import HostView

hookimpl = pluggy.HookimplMarker("dstop")

MIB = 2**20
STARTING_S = 15.0
"""How long the first reading waits for the driver to start."""
_MOST_CARDS = 64
_MOST_PROCESSES = 1024
_LARGEST = 2**53
_FIX = "amd-smi list says whether the driver is well"
_NVIDIAS = "AMD's library has no such figure"
_NONE = "AMD's library does not tell it"


@hookimpl
def sources() -> Mapping[str, Callable[[], Source]]:
    """Give the source `amd`."""
    return {"amd": AmdSource}


class AmdSource:
    """The driver, read through amdsmi. See `dstop.sources.Source` for the contract.

    Args:
        library: amdsmi, unless it is to be imported.
    """

    def __init__(self, library: Any = None) -> None:
        self._library = library
        self._cards: list[Any] | None = None
        self._reader: _Host | None = None
        self._last: Sample | None = None
        self._answer: Sample | SourceError | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def read(self, *, patience_s: float = 0.5) -> Sample:
        """Give the newest figures; while a call hangs, the last ones with their age.

        Raises:
            SourceError: there is no library, no driver, or no first answer in time.
        """
        if self._closed:
            raise SourceError("the source was closed")
        if self._thread is None:
            self._answer = None
            self._thread = threading.Thread(target=self._read, name="dstop-amdsmi", daemon=True)
            self._thread.start()
        self._thread.join(patience_s if self._last is not None else max(patience_s, STARTING_S))
        if self._thread.is_alive():
            return self._stale()
        self._thread = None
        answer = self._answer
        if isinstance(answer, Sample):
            self._last = answer
            return answer
        raise answer or SourceError("amdsmi gave no answer", fix=_FIX)

    def watch(self, fields: AbstractSet[str]) -> None:
        """Read no costly fields: none of them is known here."""

    def close(self) -> None:
        """Let go of the driver; a call that hangs is not waited for."""
        if self._closed:
            return
        self._closed = True
        if self._cards is not None and self._thread is None:
            with contextlib.suppress(Exception):
                self._library.amdsmi_shut_down()

    def _stale(self) -> Sample:
        if self._last is None:
            raise SourceError(
                f"amdsmi did not answer within {STARTING_S:g} s",
                fix=_FIX,
            )
        now = time.time_ns()
        age = (now - self._last.taken_at_ns) / 1e9
        return replace(
            self._last, taken_at_ns=now, gpus=tuple(replace(gpu, stale_s=age) for gpu in self._last.gpus)
        )

    def _read(self) -> None:
        try:
            self._answer = self._sample()
        except SourceError as error:
            self._answer = error
        except BaseException as error:  # noqa: BLE001 - a foreign library may raise anything, in any thread
            self._cards = None  # the next reading starts the driver anew
            self._answer = SourceError(
                f"amdsmi failed: {type(error).__name__}: {error}"[:200],
                fix=_FIX,
            )

    def _sample(self) -> Sample:
        if self._cards is None:
            self._start()
        cards, library = self._cards or [], self._library
        now = time.time_ns()
        gpus = tuple(card_of(library, index, card) for index, card in enumerate(cards))
        held = [(gpu, processes_of(library, card)) for gpu, card in zip(gpus, cards, strict=True)]
        self._reader = self._reader or _Host()
        views = self._reader.views({pid for _, found in held for pid, _ in found}, now / 1e9)
        rows = tuple(
            _row(gpu, pid, size, views[pid]) for gpu, found in held for pid, size in found if pid in views
        )
        driver = _told(lambda: library.amdsmi_get_gpu_driver_info(cards[0])) if cards else None
        version = driver.get("driver_version") if isinstance(driver, dict) else None
        return Sample(
            taken_at_ns=now,
            host=self._reader.host(),
            driver_version=_text(version),
            gpus=gpus,
            processes=rows,
        )

    def _start(self) -> None:
        if self._library is None:
            try:
                self._library = import_module("amdsmi")
            except Exception as error:
                raise SourceError(
                    f"amdsmi cannot be loaded: {error}"[:200], fix="pip install /opt/rocm/share/amd_smi"
                ) from error
        self._library.amdsmi_init()
        self._cards = list(self._library.amdsmi_get_processor_handles())[:_MOST_CARDS]
        if not self._cards:
            raise SourceError("amdsmi finds no GPU", fix="amd-smi list says whether the driver is loaded")


class _Host:
    """The host's side of a sample, by dstop's own reading of /proc."""

    def __init__(self) -> None:
        from dstop.sources.procfs.host import HostReader  # noqa: PLC0415 - only a live source owes it
        from dstop.sources.procfs.table import ProcessTable  # noqa: PLC0415 - as above

        self._table, self.host = ProcessTable(), HostReader().read

    def views(self, pids: set[int], now_s: float) -> Mapping[int, HostView]:
        return self._table.update(pids, now_s)


def card_of(library: Any, index: int, card: Any) -> Gpu:
    """Read one card; each figure alone, so that one that fails costs no other."""
    usage = _told(lambda: library.amdsmi_get_gpu_vram_usage(card))
    total, used = (_scaled(usage, MIB, name) for name in ("vram_total", "vram_used"))
    if total is not None and used is not None and used > total:
        used = None
    activity = _told(lambda: library.amdsmi_get_gpu_activity(card))
    power = _told(lambda: library.amdsmi_get_power_info(card))
    cap = _told(lambda: library.amdsmi_get_power_cap_info(card))
    ecc = _told(lambda: library.amdsmi_get_gpu_total_ecc_count(card))
    kinds = library.AmdSmiClkType
    asic = _told(lambda: library.amdsmi_get_gpu_asic_info(card))
    known: dict[str, Any] = {
        "uuid": _text(_told(lambda: library.amdsmi_get_gpu_device_uuid(card))),
        "name": _text(asic.get("market_name") if isinstance(asic, dict) else None),
        "pci_bus_id": _text(_told(lambda: library.amdsmi_get_gpu_device_bdf(card))),
        "memory_total_bytes": total,
        "memory_used_bytes": used,
        "memory_free_bytes": None if total is None or used is None else total - used,
        "utilization_gpu_pct": _pct(activity, "gfx_activity"),
        "utilization_memory_pct": _pct(activity, "umc_activity"),
        "temperature_c": _temperature(library, card, "HOTSPOT", "JUNCTION", "EDGE"),
        "temperature_memory_c": _temperature(library, card, "VRAM"),
        "power_mw": _scaled(power, 1000, "socket_power", "current_socket_power", "average_socket_power"),
        "power_limit_mw": _scaled(cap, 1e-3, "power_cap"),
        "clock_sm_mhz": _scaled(
            _told(lambda: library.amdsmi_get_clock_info(card, kinds.GFX)), 1, "clk", "cur_clk"
        ),
        "clock_memory_mhz": _scaled(
            _told(lambda: library.amdsmi_get_clock_info(card, kinds.MEM)), 1, "clk", "cur_clk"
        ),
        "ecc_corrected": _scaled(ecc, 1, "correctable_count"),
        "ecc_uncorrected": _scaled(ecc, 1, "uncorrectable_count"),
    }
    nvidias = (
        "memory_reserved_bytes",
        "performance_state",
        "throttle_reasons",
        "remapped_rows_pending",
    )
    unavailable = {name: _NONE for name, value in known.items() if value is None}
    return Gpu(
        index=index,
        **known,
        unavailable={**dict.fromkeys(nvidias, _NVIDIAS), "fan_pct": "not read of AMD's cards", **unavailable},
    )


def processes_of(library: Any, card: Any) -> list[tuple[int, int | None]]:
    """Give the processes of a card with their memory in bytes; one that holds none of it is left out."""
    listed = _told(lambda: library.amdsmi_get_gpu_process_list(card))
    found: dict[int, int | None] = {}
    for one in listed[:_MOST_PROCESSES] if isinstance(listed, list | tuple) else ():
        # Versions differ: a dictionary, or a handle of which amdsmi_get_gpu_process_info makes one.
        told = one if isinstance(one, dict) else _told(lambda: library.amdsmi_get_gpu_process_info(card, one))  # noqa: B023 - called at once
        pid = told.get("pid") if isinstance(told, dict) else None
        if not isinstance(pid, int) or pid <= 0 or not isinstance(told, dict):
            continue
        size = _scaled(told.get("memory_usage"), 1, "vram_mem")
        if size != 0:
            found[pid] = size
    return list(found.items())


def _row(gpu: Gpu, pid: int, size: int | None, view: HostView) -> GpuProcess:
    why = {"sm_pct": _NVIDIAS, **view.unavailable}
    if size is None:
        why["gpu_memory_bytes"] = _NONE
    return GpuProcess(
        gpu_index=gpu.index,
        gpu_uuid=gpu.uuid,
        pid=pid,
        gpu_memory_bytes=size,
        facts=view.facts,
        cpu_pct=view.cpu_pct,
        rss_bytes=view.rss_bytes,
        state=view.state,
        unavailable=why,
    )


def _told(ask: Callable[[], Any]) -> Any:
    """Give what the library says, or None where it says that it cannot."""
    try:
        return ask()
    except Exception:  # noqa: BLE001 - its errors are its own classes, and what is not supported is one of them
        return None


def _scaled(told: Any, factor: float, *names: str) -> int | None:
    """Give the first of these that is a number, in our unit; it says `N/A`, and all bits set, for nothing."""
    for name in names:
        value = told.get(name) if isinstance(told, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
            scaled = value * factor
            if 0 <= scaled < _LARGEST and value not in {0xFFFF, 0xFFFFFFFF}:
                return round(scaled)
    return None


def _pct(told: Any, name: str) -> float | None:
    value = _scaled(told, 1, name)
    return value if value is not None and value <= 100 else None  # noqa: PLR2004 - a whole


def _temperature(library: Any, card: Any, *sensors: str) -> int | None:
    """Give the first sensor that answers, in °C."""
    kinds, metric = library.AmdSmiTemperatureType, library.AmdSmiTemperatureMetric.CURRENT
    for sensor in sensors:
        kind = getattr(kinds, sensor, None)
        value = None if kind is None else _told(lambda: library.amdsmi_get_temp_metric(card, kind, metric))  # noqa: B023 - called at once
        if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < 200:  # noqa: PLR2004 - no chip lives there
            return round(value)
    return None


def _text(told: Any) -> str | None:
    text = "".join(char for char in told[:100] if char.isprintable()).strip() if isinstance(told, str) else ""
    return text if text and text.upper() != "N/A" else None
