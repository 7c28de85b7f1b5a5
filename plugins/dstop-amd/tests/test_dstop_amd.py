"""The AMD source over a simulated amdsmi: its functions, keys and units as its documentation has them. No hardware."""

# ruff: noqa: S101, PLR2004

from __future__ import annotations

import importlib.util
import os
import threading
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dstop.errors import SourceError
from dstop.testing import check_source

MIB = 2**20


class NotSupportedError(Exception):
    """As amdsmi's AmdSmiLibraryException."""


class SimulatedAmdSmi:
    """Two MI300X, of which the second tells little."""

    AmdSmiClkType = SimpleNamespace(GFX="gfx", MEM="mem")
    AmdSmiTemperatureType = SimpleNamespace(EDGE="edge", HOTSPOT="hotspot", VRAM="vram")
    AmdSmiTemperatureMetric = SimpleNamespace(CURRENT="current")

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.holds: threading.Event | None = None

    def amdsmi_init(self) -> None:
        """Start."""
        self.calls.append("init")

    def amdsmi_shut_down(self) -> None:
        """Stop."""
        self.calls.append("shut_down")

    def amdsmi_get_processor_handles(self) -> list[int]:
        """Give two cards."""
        return [0, 1]

    def amdsmi_get_gpu_vram_usage(self, card: int) -> dict[str, Any]:
        """Tell MiB."""
        if self.holds is not None:
            self.holds.wait(30)
        return {"vram_total": 196_288, "vram_used": 100_000 if card == 0 else "N/A"}

    def amdsmi_get_gpu_activity(self, card: int) -> dict[str, Any]:
        """Tell percent."""
        return (
            {"gfx_activity": 87, "umc_activity": 31, "mm_activity": "N/A"}
            if card == 0
            else {"gfx_activity": 0xFFFF}
        )

    def amdsmi_get_power_info(self, card: int) -> dict[str, Any]:
        """Tell watts."""
        if card == 1:
            raise NotSupportedError
        return {"socket_power": "N/A", "current_socket_power": 612, "average_socket_power": "N/A"}

    def amdsmi_get_power_cap_info(self, card: int) -> dict[str, Any]:
        """Tell microwatts."""
        return {"power_cap": 750_000_000} if card == 0 else {}

    def amdsmi_get_temp_metric(self, card: int, sensor: str, metric: str) -> int:
        """Tell degrees Celsius; an MI300 has no edge sensor."""
        assert metric == "current"
        if card == 1 or sensor == "edge":
            raise NotSupportedError
        return {"hotspot": 64, "vram": 58}[sensor]

    def amdsmi_get_clock_info(self, card: int, kind: str) -> dict[str, Any]:
        """Tell megahertz; older versions call it cur_clk."""
        return {"clk": 2100 if kind == "gfx" else 1300} if card == 0 else {"cur_clk": 132}

    def amdsmi_get_gpu_total_ecc_count(self, card: int) -> dict[str, Any]:
        """Tell counts."""
        return {"correctable_count": 3, "uncorrectable_count": 0} if card == 0 else {}

    def amdsmi_get_gpu_asic_info(self, card: int) -> dict[str, Any]:
        """Tell the name."""
        return {"market_name": "AMD Instinct MI300X" if card == 0 else "N/A"}

    def amdsmi_get_gpu_device_uuid(self, card: int) -> str:
        """Tell the UUID."""
        return f"{card:02x}ff74a1-0000-1000-80de-f28ba9b32d58"

    def amdsmi_get_gpu_device_bdf(self, card: int) -> str:
        """Tell where it is plugged in."""
        return f"0000:{card + 5:02x}:00.0"

    def amdsmi_get_gpu_driver_info(self, _card: int) -> dict[str, Any]:
        """Tell the driver."""
        return {"driver_name": "amdgpu", "driver_version": "6.10.5"}

    def amdsmi_get_gpu_process_list(self, card: int) -> list[Any]:
        """Tell this very process, one that holds nothing, and nonsense."""
        if card == 1:
            return []
        return [
            {"pid": os.getpid(), "name": "python", "memory_usage": {"vram_mem": 64 * MIB, "gtt_mem": 1}},
            {"pid": 1, "name": "kfd", "memory_usage": {"vram_mem": 0}},
            {"pid": "N/A", "memory_usage": {}},
        ]


