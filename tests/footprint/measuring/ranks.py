"""Two ranks: DDP and FSDP2 over the device's own NCCL, a real one or a simulated one."""

from __future__ import annotations

import os

import torch


def join():
    """Join the group, where there is one."""
    if "RANK" not in os.environ:
        return
    device = torch.device("cuda", int(os.environ["RANK"]))
    torch.cuda.set_device(device)
    torch.distributed.init_process_group("nccl", device_id=device)


def shard(model, layers, kind):
    """Give what is called in training: the model, or the model as `kind` spreads it over the ranks."""
    if not kind:
        return model
    if kind == "ddp":
        return torch.nn.parallel.DistributedDataParallel(model, device_ids=[torch.cuda.current_device()])
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    mixed = {"mp_policy": MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)}
    options = mixed if kind == "fsdp-mixed" else {}
    for layer in layers:
        fully_shard(layer, **options)
    return fully_shard(model, **options)


def held(tensors):
    """Give the bytes of the storages of CUDA tensors that this rank has, each once."""
    sizes = {}
    for each in tensors:
        local = each.to_local() if hasattr(each, "to_local") else each
        if isinstance(local, torch.Tensor) and local.is_cuda:
            sizes[local.untyped_storage().data_ptr()] = local.untyped_storage().nbytes()
    return sum(sizes.values())
