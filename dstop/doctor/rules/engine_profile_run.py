"""The engine's largest step does not fit beside the weights: its trial run failed

What it means
    Before it sizes the KV cache an engine runs its largest batch once: all tokens that it may batch, with images at their
    largest. The weights fitted, the activations of that batch did not.

Evidence
    TGI: `Not enough memory to handle N prefill tokens. You need to decrease --max-batch-prefill-tokens`. vLLM: an
    out-of-memory error in `profile_run`, `_dummy_run` or `determine_available_memory`, after the model was loaded.

Fix
    Fewer batched tokens and sequences; for images a smaller limit of their number or size. More cards make the weights smaller.

When it is wrong
    If the weights take nine tenths of the card, they are the reason, and a smaller batch only moves the failure (DS509, DS502).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import failure_lines, rank_lines, told_by
from dstop.doctor.questions.engines import GGML, engine_phase, is_engine, loaded_bytes
from dstop.doctor.rule import FITS, SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_NEARLY_ALL = 0.9


def _examine(case: Case) -> Assessment | None:
    sign = case.first("tgi.warm_up")
    failure = case.failure
    if sign is None and (
        failure is None
        or failure.is_absurd
        or not is_engine(case)
        or case.framework in GGML
        or engine_phase(case) != "profile"
    ):
        return None
    place = sign.place if sign is not None else failure.place if failure is not None else None
    evidence = ([told_by(sign)] if sign is not None else []) + failure_lines(case)
    weights, total = loaded_bytes(case), failure.total_bytes if failure is not None else None
    is_weights = weights is not None and total is not None and weights >= _NEARLY_ALL * total
    if weights is not None and total is not None:
        says = f"the weights take {gib(weights)} of {gib(total)}"
        evidence.append(Evidence(source=str(place), says=says, value=weights))
    fixes: tuple[str, ...] = (
        "reduce_max_batch_tokens",
        "reduce_max_num_seqs",
        "reduce_max_model_len",
        "shard_more_gpus",
        "quantize",
    )
    if is_weights:
        fixes = (
            "shard_more_gpus",
            "quantize",
            "reduce_max_batch_tokens",
            "reduce_max_num_seqs",
            "use_smaller_model",
        )
    elif case.framework == "tgi":
        fixes = ("reduce_max_batch_tokens", "quantize", "shard_more_gpus", "reduce_max_model_len")
    commands = {}
    tokens = sign.number("tokens_count") if sign is not None else None
    if tokens:
        commands["reduce_max_batch_tokens"] = f"--max-batch-prefill-tokens {max(1, tokens // 2)}"
    return Assessment(
        strength=SAYS_SO if sign is not None else FITS + 6,
        evidence=(*evidence, *rank_lines(case)),
        at=place,
        fixes=prescribe(case, *fixes, commands=commands),
    )


RULE = Rule(
    id="DS510",
    name="engine-profile-run",
    cause="capacity_activations",
    title="The engine's largest step does not fit beside the weights",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """2024-02-11T10:20:41.151123Z ERROR warmup{max_input_length=4095 max_prefill_tokens=16384}:warmup: text_generation_client: router/client/src/lib.rs:33: Server error: Not enough memory to handle 16384 prefill tokens. You need to decrease `--max-batch-prefill-tokens`
Error: Warmup(Generation("Not enough memory to handle 16384 prefill tokens. You need to decrease `--max-batch-prefill-tokens`"))
""",
        """INFO 03-11 10:02:12 [gpu_model_runner.py:1281] Model loading took 15.2683 GiB and 9.1 seconds
  File "/opt/venv/lib/python3.12/site-packages/vllm/v1/worker/gpu_worker.py", line 202, in determine_available_memory
    self.model_runner.profile_run()
  File "/opt/venv/lib/python3.12/site-packages/vllm/v1/worker/gpu_model_runner.py", line 1701, in profile_run
    hidden_states = self._dummy_run(self.max_num_tokens)
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 3.12 GiB. GPU 0 has a total capacity of 23.57 GiB of which 2.02 GiB is free. Including non-PyTorch memory, this process has 21.54 GiB memory in use. Of the allocated memory 20.95 GiB is allocated by PyTorch, and 311.20 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """INFO 03-11 10:02:12 [gpu_model_runner.py:1281] Model loading took 15.2683 GiB and 9.1 seconds
INFO 03-11 10:02:31 [gpu_worker.py:227] Available KV cache memory: -0.93 GiB
ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine.
""",
    ),
)
