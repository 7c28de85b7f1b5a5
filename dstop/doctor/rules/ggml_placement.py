"""llama.cpp, Ollama: more was placed on the card than it holds

What it means
    Layers, caches and compute buffers are placed by an estimate, or by a number that somebody gave. Compute buffers come last
    and are the first to fail; with pipeline parallelism over several cards they are multiplied by the number of copies (4).

Evidence
    `failed to allocate compute buffers`, `ggml_gallocr_reserve_n: failed to allocate`; a runner that ended with `CUDA error: out
    of memory` or `cudaMalloc failed`; `memory layout cannot be allocated`; the scratch pool of ggml-cuda.

Fix
    Smaller compute buffers: fewer copies (`GGML_SCHED_MAX_COPIES=1`), a smaller `-ub`, flash attention. Or fewer layers on the
    card (`num_gpu`, `-ngl`), and room that the estimate must leave (`OLLAMA_GPU_OVERHEAD`, `-fitt`).

When it is wrong
    If the buffer is the KV cache, its length decides (DS514). `retrying without pipeline parallelism` is no failure by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines, told_by
from dstop.doctor.questions.engines import GGML, is_engine
from dstop.doctor.questions.ggml import died_of_memory, layers_that_fit, refused_buffer
from dstop.doctor.rule import FITS, PROVEN, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Place
    from dstop.doctor.questions.ggml import Buffer

_COPIES = 4
"""GGML_SCHED_MAX_COPIES, where the log says that copies are on, and not how many."""


def _examine(case: Case) -> Assessment | None:
    buffer = refused_buffer(case)
    if buffer is not None and buffer.use == "compute":
        return _of_compute(case, buffer)
    died = died_of_memory(case)
    stopped = case.first("ollama.runner_stopped")
    failure = case.failure
    is_ours = failure is not None and is_engine(case) and case.framework in GGML
    sign = died or (buffer.sign if buffer is not None else None) or case.first("ggml.pool") or stopped
    if sign is None and not is_ours:
        return None
    if buffer is not None and buffer.use == "cache" and died is None:
        return None
    place: Place | None = sign.place if sign is not None else None
    if failure is not None and (place is None or failure.place.order < place.order):
        place = failure.place
    if sign is None and failure is not None and _recovered(case, failure.place.order):
        return None
    evidence = [*failure_lines(case), *([told_by(sign)] if sign is not None else [])]
    return Assessment(
        strength=_strength(
            case, buffer, is_named=died is not None, is_guess=sign is stopped and sign is not None
        ),
        evidence=tuple(evidence),
        at=place,
        fixes=prescribe(case, *_fixes(case), commands=_commands(case, buffer)),
    )


def _strength(case: Case, buffer: Buffer | None, *, is_named: bool, is_guess: bool) -> int:
    if buffer is not None and buffer.use == "weights":
        return FITS + 6 if case.framework == "ollama" or case.has("ggml.fit_failed") else FITS - 4
    if buffer is not None and buffer.use == "cache":
        return SUGGESTS + 5
    if is_guess and case.failure is None:
        return SUGGESTS
    return PROVEN - 2 if is_named else FITS + 8


def _of_compute(case: Case, buffer: Buffer) -> Assessment | None:
    if _recovered(case, buffer.place.order):
        return None
    pipeline = case.first("ggml.pipeline")
    evidence = [*failure_lines(case), told_by(buffer.sign)]
    fixes = [
        "reduce_ubatch",
        "reduce_gpu_layers",
        "reduce_max_model_len",
        "set_gpu_overhead",
        "kv_cache_quant",
    ]
    recovers: dict[str, int | None] = {}
    if pipeline is not None and not case.has("ggml.compute_retry"):
        copies = pipeline.number("copies_count") or _COPIES
        evidence.append(told_by(pipeline))
        fixes.insert(0, "disable_pipeline_parallel")
        if buffer.size is not None:
            recovers["disable_pipeline_parallel"] = buffer.size * (copies - 1) // copies
            says = f"{gib(buffer.size)} of compute buffer with {copies} copies; one alone takes about {gib(buffer.size // copies)}"
            evidence.append(Evidence(source=str(buffer.sign.place), says=says, value=buffer.size))
    else:
        pipeline = None
    return Assessment(
        strength=PROVEN + 9,
        evidence=tuple(evidence),
        at=buffer.place,
        subcause="compute_buffer_parallel_copies" if pipeline is not None else None,
        title=f"The compute buffer of {gib(buffer.size)} does not fit beside weights and cache"
        if buffer.size
        else None,
        fixes=prescribe(case, *fixes, recovers=recovers, commands=_commands(case, buffer)),
    )


def _recovered(case: Case, order: int) -> bool:
    """Whether it went on without pipeline parallelism, or was serving afterwards."""
    retry = case.first("ggml.compute_retry")
    if retry is not None and retry.place.order >= order:
        last = max((one.place.order for one in case.failures), default=order)
        last = max([last, *(sign.place.order for sign in case.all("ggml.compute", "ggml.compute_buffer"))])
        return last <= retry.place.order
    return any(sign.place.order > order for sign in case.all("ggml.serving")) and not case.has(
        "ggml.load_failed"
    )


def _fixes(case: Case) -> tuple[str, ...]:
    if case.framework == "ollama":
        return (
            "reduce_gpu_layers",
            "set_gpu_overhead",
            "reduce_max_model_len",
            "reduce_ubatch",
            "kv_cache_quant",
        )
    return (
        "reduce_gpu_layers",
        "reduce_max_model_len",
        "reduce_ubatch",
        "kv_cache_quant",
        "use_smaller_model",
    )


def _commands(case: Case, buffer: Buffer | None) -> dict[str, str]:
    commands = {} if case.framework == "ollama" else {"set_gpu_overhead": "-fitt 2048"}
    layers = layers_that_fit(case, buffer.size) if buffer is not None and buffer.use == "weights" else None
    if layers is not None:
        commands["reduce_gpu_layers"] = (
            f"PARAMETER num_gpu {layers}" if case.framework == "ollama" else f"-ngl {layers}"
        )
    return commands


RULE = Rule(
    id="DS513",
    name="ggml-placement",
    cause="estimator_overcommit",
    title="More was placed on the card than it holds",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """llama_context: pipeline parallelism enabled (n_copies=4)
ggml_backend_cuda_buffer_type_alloc_buffer: allocating 6144.28 MiB on device 1: cudaMalloc failed: out of memory
ggml_gallocr_reserve_n: failed to allocate CUDA1 buffer of size 6442747904
llama_init_from_model: failed to initialize the context: failed to allocate compute pp buffers
""",
        """time=2025-03-15T11:39:07.123+01:00 level=ERROR source=sched.go:456 msg="error loading llama server" error="llama runner process has terminated: cudaMalloc failed: out of memory"
""",
    ),
    near_miss=(
        """ggml_backend_cuda_buffer_type_alloc_buffer: allocating 421.00 MiB on device 1: cudaMalloc failed: out of memory
ggml_gallocr_reserve_n: failed to allocate CUDA1 buffer of size 441450496
sched_reserve: compute buffer allocation failed, retrying without pipeline parallelism
main: server is listening on http://127.0.0.1:8080 - starting the main loop
""",
    ),
)
