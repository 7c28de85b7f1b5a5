"""The sampler needs tokens x vocabulary in fp32, and the engine has given the card away

What it means
    vLLM runs its sampler once with `max_num_seqs` dummy requests after the KV cache has been allocated. Logits, softmax and
    sort take several tensors of sequences x vocabulary x 4 bytes. While serving, log-probabilities of long prompts do the same.

Evidence
    `CUDA out of memory occurred when warming up sampler with N dummy requests` (or pooler), or an out-of-memory error whose
    frames are in `_dummy_sampler_run`, or a large request in the frames of the sampler or of log-probabilities.

Fix
    Fewer sequences, in proportion; or a lower utilization, which leaves room beside the cache.

When it is wrong
    If another process grew meanwhile, the room it took is what is missing (DS401).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines, rank_lines, told_by
from dstop.doctor.questions.engines import engine_phase, is_engine, share, utilization
from dstop.doctor.rule import FITS, PROVEN, SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence
from dstop.units import MIB

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_STEP = 0.05
_LARGE_BYTES = 256 * MIB
_LOGITS = r"sampler\.py|compute_logprobs|prompt_logprobs|gather_logprobs|logits_processor|:compute_logits|log_softmax"
_USUAL_SEQUENCES = 256


def _examine(case: Case) -> Assessment | None:
    sign = case.first("vllm.warm_up")
    strength = SAYS_SO if sign is not None else _strength(case)
    if strength is None:
        return None
    place = sign.place if sign is not None else case.failure.place if case.failure is not None else None
    evidence = ([told_by(sign)] if sign is not None else []) + failure_lines(case)
    sequences = (sign.number("sequences_count") if sign is not None else None) or case.number("max_num_seqs")
    vocabulary = case.number("vocabulary")
    if sequences and vocabulary:
        logits = sequences * vocabulary * 4
        says = f"{sequences} sequences x {vocabulary} tokens x 4 bytes = {gib(logits)} a tensor"
        evidence.append(Evidence(source=str(place), says=says, value=logits))
    commands = {}
    if sequences:
        commands["reduce_max_num_seqs"] = f"--max-num-seqs {min(max(1, sequences // 4), _USUAL_SEQUENCES)}"
    used = utilization(case)
    if used is not None and used > 2 * _STEP:
        commands["lower_gpu_memory_utilization"] = f"--gpu-memory-utilization {share(used - _STEP)}"
    return Assessment(
        strength=strength,
        evidence=(*evidence, *rank_lines(case)),
        at=place,
        fixes=prescribe(case, *_fixes(case, is_warm_up=sign is not None), commands=commands),
    )


def _strength(case: Case) -> int | None:
    """Judge an out-of-memory error without that message by its frames."""
    failure = case.failure
    if failure is None or failure.is_absurd or not is_engine(case):
        return None
    phase = engine_phase(case)
    if phase == "sampler":
        return PROVEN + 4
    is_large = failure.tried_bytes is not None and failure.tried_bytes >= _LARGE_BYTES
    if phase in {"serving", "cache", "profile"} and is_large and case.in_frames(_LOGITS) is not None:
        return FITS + 9
    return None


def _fixes(case: Case, *, is_warm_up: bool) -> tuple[str, ...]:
    if case.framework == "sglang":
        return (
            "lower_mem_fraction_static",
            "reduce_chunked_prefill",
            "reduce_max_num_seqs",
            "chunked_logprobs",
        )
    if is_warm_up:
        return (
            "reduce_max_num_seqs",
            "lower_gpu_memory_utilization",
            "kill_other_process",
            "shard_more_gpus",
        )
    return (
        "reduce_max_num_seqs",
        "lower_gpu_memory_utilization",
        "reduce_max_batch_tokens",
        "shard_more_gpus",
    )


RULE = Rule(
    id="DS507",
    name="engine-sampler",
    cause="logits_spike",
    title="The sampler's logits found no room beside the KV cache",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """(EngineCore_DP0 pid=512) ERROR 05-09 11:20:33 [core.py:632] RuntimeError: CUDA out of memory occurred when warming up sampler with 1024 dummy requests. Please try lowering `max_num_seqs` or `gpu_memory_utilization` when initializing the engine.
""",
    ),
    near_miss=(
        """INFO 05-09 11:20:33 [gpu_model_runner.py:2651] Graph capturing finished in 22 secs, took 0.61 GiB
INFO 05-09 11:20:34 [core.py:214] init engine (profile, create kv cache, warmup model) took 64.13 seconds
""",
    ),
)
