"""What the command line and environment of a training script say of the memory that it will take.

Names: Hugging Face `TrainingArguments`, TRL `ModelConfig` and `SFTConfig`, LLaMA-Factory, torchtune-like scripts,
Megatron-LM `megatron/training/arguments.py`, DeepSpeed's JSON, the variables of `accelerate launch`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.live.options import count_of, is_yes, truth_of, value_of, whole
from dstop.footprint.live.serving import DTYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.footprint.live.options import Options

_SIGNS = (
    "per_device_train_batch_size",
    "micro_batch_size",
    "micro_batch",
    "train_batch_size",
    "gradient_accumulation_steps",
    "num_train_epochs",
    "learning_rate",
    "lr",
    "max_steps",
    "train_iters",
    "optim",
    "optimizer",
    "gradient_checkpointing",
    "fsdp",
    "deepspeed",
    "lora_rank",
    "lora_r",
)
"""Options that only something that trains has."""
_SCRIPTS = ("train", "finetune", "fine_tune", "sft", "dpo", "grpo", "pretrain")
_BATCH = (
    "per_device_train_batch_size",
    "micro_batch_size",
    "micro_batch",
    "train_micro_batch_size_per_gpu",
    "mbs",
    "batch_size",
)
_SEQUENCE = (
    "max_seq_length",
    "max_seq_len",
    "seq_length",
    "seq_len",
    "sequence_length",
    "cutoff_len",
    "model_max_length",
    "max_length",
    "block_size",
)
_OPTIMIZERS = {
    "adamw_torch": "adamw",
    "adamw_torch_fused": "adamw",
    "adamw_hf": "adamw",
    "adamw_apex_fused": "adamw",
    "adamw": "adamw",
    "adam": "adamw",
    "fused_adam": "adamw",
    "adamw_bnb_8bit": "adamw8bit",
    "adamw_8bit": "adamw8bit",
    "paged_adamw_8bit": "adamw8bit",
    "adamw8bit": "adamw8bit",
    "adamw_torch_8bit": "adamw8bit",
    "adamw_torch_4bit": "adamw4bit",
    "adafactor": "adafactor",
    "sgd": "sgd",
    "lion": "lion",
    "lion_32bit": "lion",
    "adagrad": "adagrad",
    "muon": "muon",
}
_SHARDING = {
    "full_shard": 3,
    "1": 3,
    "shard_grad_op": 2,
    "2": 2,
    "no_shard": 0,
    "3": 0,
    "hybrid_shard": 3,
}
"""FSDP's strategies, by name and by the number that `accelerate` gives them."""


def trains(options: Options, script: str, environ: Mapping[str, str]) -> bool:
    """Whether it is a training run: an option that nothing else has, the script's name, or a launcher's variable."""
    if any(name in options for name in _SIGNS):
        return True
    if environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE") or is_yes(environ.get("ACCELERATE_USE_FSDP")):
        return True
    words = script.lower().replace("-", "_").replace(".", "_").split("_")
    return any(word in words or script.lower().startswith(word) for word in _SCRIPTS)


def training_fields(options: Options, environ: Mapping[str, str], framework: str) -> dict[str, object]:
    """Give the SPEC fields that a training command line names, those of its place in the job left out."""
    sequence = count_of(options, _SEQUENCE)
    fields: dict[str, object] = {
        "phase": "training",
        "framework": framework,
        "batch": count_of(options, _BATCH),
        "sequence": sequence,
        "optimizer": _optimizer(options),
        "attention": _attention(options),
        **_precision(options, environ),
        **_checkpointing(options),
        **_adapters(options),
        "parallel.zero": _zero(options, environ),
    }
    if framework == "megatron":
        fields |= _megatron(options)
    return {name: value for name, value in fields.items() if value is not None}


def _optimizer(options: Options) -> str | None:
    name = value_of(options, ("optim", "optimizer", "optimizer_name"))
    return None if name is None else _OPTIMIZERS.get(name.lower().replace("-", "_"))


def _attention(options: Options) -> str | None:
    name = value_of(options, ("attn_implementation", "attn_impl", "flash_attn"))
    known = {"eager": "eager", "sdpa": "sdpa", "fa2": "flash", "disabled": "eager"}
    if name is None:
        return "flash" if truth_of(options, ("use_flash_attn", "use_flash_attention_2")) else None
    return "flash" if name.lower().startswith("flash") else known.get(name.lower())


