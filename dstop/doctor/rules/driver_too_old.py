"""The driver is too old for this CUDA runtime

What it means
    A driver runs programs of its own CUDA version and older; this PyTorch, container or kernel was built with a newer one. CUDA
    11 and 12 each run on any driver of their family, but code that is compiled at run time (PTX) needs the newer driver.

Evidence
    `CUDA driver version is insufficient`, PyTorch's `driver on your system is too old (found version 11040)` (11.4), the
    container toolkit's `unsatisfied condition: cuda>=12.4`, an unsupported PTX toolchain, error 804 of a compatibility package.

Fix
    A newer driver; where it cannot be changed, the PyTorch build or image of the CUDA version that the driver has. Error 804: the
    compatibility libraries in the image are for data-centre cards alone; take them out of LD_LIBRARY_PATH.

When it is wrong
    Inside a container these words also come when the image's libcuda hides the host's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import DEFAULT, SAYS_SO, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Sign

_SURE = ("driver.too_old", "driver.toolchain", "driver.forward")


def _examine(case: Case) -> Assessment | None:
    sign = case.first(*_SURE)
    if sign is None:
        return None
    found = _version(sign)
    commands = {
        "upgrade_driver": "sudo apt-get install nvidia-driver-580 && sudo reboot  # or your distribution's newest",
        "pin_version": f"pip install torch --index-url https://download.pytorch.org/whl/{found or 'cu118'}",
    }
    fixes: tuple[str, ...] = ("upgrade_driver", "pin_version", "restart_node")
    if sign.kind == "driver.forward":
        commands["change_config"] = "unset LD_LIBRARY_PATH; rm -rf /usr/local/cuda/compat  # in the container"
        fixes = ("upgrade_driver", "restart_node", "change_config", "pin_version")
    elif sign.kind == "driver.toolchain":
        fixes = ("upgrade_driver", "pin_version", "reinstall_extension")
    return Assessment(
        strength=DEFAULT if case.failures or _went_on(case, sign) else SAYS_SO - 2,
        evidence=(told_by(sign),),
        at=sign.place,
        fixes=prescribe(case, *fixes, commands=commands),
    )


def _version(sign: Sign) -> str | None:
    """Give the wheel's name of the newest CUDA that the driver runs: `cu124` of 12040."""
    number = sign.number("version_count")
    return None if number is None else f"cu{number // 1000}{number % 1000 // 10}"


def _went_on(case: Case, sign: Sign) -> bool:
    """Whether the run went on, and needed no GPU."""
    return any(step.place.order > sign.place.order for step in case.all("progress.step"))


RULE = Rule(
    id="DS812",
    name="driver-too-old",
    cause="driver_mismatch",
    title="The driver is too old for this CUDA runtime",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "RuntimeError: The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver by downloading and installing a new version from the URL: http://www.nvidia.com/Download/index.aspx\n",
        "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.4, please update your driver to a newer version, or use an earlier cuda container: unknown.\n",
        "RuntimeError: CUDA error: the provided PTX was compiled with an unsupported toolchain.\n",
        "RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 804: forward compatibility was attempted on non supported HW\n",
    ),
    near_miss=("Failed to initialize NVML: Driver/library version mismatch\n",),
)
