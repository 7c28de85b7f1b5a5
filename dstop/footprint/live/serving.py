"""What the command line of a serving engine says of the memory it will take.

Names and defaults: vLLM `vllm/engine/arg_utils.py` and `docs/configuration/engine_args`, SGLang
`python/sglang/srt/server_args.py` and `docs/advanced_features/server_arguments`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dstop.footprint.live.options import count_of, share_of, truth_of, value_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.footprint.live.options import Options

_LONGEST_JSON = 4096
DTYPES = {
    "bfloat16": "bf16",
    "bf16": "bf16",
    "half": "fp16",
    "float16": "fp16",
    "fp16": "fp16",
    "float": "fp32",
    "float32": "fp32",
    "fp32": "fp32",
}
_QUANTIZATIONS = {
    "fp8": "fp8",
    "w8a8_fp8": "fp8",
    "w8a8_int8": "int8",
    "awq": "awq",
    "awq_marlin": "awq",
    "gptq": "gptq",
    "gptq_marlin": "gptq",
    "bitsandbytes": "nf4",
    "mxfp4": "mxfp4",
    "compressed_tensors": "native",
    "modelopt": "native",
    "modelopt_fp4": "native",
}
"""What `--quantization` makes of the weights; formats that stand in the checkpoint itself are `native`."""
_CACHES = {
    "fp8": "fp8",
    "fp8_e4m3": "fp8",
    "fp8_e5m2": "fp8",
    "bfloat16": "bf16",
    "bf16": "bf16",
    "float16": "fp16",
    "fp8_ds_mla": "fp8_ds_mla",
}
_NEXT_TOKEN = frozenset({"mtp", "deepseek_mtp", "nextn"})


def vllm_fields(options: Options) -> dict[str, object]:
    """Give the SPEC fields that a vLLM command line names.

    With `--enable-expert-parallel` the experts are spread over all tensor- and data-parallel ranks.
    """
    tp = count_of(options, ("tensor_parallel_size", "tp")) or 1
    dp = count_of(options, ("data_parallel_size", "dp")) or 1
    cp = count_of(options, ("decode_context_parallel_size", "dcp")) or 1
    spread = truth_of(options, ("enable_expert_parallel", "ep"))
    fields: dict[str, object] = {
        "phase": "inference",
        "framework": "vllm",
        "parallel.tp": tp,
        "parallel.pp": count_of(options, ("pipeline_parallel_size", "pp")) or 1,
        "parallel.dp": dp,
        "gpu_memory_utilization": share_of(options, ("gpu_memory_utilization",)),
        "max_model_len": count_of(options, ("max_model_len",)),
        "max_num_seqs": count_of(options, ("max_num_seqs",)),
        "max_num_batched_tokens": count_of(options, ("max_num_batched_tokens",)),
        **_formats(options),
    }
    if spread:
        fields["parallel.ep"] = tp * dp
    if cp > 1:  # shards the cache within the tensor-parallel ranks: they are not more GPUs
        fields["parallel.tp"] = tp // cp if tp % cp == 0 else tp
        fields["parallel.cp"] = cp
    if _speculates(value_of(options, ("speculative_config",))):
        fields["speculative"] = "mtp"
    return fields


def sglang_fields(options: Options) -> dict[str, object]:
    """Give the SPEC fields that an SGLang command line names.

    `--enable-dp-attention` keeps dp copies of the attention among the tp ranks, each on tp / dp of them, and the
    experts over all tp ranks.
    """
    tp = count_of(options, ("tensor_parallel_size", "tp_size", "tp")) or 1
    dp = count_of(options, ("data_parallel_size", "dp_size", "dp")) or 1
    ep = count_of(options, ("expert_parallel_size", "ep_size", "ep")) or 1
    apart = truth_of(options, ("enable_dp_attention",)) and dp > 1 and tp % dp == 0
    fields: dict[str, object] = {
        "phase": "inference",
        "framework": "sglang",
        "parallel.tp": tp // dp if apart else tp,
        "parallel.pp": count_of(options, ("pipeline_parallel_size", "pp_size", "pp")) or 1,
        "parallel.dp": dp,
        "gpu_memory_utilization": share_of(options, ("mem_fraction_static",)),
        "max_model_len": count_of(options, ("context_length",)),
        "max_num_seqs": count_of(options, ("max_running_requests",)),
        "max_num_batched_tokens": count_of(options, ("chunked_prefill_size",)),
        **_formats(options),
    }
    if ep > 1 or apart:
        fields["parallel.ep"] = ep
        fields["parallel.etp"] = max(1, tp // ep)
    if (value_of(options, ("speculative_algorithm",)) or "").lower() in _NEXT_TOKEN:
        fields["speculative"] = "mtp"
    return fields


def _formats(options: Options) -> dict[str, object]:
    """Give the formats of weights and cache, where the command line chooses them."""
    fields: dict[str, object] = {}
    method = value_of(options, ("quantization", "q"))
    if method is not None:
        fields["weights"] = _QUANTIZATIONS.get(method.lower().replace("-", "_"), "native")
    else:
        fields["weights"] = DTYPES.get((value_of(options, ("dtype",)) or "").lower())
    cache = value_of(options, ("kv_cache_dtype",))
    if cache is not None:
        fields["kv_cache"] = _CACHES.get(cache.lower())
    return {name: value for name, value in fields.items() if value is not None}


def _speculates(text: str | None) -> bool:
    """Whether vLLM's `--speculative-config`, a piece of JSON, asks for the model's own next-token layers."""
    if text is None or len(text) > _LONGEST_JSON:
        return False
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return False
    method = said.get("method") if isinstance(said, dict) else None
    return isinstance(method, str) and (method.lower() in _NEXT_TOKEN or method.lower().endswith("_mtp"))


def title_stage(title: str | None) -> int | None:
    """Give the pipeline stage in a worker's title: `VLLM::Worker_PP1_TP0`, `sglang::scheduler_PP1_TP0`; else None."""
    if title is None:
        return None
    _, found, rest = title.upper().rpartition("PP")
    digits = rest[: next((at for at, char in enumerate(rest) if not char.isdigit()), len(rest))]
    return int(digits) if found and 0 < len(digits) <= 4 and digits.isascii() else None  # noqa: PLR2004 - no more stages


SERVERS: Mapping[str, str] = {"vllm": "vllm", "sglang": "sglang"}
"""Engines whose command lines are read, by the names that processes are shown under, in small letters."""