def _precision(options: Options, environ: Mapping[str, str]) -> dict[str, object]:
    """Give the format of the weights and of what is computed with.

    `--bf16` and `--fp16` of Hugging Face's Trainer are autocast: what the weights are is another option
    (`--torch_dtype`), and without it `from_pretrained` before transformers 5 makes them fp32 (its documented default).
    """
    weights = DTYPES.get(
        (value_of(options, ("torch_dtype", "dtype", "model_dtype", "precision")) or "").lower()
    )
    mixed = next((name for name in ("bf16", "fp16") if truth_of(options, (name,))), None)
    said = environ.get("ACCELERATE_MIXED_PRECISION", "")
    mixed = mixed or (said if said in {"bf16", "fp16"} else None)
    if truth_of(options, ("pure_bf16",)):
        return {"weights": "bf16"}
    if weights is not None:
        return {"weights": weights, "autocast": mixed if weights == "fp32" else None}
    hugging = "per_device_train_batch_size" in options
    return {"weights": "fp32", "autocast": mixed} if hugging and mixed else {}


def _checkpointing(options: Options) -> dict[str, object]:
    granularity = value_of(options, ("recompute_granularity",))
    if granularity in {"full", "selective"}:
        return {"checkpointing": granularity}
    said = truth_of(
        options, ("gradient_checkpointing", "activation_checkpointing", "enable_gradient_checkpointing")
    )
    return {} if said is None else {"checkpointing": "full" if said else "none"}


def _adapters(options: Options) -> dict[str, object]:
    rank = count_of(options, ("lora_rank", "lora_r", "lora_dim"))
    asked = truth_of(options, ("use_peft", "use_lora", "lora"))
    kind = value_of(options, ("finetuning_type",))
    if rank is None or asked is False or kind in {"full", "freeze"}:
        return {}
    lora: dict[str, object] = {"rank": rank}
    alpha = whole(value_of(options, ("lora_alpha",)))
    if alpha is not None:
        lora["alpha"] = alpha
    targets = options.get("lora_target_modules") or options.get("lora_target") or ()
    names = [name for word in targets for name in word.split(",") if name]
    if names:
        lora["targets"] = "all-linear" if names[0] in {"all", "all-linear", "all_linear"} else names
    if truth_of(options, ("load_in_4bit",)) or value_of(options, ("quantization_bit",)) == "4":
        lora["base"] = "nf4"
    elif truth_of(options, ("load_in_8bit",)) or value_of(options, ("quantization_bit",)) == "8":
        lora["base"] = "int8"
    return {"lora": lora}


def _zero(options: Options, environ: Mapping[str, str]) -> int | None:
    """Give how states are sharded: by `--fsdp`, by the launcher's variables; DeepSpeed's file is read elsewhere."""
    words = options.get("fsdp")
    if words is not None:
        said = " ".join(words).lower()
        return next((stage for name, stage in _SHARDING.items() if name in said.split()), 3)
    if is_yes(environ.get("ACCELERATE_USE_FSDP")):
        return _SHARDING.get(environ.get("FSDP_SHARDING_STRATEGY", "").lower(), 3)
    stage = (
        environ.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", "")
        if is_yes(environ.get("ACCELERATE_USE_DEEPSPEED"))
        else ""
    )
    stage = stage or value_of(options, ("zero_stage",)) or ""
    return int(stage) if stage in {"0", "1", "2", "3"} else None


def _megatron(options: Options) -> dict[str, object]:
    return {
        "parallel.tp": count_of(options, ("tensor_model_parallel_size",)) or 1,
        "parallel.pp": count_of(options, ("pipeline_model_parallel_size",)) or 1,
        "parallel.cp": count_of(options, ("context_parallel_size",)) or 1,
        "parallel.ep": count_of(options, ("expert_model_parallel_size",)) or 1,
        "parallel.etp": count_of(options, ("expert_tensor_parallel_size",)),
        "parallel.sequence_parallel": truth_of(options, ("sequence_parallel",)) or False,
        "parallel.zero": 1 if truth_of(options, ("use_distributed_optimizer",)) else 0,
        "weights": next((name for name in ("bf16", "fp16") if truth_of(options, (name,))), "fp32"),
        "autocast": None,
        "master_weights": bool(truth_of(options, ("bf16",)) or truth_of(options, ("fp16",))),
        "gradients": "fp32",
    }


def deepspeed_fields(said: Mapping[str, object]) -> dict[str, object]:
    """Give the SPEC fields of a DeepSpeed configuration: its stage, precision and micro-batch.

    Its optimizers keep an fp32 copy of bf16 and fp16 weights (DeepSpeed docs, `estimate_zero*_model_states_mem_needs`).
    """
    fields: dict[str, object] = {}
    stage = said.get("zero_optimization")
    if isinstance(stage, dict) and stage.get("stage") in {0, 1, 2, 3}:
        fields["parallel.zero"] = stage["stage"]
    for key, name in (("bf16", "bf16"), ("bfloat16", "bf16"), ("fp16", "fp16")):
        table = said.get(key)
        if isinstance(table, dict) and table.get("enabled") is True:
            fields |= {"weights": name, "master_weights": True}
    batch = said.get("train_micro_batch_size_per_gpu")
    if isinstance(batch, int) and not isinstance(batch, bool) and batch > 0:
        fields["batch"] = batch
    return fields
