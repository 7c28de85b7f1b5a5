"""What to say when there is no driver to read: what is missing, how to mend it, in two lines. Pure."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from dstop.errors import SourceError
from dstop.sources.nvml.reasons import (
    DRIVER_NOT_LOADED,
    INSUFFICIENT_POWER,
    LIB_RM_MISMATCH,
    LIBRARY_NOT_FOUND,
    NO_PERMISSION,
    OPERATING_SYSTEM,
    UNINITIALIZED,
    UNKNOWN,
    reason_for,
)

if TYPE_CHECKING:
    from dstop.sources.nvml.evidence import Evidence

DEMO = "or try `dstop demo`"
_TOOLKIT = "start it with --gpus all, with nvidia-container-toolkit installed on the host"
_CGROUP = (
    "`systemctl daemon-reload` on the host took the devices away: restart the container; for good, list the "
    "/dev/nvidia* devices by --device, or set native.cgroupdriver=cgroupfs in Docker's daemon.json"
)


def explain(evidence: Evidence) -> SourceError:
    """Turn NVML's refusal to start, and what the machine says, into an error that can be acted on."""
    message, fix = _story(evidence)
    return SourceError(message, fix=f"{fix}; {DEMO}" if fix else DEMO)


def no_gpus(evidence: Evidence) -> SourceError:
    """Say that the driver runs and has no GPU."""
    if evidence.container:
        fix = f"NVIDIA_VISIBLE_DEVICES may name none: {_TOOLKIT}"
    elif evidence.pci_gpus:
        fix = f"{evidence.pci_gpus} on the PCI bus: `dmesg | grep NVRM` says why the driver left them"
    else:
        fix = "check with `lspci -d 10de:`"
    return SourceError("the NVIDIA driver runs but finds no GPU", fix=f"{fix}; {DEMO}")


def _story(evidence: Evidence) -> tuple[str, str]:
    code = evidence.code
    if code == LIBRARY_NOT_FOUND:
        return _no_library(evidence)
    if code == LIB_RM_MISMATCH:
        return _mismatch(evidence)
    if code in (DRIVER_NOT_LOADED, UNINITIALIZED):
        return _not_loaded(evidence)
    if code in (UNKNOWN, NO_PERMISSION, OPERATING_SYSTEM):
        return _refused(evidence)
    if code == INSUFFICIENT_POWER:
        return reason_for(code), "attach the GPU's auxiliary power and start the machine again"
    return f"NVML does not start: {reason_for(code)}", "`dmesg | grep NVRM` says more"


def _no_library(evidence: Evidence) -> tuple[str, str]:
    if evidence.wsl:
        what = "libnvidia-ml.so.1 is not found under WSL"
        if evidence.wsl_library:
            return what, "export LD_LIBRARY_PATH=/usr/lib/wsl/lib"
        return what, "install the NVIDIA driver on Windows (not in WSL), then `wsl --shutdown`"
    if evidence.container:
        return (
            f"this {evidence.container} container was started without GPUs (no libnvidia-ml.so.1)",
            _TOOLKIT,
        )
    if evidence.kernel_version:
        return (
            f"the NVIDIA kernel driver {evidence.kernel_version} runs, but libnvidia-ml.so.1 is not found",
            "install the driver's user part (libnvidia-compute of the same version)",
        )
    if evidence.pci_gpus == 0:
        return "no NVIDIA driver is installed (no libnvidia-ml.so.1), and there is no NVIDIA GPU", ""
    return (
        "no NVIDIA driver is installed (no libnvidia-ml.so.1)",
        "install it, or tell the loader where it is",
    )


def _mismatch(evidence: Evidence) -> tuple[str, str]:
    kernel = evidence.kernel_version or "another version"
    library = evidence.library_version or "of another version"
    message = f"driver/library version mismatch: the kernel module is {kernel}, the NVML library {library}"
    if evidence.container:
        return message, "restart the container, so that it gets the host's library"
    return message, "reboot, or reload the nvidia modules (stop GPU programs, then `rmmod nvidia_uvm nvidia`)"


def _not_loaded(evidence: Evidence) -> tuple[str, str]:
    message = "the NVIDIA kernel driver is not loaded"
    if evidence.container:
        return f"{message}, or this {evidence.container} container has no GPU devices", _TOOLKIT
    modules = evidence.modules or frozenset()
    if "nvidia" in modules:
        return "the NVIDIA kernel driver is loaded but does not answer", "`dmesg | grep NVRM` says why"
    if "nouveau" in modules:
        return f"{message}: nouveau has the GPU", "blacklist nouveau, rebuild the initramfs and reboot"
    if evidence.secure_boot:
        return (
            f"{message}, and Secure Boot is on",
            "sign the module (enrol its key with mokutil), or turn it off",
        )
    if evidence.pci_gpus == 0:
        return f"{message}, and there is no NVIDIA GPU on the PCI bus", "check with `lspci -d 10de:`"
    return message, "`sudo modprobe nvidia`; `dmesg | grep -i nvidia` says why it fails"


def _refused(evidence: Evidence) -> tuple[str, str]:
    """Tell the reasons apart for which the library is there and the devices are closed to it."""
    if evidence.container and evidence.control_errno in (errno.EPERM, errno.ENODEV):
        return (
            f"this {evidence.container} container has lost its GPUs (cgroup denies /dev/nvidiactl)",
            _CGROUP,
        )
    if evidence.control_errno in (errno.EACCES, errno.EPERM):
        return (
            "no permission on /dev/nvidiactl",
            "`ls -l /dev/nvidia*` shows its group: join it, or let root set the mode",
        )
    if evidence.control_errno == errno.ENOENT:
        if evidence.container:
            return f"this {evidence.container} container has no /dev/nvidiactl", _TOOLKIT
        return "there is no /dev/nvidiactl", "`sudo nvidia-modprobe` makes the device files"
    return f"NVML does not start: {reason_for(evidence.code)}", "`dmesg | grep NVRM` says more"
