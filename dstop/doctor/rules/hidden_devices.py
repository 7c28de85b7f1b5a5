"""The card that was asked for is not visible to this process

What it means
    CUDA numbers only the cards that CUDA_VISIBLE_DEVICES, the container or the scheduler show, beginning with 0. Either no
    card is shown, or the number is beyond the last, or a build without CUDA runs.

Evidence
    `invalid device ordinal`, `No CUDA GPUs are available`, `no CUDA-capable device is detected`, a parallel size beyond the
    number of cards, two ranks on one card, `Torch not compiled with CUDA enabled`.

Fix
    Show the cards (CUDA_VISIBLE_DEVICES, `--gpus all`, `--gres`), and set the variable before anything imports CUDA; or use
    as many ranks as there are cards. Without CUDA in the build: install the build that has it.

When it is wrong
    If nvidia-smi fails too, it is the driver (DS813).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.questions.innocent import not_memory
from dstop.doctor.rule import PROVEN, SAYS_SO, SUGGESTS, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.rule import Assessment


def _examine(case: Case) -> Assessment | None:
    build = case.first("other.no_cuda_build")
    if build is not None:
        commands = {
            "reinstall_extension": "pip install --force-reinstall torch --index-url https://download.pytorch.org/whl/cu126"
        }
        return not_memory(
            case,
            build,
            PROVEN + 5,
            ("reinstall_extension", "change_config", "fix_cuda_visible_devices"),
            title="This PyTorch was built without CUDA",
            commands=commands,
        )
    sign = case.first("other.device_ordinal", "driver.no_gpu", "other.device_type")
    if sign is None or case.has("driver.missing", "driver.mismatch", "driver.fallen_off", "driver.gpu_lost"):
        return None
    went_on = any(step.place.order > sign.place.order for step in case.all("progress.step"))
    strength = SUGGESTS - 15 if went_on else SAYS_SO - 5
    fixes: tuple[str, ...] = (
        "fix_cuda_visible_devices",
        "one_gpu_per_rank",
        "change_config",
        "reduce_parallelism",
    )
    if sign.kind != "other.device_ordinal":
        fixes = ("fix_cuda_visible_devices", "reinstall_driver", "restart_node", "change_config")
    commands = {
        "fix_cuda_visible_devices": "nvidia-smi -L; export CUDA_VISIBLE_DEVICES=0  # numbers or UUIDs that nvidia-smi lists"
    }
    if "map_location" in case.text or "deserialize" in sign.text:
        fixes = ("map_location_cpu", *fixes)
    return not_memory(case, sign, strength, fixes, commands=commands)


RULE = Rule(
    id="DS914",
    name="hidden-devices",
    cause="not_memory",
    title="The card that was asked for is not visible to this process",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "RuntimeError: CUDA error: invalid device ordinal\n",
        "RuntimeError: No CUDA GPUs are available\n",
        "AssertionError: Torch not compiled with CUDA enabled\n",
        """ValueError: You requested gpu: [2, 3]
 But your machine only has: [0, 1]
""",
    ),
    near_miss=(
        "RuntimeError: Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and installed a driver\n",
    ),
)
