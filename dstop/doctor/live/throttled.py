"""DS850: heat, the power supply or the hardware has held a card's clocks down for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.live.telling import of_gpu, remedies
from dstop.model.finding import Finding, Severity

if TYPE_CHECKING:
    from dstop.doctor.live.scene import Scene

REASONS = {
    "hw_thermal": ("HOT", "heat (hardware)"),
    "sw_thermal": ("HOT", "heat (driver)"),
    "hw_power_brake": ("BRAKE", "the server's power brake"),
    "hw_slowdown": ("HW SLOW", "the hardware (slowdown)"),
}
"""Not the power limit: at its limit is where a card that works well is."""


def watch(scene: Scene) -> list[Finding]:
    """Look at what holds each card back."""
    found: list[Finding] = []
    for gpu in scene.gpus.values():
        reason = next((name for name in REASONS if name in (gpu.throttle_reasons or ())), None)
        if reason is None:
            continue
        badge, words = REASONS[reason]
        evidence = [of_gpu(gpu.index, f"the driver names {reason}")]
        if gpu.temperature_c is not None:
            evidence.append(of_gpu(gpu.index, f"{gpu.temperature_c} °C", gpu.temperature_c))
        if gpu.clock_sm_mhz is not None and gpu.clock_sm_max_mhz:
            slow = f"{gpu.clock_sm_mhz} of {gpu.clock_sm_max_mhz} MHz"
            evidence.append(of_gpu(gpu.index, slow, gpu.clock_sm_mhz))
        found.append(
            Finding(
                rule="DS850",
                cause="throttled",
                severity=Severity.WARNING,
                badge=badge,
                says=f"GPU {gpu.index} has been held back by {words} for a minute or more",
                gpu_index=gpu.index,
                evidence=tuple(evidence),
                fixes=remedies(
                    "check_hardware",
                    commands={"check_hardware": f"nvidia-smi -q -d PERFORMANCE,TEMPERATURE -i {gpu.index}"},
                ),
            )
        )
    return found
