"""DS250: the card is nearly full, and the next allocation may fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.live.scene import usable_bytes
from dstop.units import GIB, bytes_text

if TYPE_CHECKING:
    from dstop.doctor.live.scene import Scene
    from dstop.model.finding import Finding
    from dstop.model.gpu import Gpu
    from dstop.model.process import GpuProcess

LEFT_BYTES, LEFT_SHARE = GIB, 0.02
"""Less than both: a layer's activations or a NCCL buffer do not fit any more."""
PREALLOCATING = frozenset({"vllm", "sglang", "tensorrt-llm", "tgi", "triton", "jax", "tensorflow"})
"""These take their share at the start, on purpose, and nothing after it."""


def watch(scene: Scene) -> list[Finding]:
    """Look at what is free on every card."""
    found: list[Finding] = []
    for gpu in scene.gpus.values():
        total, free = usable_bytes(gpu), gpu.memory_free_bytes
        if total is None or free is None or gpu.mig_enabled or free > LEFT_BYTES or free > LEFT_SHARE * total:
            continue
        biggest = max(
            scene.on_gpu.get(gpu.index, ()), key=lambda row: row.gpu_memory_bytes or 0, default=None
        )
        if biggest is None or biggest.facts.framework not in PREALLOCATING:
            found.append(_finding(gpu, free, biggest))
    return found


def _finding(gpu: Gpu, free: int, biggest: GpuProcess | None) -> Finding:
    from dstop.doctor.live.telling import of_gpu, of_process, remedies, who  # noqa: PLC0415 - most machines have nothing to tell
    from dstop.model.finding import Finding, Severity  # noqa: PLC0415 - as above

    says = f"GPU {gpu.index} has {bytes_text(free)} left: the next larger allocation fails"
    evidence = [
        of_gpu(gpu.index, f"{bytes_text(free)} of {bytes_text(gpu.memory_total_bytes)} is free", free)
    ]
    cached = None
    if biggest is not None:
        evidence.append(
            of_process(
                biggest,
                f"{who(biggest)} holds {bytes_text(biggest.gpu_memory_bytes)}",
                biggest.gpu_memory_bytes,
            )
        )
        cached = biggest.allocator.cached_bytes if biggest.allocator is not None else None
    if cached is not None and biggest is not None:
        says += f", or comes out of the {bytes_text(cached)} that PyTorch has cached"
        evidence.append(
            of_process(biggest, f"{bytes_text(cached)} is cached by PyTorch and free for it", cached)
        )
    # What is cached has not sufficed where the allocator had to empty its cache and ask again.
    asked_again = (
        biggest is not None and biggest.allocator is not None and bool(biggest.allocator.num_alloc_retries)
    )
    calm = cached is not None and cached > LEFT_BYTES and not asked_again
    return Finding(
        rule="DS250",
        cause="capacity_activations",
        severity=Severity.NOTE if calm else Severity.WARNING,
        badge=f"FULL {bytes_text(free)}",
        says=says,
        gpu_index=gpu.index,
        pid=None if biggest is None else biggest.pid,  # it is over when that one has ended
        started_at_s=None if biggest is None else biggest.facts.started_at_s,
        evidence=tuple(evidence),
        fixes=remedies(
            "reduce_batch", "grad_checkpointing", "expandable_segments", "fix_cuda_visible_devices"
        ),
    )