@pytest.fixture(name="amd")
def _amd() -> ModuleType:
    path = Path(__file__).parents[1] / "dstop_amd.py"
    spec = importlib.util.spec_from_file_location("dstop_amd", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_figures_are_in_dstops_units(amd: ModuleType) -> None:
    """MiB become bytes, watts and microwatts milliwatts; the hotspot counts where there is no edge sensor."""
    sample = amd.AmdSource(SimulatedAmdSmi()).read()
    card = sample.gpus[0]
    assert (card.memory_total_bytes, card.memory_used_bytes) == (196_288 * MIB, 100_000 * MIB)
    assert card.memory_free_bytes == 96_288 * MIB
    assert (card.power_mw, card.power_limit_mw) == (612_000, 750_000)
    assert (card.temperature_c, card.temperature_memory_c) == (64, 58)
    assert (card.clock_sm_mhz, card.clock_memory_mhz) == (2100, 1300)
    assert (card.utilization_gpu_pct, card.utilization_memory_pct) == (87, 31)
    assert (card.ecc_corrected, card.ecc_uncorrected) == (3, 0)
    assert (card.name, sample.driver_version) == ("AMD Instinct MI300X", "6.10.5")


def test_what_is_not_told_is_none_with_a_reason(amd: ModuleType) -> None:
    """N/A, all bits set, an error and a missing key are no figures, and never a nought."""
    card = amd.AmdSource(SimulatedAmdSmi()).read().gpus[1]
    for name in (
        "name",
        "memory_used_bytes",
        "memory_free_bytes",
        "utilization_gpu_pct",
        "power_mw",
        "temperature_c",
    ):
        assert getattr(card, name) is None
        assert "AMD" in card.unavailable[name]
    assert card.clock_sm_mhz == 132


def test_processes_are_those_that_hold_memory(amd: ModuleType) -> None:
    """Our own process is there with what /proc knows of it; who holds nothing, and nonsense, is not."""
    (row,) = amd.AmdSource(SimulatedAmdSmi()).read().processes
    assert (row.pid, row.gpu_memory_bytes) == (os.getpid(), 64 * MIB)
    assert row.facts.cmdline


def test_the_laws_of_the_data_hold(amd: ModuleType) -> None:
    """Each sample, and each after the one before, as of any source of dstop."""
    check_source(amd.AmdSource(SimulatedAmdSmi()), reads=3)


def test_a_call_that_hangs_leaves_the_last_figures_with_their_age(amd: ModuleType) -> None:
    """The second reading does not come back: the cards are stale; once it does, they are fresh again."""
    library = SimulatedAmdSmi()
    source = amd.AmdSource(library)
    first = source.read()
    library.holds = threading.Event()
    stale = source.read(patience_s=0.05)
    assert stale.gpus[0].stale_s > 0
    assert stale.gpus[0].memory_used_bytes == first.gpus[0].memory_used_bytes
    library.holds.set()
    assert source.read(patience_s=20.0).gpus[0].stale_s == 0
    source.close()
    source.close()
    assert library.calls == ["init", "shut_down"]


def test_without_the_library_or_a_card_it_says_what_to_do(amd: ModuleType) -> None:
    """Amdsmi is not installed here; and a driver without cards is an error, not an empty screen."""
    with pytest.raises(SourceError, match="amdsmi cannot be loaded"):
        amd.AmdSource().read()

    class Empty(SimulatedAmdSmi):
        """A driver without cards."""

        def amdsmi_get_processor_handles(self) -> list[int]:
            """Give none."""
            return []

    with pytest.raises(SourceError, match="finds no GPU"):
        amd.AmdSource(Empty()).read()


def test_a_driver_that_fails_is_started_anew(amd: ModuleType) -> None:
    """An error of the library is a SourceError, and the next reading begins from the start."""
    library = SimulatedAmdSmi()
    handles = library.amdsmi_get_processor_handles

    def broken() -> list[int]:
        raise NotSupportedError("no device")

    library.amdsmi_get_processor_handles = broken  # type: ignore[method-assign]
    source = amd.AmdSource(library)
    with pytest.raises(SourceError, match="NotSupportedError: no device"):
        source.read()
    library.amdsmi_get_processor_handles = handles  # type: ignore[method-assign]
    assert len(source.read().gpus) == 2
