"""JAX or TensorFlow has taken the card in advance

What it means
    JAX reserves 75 % of the card at its first use (XLA_PYTHON_CLIENT_MEM_FRACTION), TensorFlow nearly all of it, whatever they
    need. PyTorch beside them, in another process or in the same one, finds the rest.

Evidence
    The log names JAX or TensorFlow, and one other process holds 70 to 95 % of the card; or this process holds that much outside
    PyTorch's allocator.

Fix
    `XLA_PYTHON_CLIENT_PREALLOCATE=false` or a small `XLA_PYTHON_CLIENT_MEM_FRACTION`; `TF_FORCE_GPU_ALLOW_GROWTH=true`, or hide
    the card from TensorFlow (`tf.config.set_visible_devices([], "GPU")`) where it only reads data.

When it is wrong
    A process that holds as much may need it: another training job is DS401.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines
from dstop.doctor.rule import PROVEN, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_LEAST, _MOST = 0.7, 0.96
_JAX = r"\bjax\b|\bjaxlib\b|\bflax\b|xla_bridge|XLA_PYTHON_CLIENT"
_TENSORFLOW = r"(?i)\btensorflow\b|\bkeras\b|tf_record|\btfds\b"


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None or failure.total_bytes is None or not failure.family.startswith(("torch", "cuda")):
        return None
    is_jax, is_tensorflow = case.says(_JAX), case.says(_TENSORFLOW)
    if not (is_jax or is_tensorflow):
        return None
    total = failure.total_bytes
    neighbour = next(
        ((pid, size) for pid, size in failure.others if _LEAST * total <= size <= _MOST * total), None
    )
    beside = case.balance.not_pytorch_bytes
    if neighbour is not None:
        held, who = neighbour[1], f"process {neighbour[0]}"
    elif beside is not None and beside >= _LEAST * total:
        held, who = beside, "this process, outside PyTorch's allocator,"
    else:
        return None
    name = "JAX" if is_jax else "TensorFlow"
    says = f"{who} holds {gib(held)}, {100 * held / total:.0f} % of the card: what {name} takes in advance"
    line = "XLA_PYTHON_CLIENT_PREALLOCATE=false" if is_jax else "TF_FORCE_GPU_ALLOW_GROWTH=true"
    share = (
        "XLA_PYTHON_CLIENT_MEM_FRACTION=.30"
        if is_jax
        else "tf.config.set_logical_device_configuration(gpu, [LogicalDeviceConfiguration(memory_limit=8192)])"
    )
    return Assessment(
        strength=PROVEN + 6,
        evidence=(*failure_lines(case), Evidence(source=str(failure.place), says=says, value=held)),
        at=failure.place,
        title=f"{name} has taken {gib(held)} of the card in advance",
        fixes=prescribe(
            case,
            "change_config",
            "kill_other_process",
            "lower_gpu_memory_utilization",
            "fix_cuda_visible_devices",
            recovers={"change_config": held // 2, "kill_other_process": held},
            commands={"change_config": line, "lower_gpu_memory_utilization": share},
            titles={
                "change_config": f"Do not let {name} take the card in advance",
                "lower_gpu_memory_utilization": f"Give {name} a smaller share",
            },
        ),
    )


RULE = Rule(
    id="DS608",
    name="preallocating-neighbour",
    cause="other_process",
    title="JAX or TensorFlow has taken the card in advance",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """INFO:absl:Using JAX backend gpu: jax 0.4.30, jaxlib 0.4.30
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 996.00 MiB. GPU 0 has a total capacity of 44.43 GiB of which 620.50 MiB is free. Process 2102129 has 33.54 GiB memory in use. Including non-PyTorch memory, this process has 10.21 GiB memory in use. Of the allocated memory 9.64 GiB is allocated by PyTorch, and 59.88 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 996.00 MiB. GPU 0 has a total capacity of 44.43 GiB of which 620.50 MiB is free. Process 2102129 has 33.54 GiB memory in use. Including non-PyTorch memory, this process has 10.21 GiB memory in use. Of the allocated memory 9.64 GiB is allocated by PyTorch, and 59.88 MiB is reserved by PyTorch but unallocated.
""",
    ),
)
