"""The NVSwitch fabric is not up

What it means
    On machines with NVSwitch (HGX, DGX) CUDA starts only after the fabric manager has set up the switches. It is not installed,
    not running, or not of the driver's version.

Evidence
    `Error 802: system not yet initialized`, `CUDA_ERROR_SYSTEM_NOT_READY`, the fabric manager's own complaint.

Fix
    Install the fabric manager of exactly the driver's version, and start it; reboot or reset the cards if it still refuses.

When it is wrong
    A card in confidential-computing mode gives the same error until it is set ready; a virtual machine needs the fabric manager
    of its host.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import SAYS_SO, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_START = "sudo systemctl enable --now nvidia-fabricmanager && systemctl status nvidia-fabricmanager"
_INSTALL = "sudo apt-get install cuda-drivers-fabricmanager-580  # the driver's own major version"


def _examine(case: Case) -> Assessment | None:
    sign = case.first("driver.fabric")
    if sign is None:
        return None
    return Assessment(
        strength=SAYS_SO - 3,
        evidence=(told_by(sign),),
        at=sign.place,
        fixes=prescribe(
            case,
            "restart_node",
            "reinstall_driver",
            "change_config",
            "upgrade_driver",
            titles={
                "restart_node": "Start the fabric manager, or reboot",
                "reinstall_driver": "Install the fabric manager of the driver's version",
            },
            commands={"restart_node": _START, "reinstall_driver": _INSTALL, "change_config": _START},
        ),
    )


RULE = Rule(
    id="DS814",
    name="fabric-manager",
    cause="driver_mismatch",
    title="The NVSwitch fabric is not up",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "RuntimeError: Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling NumCudaDevices() that might have already set an error? Error 802: system not yet initialized\n",
    ),
    near_miss=(
        "RuntimeError: Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling NumCudaDevices() that might have already set an error? Error 804: forward compatibility was attempted on non supported HW\n",
    ),
)
