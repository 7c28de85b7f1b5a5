"""The data-parallel wrapper's gradient buffers do not fit

What it means
    DDP, Megatron and Apex copy all gradients into flat buffers, so that they can be reduced in large pieces: once the gradients'
    size more, 2 or 4 bytes a parameter, taken when the model is wrapped or at the first backward pass.

Evidence
    The failing frame is the wrapper's: `_ddp_init_helper`, `dist.Reducer`, `param_and_grad_buffer.py`, `_flatten_dense_tensors`,
    legacy_distributed_data_parallel.

Fix
    `gradient_as_bucket_view=True` lets gradients be views of the buckets (recovers one copy); Megatron and fairseq have an
    implementation without the flat buffer; ZeRO or FSDP shard it.

When it is wrong
    If the forward pass of another step fails, it is the activations (DS101).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.rule import FITS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_BUFFERS = (
    r"_ddp_init_helper|dist\.Reducer\(|param_and_grad_buffer\.py|_flatten_dense_tensors|flatten_dense_tensors|"
    r"legacy_distributed_data_parallel|:__init__:.*buffer_size|apex/parallel/distributed\.py|MemoryBuffer|memory\.py:allocate_mem_buff"
)
_INNERMOST = 4


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    frame = case.in_frames(_BUFFERS)
    if failure is None or frame is None or failure.is_absurd or frame not in case.frames[-_INNERMOST:]:
        return None
    says = f"{frame.function} ({frame.file}:{frame.line}) makes the buffers that gradients are copied into"
    return Assessment(
        strength=FITS + 9,
        evidence=(*failure_lines(case), Evidence(source=str(failure.place), says=says), *rank_lines(case)),
        at=failure.place,
        fixes=prescribe(
            case,
            "local_ddp_buffers",
            "zero3_offload",
            "reduce_batch",
            "lora",
            recovers={"local_ddp_buffers": failure.tried_bytes},
            commands={"local_ddp_buffers": _line(case)},
        ),
    )


def _line(case: Case) -> str:
    if case.framework == "megatron":
        return "--DDP-impl local  # older Megatron; newer: --use-distributed-optimizer"
    if case.says(r"fairseq"):
        return "--ddp-backend no_c10d"
    return "DistributedDataParallel(model, gradient_as_bucket_view=True)"


RULE = Rule(
    id="DS610",
    name="gradient-buffers",
    cause="optimizer_states",
    title="The data-parallel wrapper's gradient buffers do not fit",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """  File "/home/u/train.py", line 44, in main
    model = DistributedDataParallel(model, device_ids=[rank])
  File "/opt/venv/lib/python3.11/site-packages/torch/nn/parallel/distributed.py", line 822, in __init__
    self._ddp_init_helper(
  File "/opt/venv/lib/python3.11/site-packages/torch/nn/parallel/distributed.py", line 1155, in _ddp_init_helper
    self.reducer = dist.Reducer(
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 12.55 GiB. GPU 0 has a total capacity of 23.57 GiB of which 9.50 GiB is free. Including non-PyTorch memory, this process has 14.06 GiB memory in use. Of the allocated memory 13.41 GiB is allocated by PyTorch, and 1.20 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """  File "/opt/venv/lib/python3.11/site-packages/torch/nn/parallel/distributed.py", line 1523, in forward
    else self._run_ddp_forward(*inputs, **kwargs)
  File "/home/u/model.py", line 12, in forward
    return self.fc(x)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 12.55 GiB. GPU 0 has a total capacity of 23.57 GiB of which 9.50 GiB is free. Including non-PyTorch memory, this process has 14.06 GiB memory in use. Of the allocated memory 13.41 GiB is allocated by PyTorch, and 1.20 MiB is reserved by PyTorch but unallocated.
""",
    ),
)
