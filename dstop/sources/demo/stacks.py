"""Who allocated what in the demo's training job, and what its model comes to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.model.segment import ModelFacts, Place, Site
from dstop.sources.demo.training import SHARDED_WORLD, states_bytes

if TYPE_CHECKING:
    from dstop.model.allocator import Allocator

_TRAIN = "/home/deepa/v2lite/train.py"
_MODEL = "/home/deepa/v2lite/modeling_deepseek.py"
_TORCH = "/opt/envs/sft/lib/python3.12/site-packages/torch"
_STEP = (Place(_TRAIN, 214, "training_step"), Place(_TRAIN, 301, "main"))
_FORWARD = (Place(_MODEL, 1468, "forward"), *_STEP)
_STACKS: tuple[tuple[float, int, tuple[Place, ...]], ...] = (
    (
        0.34,
        216,
        (Place(_TORCH + "/nn/functional.py", 2413, "silu"), Place(_MODEL, 409, "forward"), *_FORWARD),
    ),
    (0.21, 54, (Place(_MODEL, 552, "moe_infer"), Place(_MODEL, 531, "forward"), *_FORWARD)),
    (0.18, 1, (Place(_MODEL, 1719, "forward"), *_STEP)),
    (
        0.12,
        81,
        (Place(_TORCH + "/nn/modules/linear.py", 125, "forward"), Place(_MODEL, 830, "forward"), *_FORWARD),
    ),
    (
        0.09,
        2,
        (
            Place(_TORCH + "/distributed/fsdp/_flat_param.py", 1322, "_alloc_padded_unsharded_flat_param"),
            Place(_TORCH + "/distributed/fsdp/_runtime_utils.py", 300, "_unshard"),
            *_FORWARD,
        ),
    ),
    (0.06, 27, (Place(_MODEL, 121, "forward"), *_FORWARD)),
)
"""Share of what the batch has allocated, blocks, and the stack; the third is the logits in fp32."""
_LAYERS = 27
_CONFIG = {
    "architectures": ["DeepseekV2ForCausalLM"],
    "model_type": "deepseek_v2",
    "hidden_size": 2048,
    "intermediate_size": 10_944,
    "moe_intermediate_size": 1408,
    "num_hidden_layers": _LAYERS,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "kv_lora_rank": 512,
    "q_lora_rank": None,
    "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64,
    "v_head_dim": 128,
    "n_routed_experts": 64,
    "n_shared_experts": 2,
    "num_experts_per_tok": 6,
    "first_k_dense_replace": 1,
    "moe_layer_freq": 1,
    "max_position_embeddings": 163_840,
    "vocab_size": 102_400,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}
"""`config.json` of deepseek-ai/DeepSeek-V2-Lite, as far as memory depends on it."""
_PARAMETERS = 15_706_484_224
"""DeepSeek-V2-Lite, as its authors count it."""
_LORA_PARAMETERS = 51_380_224


def rank_sites(allocator: Allocator, world_size: int) -> tuple[Site, ...]:
    """Give the stacks of a rank: what was there before the recording, then what a batch brings."""
    before = min(states_bytes(world_size), allocator.allocated_bytes or 0)
    batch = (allocator.allocated_bytes or 0) - before
    found = [Site(device_index=allocator.index, size_bytes=before, blocks=612, places=())]
    found += [
        Site(device_index=allocator.index, size_bytes=int(share * batch), blocks=blocks, places=places)
        for share, blocks, places in _STACKS
        if int(share * batch)
    ]
    return tuple(sorted(found, key=lambda site: -site.size_bytes))


def rank_facts(world_size: int) -> ModelFacts:
    """Give the model and the optimizer of one rank: its shard, or the adapters where LoRA trains."""
    sharded = world_size >= SHARDED_WORLD
    mine = _PARAMETERS // world_size if sharded else _PARAMETERS
    trained = mine if sharded else _LORA_PARAMETERS
    return ModelFacts(
        models=(
            {
                "class": "FullyShardedDataParallel" if sharded else "PeftModelForCausalLM",
                "parameters": mine,
                "local_parameters": mine,
                "trainable": trained,
                "checkpointed": _LAYERS,
                "parameter_bytes": 2 * mine,
                "gradient_bytes": 2 * trained,
                "buffer_bytes": 1_310_720,
                "dtypes": {"bfloat16": 2 * mine},
            },
        ),
        optimizers=(
            {
                "class": "AdamW",
                "state_bytes": 12 * trained,
                "state_dtypes": {"float32": 12 * trained},
                "defaults": {"lr": 2e-5, "betas": [0.9, 0.95], "weight_decay": 0.1},
            },
        ),
        config=_CONFIG,
    )
