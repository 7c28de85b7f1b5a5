"""Which figures are asked how often, and of which function: the reading of one GPU, table by table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dstop.model.gpu import THROTTLE_REASONS
from dstop.sources.nvml.fields import MEMORY_TEMPERATURE, read_fields
from dstop.sources.nvml.figures import checked, percent
from dstop.sources.nvml.memory import Memory, put_memory, read_memory
from dstop.sources.nvml.reasons import FUNCTION_NOT_FOUND, Unavailable, is_absent

if TYPE_CHECKING:
    from dstop.sources.nvml.binding import Driver
    from dstop.sources.nvml.figures import Figures

_SM, _MEMORY_CLOCK = 1, 2
_CORRECTED, _UNCORRECTED, _VOLATILE = 0, 1, 0
_SLOWDOWN = 1
_PSTATE_UNKNOWN = 32
_MAX_MW, _MAX_MHZ, _MAX_C, _MAX_COUNT = 10_000_000, 100_000, 300, 2**63
_VIRTUAL = {0: "none", 1: "passthrough", 2: "vgpu guest", 3: "vgpu host", 4: "vsga host"}
_COMPUTE_MODES = {0: "default", 1: "exclusive_thread", 2: "prohibited", 3: "exclusive_process"}


def read_static(driver: Driver, handle: object, figures: Figures) -> None:
    """Read what does not change while a handle lives. Three calls name the card; the rest may be refused."""
    figures.put("uuid", driver.text("nvmlDeviceGetUUID", handle))
    figures.put("name", driver.text("nvmlDeviceGetName", handle))
    pci = driver.ask("nvmlDeviceGetPciInfo", handle)
    figures.put("pci_bus_id", pci if is_absent(pci) else bus_id(pci))
    capability = driver.ask("nvmlDeviceGetCudaComputeCapability", handle)
    figures.put(
        "compute_capability", capability if is_absent(capability) else f"{capability[0]}.{capability[1]}"
    )
    mode = driver.ask("nvmlDeviceGetVirtualizationMode", handle)
    figures.put("virtualization", mode if is_absent(mode) else _VIRTUAL.get(int(mode), f"mode {int(mode)}"))
    fastest = driver.ask("nvmlDeviceGetMaxClockInfo", handle, _SM)
    figures.put("clock_sm_max_mhz", checked(fastest, 0, _MAX_MHZ, " MHz"))
    slowdown = driver.ask("nvmlDeviceGetTemperatureThreshold", handle, _SLOWDOWN)
    figures.put("temperature_slowdown_c", checked(slowdown, 1, _MAX_C, " °C"))


def bus_id(pci: Any) -> str:
    """Write a PCI address as nvidia-smi does, from its numbers: they cannot be garbled as its text can."""
    return f"{int(pci.domain) & 0xFFFFFFFF:08X}:{int(pci.bus) & 0xFF:02X}:{int(pci.device) & 0xFF:02X}.0"


def read_fast(driver: Driver, handle: object, figures: Figures) -> tuple[Memory | Unavailable, Any, Any]:
    """Read memory, utilisation and power; give what came, to judge whether the GPU answers at all."""
    memory = read_memory(driver, handle)
    put_memory(figures, memory)
    rates = driver.ask("nvmlDeviceGetUtilizationRates", handle)
    figures.put("utilization_gpu_pct", rates if is_absent(rates) else percent(int(rates.gpu)))
    figures.put("utilization_memory_pct", rates if is_absent(rates) else percent(int(rates.memory)))
    power = driver.ask("nvmlDeviceGetPowerUsage", handle)
    figures.put("power_mw", checked(power, 0, _MAX_MW, " mW"))
    return memory, rates, power


def read_slow(driver: Driver, handle: object, figures: Figures) -> None:
    """Read what changes slowly."""
    _plain(driver, handle, figures)
    _engines(driver, handle, figures)
    _health(driver, handle, figures)
    figures.put("throttle_reasons", throttle_reasons(driver, handle))
    temperature = driver.ask("nvmlDeviceGetTemperature", handle, 0)
    if is_absent(temperature) and temperature.code == FUNCTION_NOT_FOUND:
        # The older name is announced to go with CUDA 14.
        temperature = driver.ask("nvmlDeviceGetTemperatureV", handle, 0)
    figures.put("temperature_c", checked(temperature, 0, _MAX_C, " °C"))
    memory_temperature = read_fields(driver, handle, [(MEMORY_TEMPERATURE, 0)])[0]
    # 0 °C is what boards without the sensor say through the field.
    figures.put("temperature_memory_c", checked(memory_temperature, 1, _MAX_C, " °C"))


_PLAIN: tuple[tuple[str, str, tuple[int, ...], int, int, str], ...] = (
    ("clock_sm_mhz", "nvmlDeviceGetClockInfo", (_SM,), 0, _MAX_MHZ, " MHz"),
    ("clock_memory_mhz", "nvmlDeviceGetClockInfo", (_MEMORY_CLOCK,), 0, _MAX_MHZ, " MHz"),
    # Some boards spin up to 110 % of the fan's nominal speed.
    ("fan_pct", "nvmlDeviceGetFanSpeed", (), 0, 200, " %"),
    ("performance_state", "nvmlDeviceGetPerformanceState", (), 0, 15, ""),
    ("power_limit_mw", "nvmlDeviceGetEnforcedPowerLimit", (), 1, _MAX_MW, " mW"),
    ("energy_mj", "nvmlDeviceGetTotalEnergyConsumption", (), 0, _MAX_COUNT, " mJ"),
    ("pcie_generation", "nvmlDeviceGetCurrPcieLinkGeneration", (), 1, 16, ""),
    ("pcie_width", "nvmlDeviceGetCurrPcieLinkWidth", (), 1, 64, ""),
    ("ecc_corrected", "nvmlDeviceGetTotalEccErrors", (_CORRECTED, _VOLATILE), 0, _MAX_COUNT, ""),
    ("ecc_uncorrected", "nvmlDeviceGetTotalEccErrors", (_UNCORRECTED, _VOLATILE), 0, _MAX_COUNT, ""),
)


def _plain(driver: Driver, handle: object, figures: Figures) -> None:
    for field, function, args, low, high, unit in _PLAIN:
        answer = driver.ask(function, handle, *args)
        if field == "performance_state" and answer == _PSTATE_UNKNOWN:
            answer = Unavailable("the driver does not know it now")
        figures.put(field, checked(answer, low, high, unit))


def _engines(driver: Driver, handle: object, figures: Figures) -> None:
    for field, function in (
        ("encoder_pct", "nvmlDeviceGetEncoderUtilization"),
        ("decoder_pct", "nvmlDeviceGetDecoderUtilization"),
    ):
        answer = driver.ask(function, handle)
        figures.put(field, answer if is_absent(answer) else percent(int(answer[0])))


def _health(driver: Driver, handle: object, figures: Figures) -> None:
    rows = driver.ask("nvmlDeviceGetRemappedRows", handle)
    figures.put("remapped_rows_pending", rows if is_absent(rows) else bool(rows[2]))
    figures.put("remapped_rows_failed", rows if is_absent(rows) else bool(rows[3]))
    persistence = driver.ask("nvmlDeviceGetPersistenceMode", handle)
    figures.put("persistence_mode", persistence if is_absent(persistence) else bool(persistence))
    mode = driver.ask("nvmlDeviceGetComputeMode", handle)
    figures.put(
        "compute_mode", mode if is_absent(mode) else _COMPUTE_MODES.get(int(mode), f"mode {int(mode)}")
    )
    mig = driver.ask("nvmlDeviceGetMigMode", handle)
    figures.put("mig_enabled", mig if is_absent(mig) else mig[0] == 1)


def throttle_reasons(driver: Driver, handle: object) -> tuple[str, ...] | Unavailable:
    """Name what holds the clocks down. Drivers before 535 know the question by its older name only."""
    bits = driver.ask("nvmlDeviceGetCurrentClocksEventReasons", handle)
    if is_absent(bits) and bits.code == FUNCTION_NOT_FOUND:
        bits = driver.ask("nvmlDeviceGetCurrentClocksThrottleReasons", handle)
    if isinstance(bits, Unavailable):
        return bits
    known = tuple(name for bit, name in THROTTLE_REASONS.items() if bits & bit)
    strange = int(bits) & ~sum(THROTTLE_REASONS)
    return (*known, f"reason_{strange:#x}") if strange else known
