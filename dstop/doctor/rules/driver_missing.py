"""No driver answers

What it means
    The NVIDIA driver is not loaded, not installed, or not passed into this container. A new kernel without a rebuilt module, the
    nouveau driver in its place, or secure boot are the usual reasons on a machine where it once worked.

Evidence
    `NVIDIA-SMI has failed`, `Found no NVIDIA driver`, NVML that is not loaded or not found, `could not select device driver` of
    Docker, a missing libcuda; `Failed to initialize NVML: Unknown Error` in a container that lost its devices.

Fix
    Reboot into a kernel that has the module, or reinstall the driver. In a container: the container toolkit and `--gpus all`; a
    container that lost its cards after a `systemctl daemon-reload` needs a restart.

When it is wrong
    With a driver that answers, an empty CUDA_VISIBLE_DEVICES hides the cards (DS914).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import FITS, PROVEN, SAYS_SO, SUGGESTS, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case


def _examine(case: Case) -> Assessment | None:
    missing = case.first("driver.missing")
    silent = case.first("driver.no_answer")
    sign = missing or silent
    if sign is None or case.failures:
        return None
    strength = SAYS_SO - 5 if missing is not None else FITS if "Unknown Error" in sign.text else SUGGESTS + 10
    if any(step.place.order > sign.place.order for step in case.all("progress.step")):
        strength = SUGGESTS - 15
    commands: dict[str, str] = {}
    fixes = ("restart_node", "reinstall_driver", "upgrade_driver")
    if missing is None and "Unknown Error" in sign.text:
        commands["restart_node"] = (
            "docker restart CONTAINER  # and pass the devices: --device /dev/nvidia0 --device /dev/nvidiactl"
        )
        fixes = ("restart_node", "change_config", "reinstall_driver")
    elif "could not select device driver" in sign.text or "nvidia-container-cli" in sign.text:
        commands["change_config"] = (
            "sudo apt-get install nvidia-container-toolkit && sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"
        )
        fixes = ("change_config", "reinstall_driver", "restart_node")
    else:
        commands["reinstall_driver"] = (
            "sudo apt-get install --reinstall linux-headers-$(uname -r) nvidia-dkms-580 nvidia-driver-580"
        )
        fixes = ("reinstall_driver", "restart_node", "upgrade_driver")
    return Assessment(
        strength=min(strength, PROVEN + 10),
        evidence=(told_by(sign),),
        at=sign.place,
        fixes=prescribe(case, *fixes, commands=commands),
    )


RULE = Rule(
    id="DS813",
    name="driver-missing",
    cause="driver_mismatch",
    title="No driver answers",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n",
        "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver from http://www.nvidia.com/Download/index.aspx\n",
        'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].\n',
        "Failed to initialize NVML: Unknown Error\n",
    ),
    near_miss=(
        "RuntimeError: No CUDA GPUs are available\n",
        "Failed to initialize NVML: Driver/library version mismatch\n",
    ),
)
