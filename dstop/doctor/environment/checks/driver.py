"""Does the driver answer, and is it one piece with its library?"""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from dstop.doctor.environment.checks.words import cards, counted
from dstop.doctor.environment.values import Question

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.doctor.environment.facts import Facts
    from dstop.doctor.environment.values import Check

_ANSWERS = Question("driver.answers", "driver answers", "NVML")
_CARDS = Question("driver.cards", "every GPU answers", "NVML")
_VERSIONS = Question(
    "driver.versions", "driver and library are of one version", "/proc/driver/nvidia/version, NVML"
)
_UVM = Question("driver.uvm", "CUDA's kernel module", "/proc/modules, /dev/nvidia-uvm")
_FABRIC = Question("driver.fabric_manager", "NVSwitch fabric manager", "/proc/*/comm")
_STALE_S = 2.0


def answers(facts: Facts) -> Iterator[Check]:
    """Say whether there is a driver, and a figure of every card."""
    sample = facts.sample
    if sample is None:
        yield _ANSWERS.fails(facts.no_sample or "the driver was not asked", facts.no_sample_fix)
        return
    count, version = len(sample.gpus), sample.driver_version or "of an unknown version"
    if not count:
        yield _ANSWERS.fails(f"driver {version} has no GPU", "lspci -d 10de:", 0)
        return
    cuda = f", CUDA up to {sample.cuda_version}" if sample.cuda_version else ""
    yield _ANSWERS.passes(f"driver {version} answers for {counted(count, 'GPU')}{cuda}", version)
    silent = [gpu for gpu in sample.gpus if gpu.fault is not None or gpu.stale_s > _STALE_S]
    if silent:
        why = silent[0].fault or "its driver calls do not come back"
        yield _CARDS.fails(
            f"{cards((gpu.index for gpu in silent), facts)}: {why}; CUDA programs fail or hang there",
            "sudo dmesg -T | grep -i nvrm",
            len(silent),
        )
    else:
        yield _CARDS.passes(f"{counted(count, 'GPU')} of {count} with figures", count)


def versions(facts: Facts) -> Iterator[Check]:
    """Hold the loaded kernel module against the library that programs find."""
    kernel, library = facts.driver.kernel_version, _library(facts)
    if kernel is None:
        if facts.driver.wsl:
            yield _VERSIONS.passes("under WSL the kernel module is Windows'")
        else:
            yield _VERSIONS.unknown(
                "the version of the loaded kernel module cannot be read", "cat /proc/driver/nvidia/version"
            )
    elif library is None:
        yield _VERSIONS.unknown(
            f"the kernel module is {kernel}; the version of the library cannot be found",
            "ldconfig -p | grep libnvidia-ml",
        )
    elif kernel == library:
        yield _VERSIONS.passes(f"both are {kernel}", kernel)
    else:
        fix = "sudo reboot" if facts.container.kind is None else "docker restart CONTAINER  # on the host"
        yield _VERSIONS.fails(
            f"the kernel module is {kernel}, the library {library}: after an update without a restart, nothing of"
            " CUDA or NVML starts any more",
            fix,
            library,
        )


def uvm(facts: Facts) -> Iterator[Check]:
    """Look for the module without which CUDA fails though nvidia-smi works."""
    driver = facts.driver
    if driver.wsl:
        return
    loaded = driver.modules is not None and "nvidia_uvm" in driver.modules
    if driver.has_uvm:
        yield _UVM.passes("/dev/nvidia-uvm is there")
    elif facts.container.kind is not None and (facts.sample is not None or driver.has_control):
        yield _UVM.fails(
            "this container has no /dev/nvidia-uvm: CUDA fails with 'unknown error' though nvidia-smi works",
            "docker run --gpus all …",
        )
    elif driver.modules is not None and "nvidia" in driver.modules:
        what = "/dev/nvidia-uvm is not there" if loaded else "the module nvidia_uvm is not loaded"
        yield _UVM.fails(
            f"{what}: CUDA fails with 'unknown error' though nvidia-smi works",
            "sudo nvidia-modprobe -u -c=0",
        )
    else:
        yield _UVM.unknown("no NVIDIA kernel module is seen here", "lsmod | grep nvidia")


def device_access(facts: Facts) -> Iterator[Check]:
    """Say when the control device is there and closed to us."""
    question = Question("driver.access", "device files may be opened", "/dev/nvidiactl")
    code = facts.driver.control_errno
    if not facts.driver.has_control or code is None:
        return
    if code == 0:
        yield question.passes("/dev/nvidiactl opens")
    elif code == errno.EACCES:
        yield question.fails("no permission on /dev/nvidiactl: no CUDA program starts", "ls -l /dev/nvidia*")
    elif facts.container.kind is not None and code in (errno.EPERM, errno.ENODEV):
        yield question.fails(
            "the control group denies /dev/nvidiactl: `systemctl daemon-reload` on the host took the GPUs away",
            "docker restart CONTAINER  # on the host",
        )
    else:
        yield question.fails(
            f"/dev/nvidiactl does not open (error {code}): no CUDA program starts",
            "sudo dmesg -T | grep -i nvrm",
            code,
        )


def fabric_manager(facts: Facts) -> Iterator[Check]:
    """Look for the service that NVSwitch machines need before CUDA starts."""
    if not facts.driver.has_nvswitch:
        return
    if facts.driver.has_fabric_manager:
        yield _FABRIC.passes("nv-fabricmanager runs")
    elif facts.container.own_pids or facts.container.kind is not None:
        yield _FABRIC.unknown(
            "the host's processes are not seen from this container",
            "systemctl status nvidia-fabricmanager  # on the host",
        )
    else:
        yield _FABRIC.fails(
            "this machine has NVSwitches and nv-fabricmanager does not run: CUDA fails with error 802",
            "sudo systemctl enable --now nvidia-fabricmanager",
        )


def _library(facts: Facts) -> str | None:
    """Give the library's own version: NVML writes its CUDA major number in front of the driver's."""
    text = facts.boards.nvml_version
    if text is None:
        return facts.driver.library_version
    head, _, rest = text.partition(".")
    return rest if len(head) <= 2 and "." in rest else text  # noqa: PLR2004 - 13.580.95.05
