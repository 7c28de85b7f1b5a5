"""The driver in the kernel and its libraries are of two versions

What it means
    The driver's packages were updated (often by unattended upgrades, or a container brings its own libraries) while the old
    kernel module is still loaded. Running programs go on; every new one fails.

Evidence
    `Driver/library version mismatch`, `API mismatch: the client has the version ...`, `unsupported display driver / cuda driver
    combination`; the kernel log names both versions.

Fix
    Reboot, or unload and reload the kernel module with every program off the cards. If it comes back, the packages of two
    versions are installed: reinstall the driver, and hold its version.

When it is wrong
    A runtime that is newer than the driver is another failure (DS812).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import DEFAULT, SAYS_SO, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case


def _examine(case: Case) -> Assessment | None:
    signs = case.all("driver.mismatch")
    if not signs:
        return None
    sign = signs[0]
    versions = next((one.values for one in signs if one.values), {})
    pair = [str(versions[name]) for name in ("client", "library", "kernel") if name in versions]
    held = {"pin_version": "sudo apt-mark hold 'nvidia-*' 'libnvidia-*'"}
    return Assessment(
        strength=SAYS_SO if not case.failures else DEFAULT,  # a card that was used has a driver
        evidence=(told_by(sign), *(told_by(one) for one in signs[1:2])),
        at=sign.place,
        title=f"The driver's library and its kernel module do not match ({', '.join(pair)})"
        if pair
        else None,
        fixes=prescribe(
            case, "restart_node", "reinstall_driver", "pin_version", "upgrade_driver", commands=held
        ),
    )


RULE = Rule(
    id="DS811",
    name="driver-library-mismatch",
    cause="driver_mismatch",
    title="The driver in the kernel and its libraries are of two versions",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.183\n",
        """[52113.1] NVRM: API mismatch: the client has the version 535.183.01, but
[52113.1] NVRM: this kernel module has the version 535.171.04.  Please
[52113.1] NVRM: make sure that this kernel module and all NVIDIA driver
[52113.1] NVRM: components have the same version.
""",
        "RuntimeError: Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling NumCudaDevices() that might have already set an error? Error 803: system has unsupported display driver / cuda driver combination\n",
    ),
    near_miss=("RuntimeError: CUDA error: CUDA driver version is insufficient for CUDA runtime version\n",),
)
