"""Record what a pass of transformers without gradients takes, on a device whose allocator is PyTorch's own.

    python tests/footprint/inference/record.py > tests/footprint/inference/recordings/passes.json

It needs torch and transformers; the figures are bytes that were asked for (`requested_bytes`), so a simulated device
does as well as a real one. Experts are left out: on zeros every token chooses the same ones.
"""

from __future__ import annotations

import json
import sys
import time

import torch
import transformers
from transformers import AutoModelForCausalLM, DynamicCache

torch.backends.cudnn.enabled = False
WIDE = {
    "hidden_size": 768,
    "intermediate_size": 2048,
    "num_hidden_layers": 3,
    "num_attention_heads": 12,
    "num_key_value_heads": 4,
    "vocab_size": 8000,
    "max_position_embeddings": 8192,
}
LATENT = {
    **WIDE,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "q_lora_rank": 384,
    "kv_lora_rank": 256,
    "qk_nope_head_dim": 64,
    "qk_rope_head_dim": 32,
    "v_head_dim": 64,
    "first_k_dense_replace": 99,
    "num_experts_per_tok": 8,
}
MANY_HEADS = {
    **WIDE,
    "num_attention_heads": 48,
    "head_dim": 64,
    "num_key_value_heads": 8,
    "intermediate_size": 1024,
}
GPT2 = {"n_embd": 768, "n_layer": 3, "n_head": 12, "n_positions": 2048, "vocab_size": 8000}
CASES = (
    ("llama", "LlamaConfig", WIDE, "sdpa", 1, 2048, "bf16"),
    ("llama-eager", "LlamaConfig", WIDE, "eager", 1, 2048, "bf16"),
    ("llama-eager-fp16", "LlamaConfig", WIDE, "eager", 1, 1024, "fp16"),
    ("llama-eager-fp32", "LlamaConfig", WIDE, "eager", 1, 1024, "fp32"),
    ("llama-eager-batch", "LlamaConfig", WIDE, "eager", 4, 512, "bf16"),
    ("llama-fp32", "LlamaConfig", WIDE, "sdpa", 1, 2048, "fp32"),
    ("llama-heads", "LlamaConfig", MANY_HEADS, "sdpa", 1, 2048, "bf16"),
    ("mistral", "MistralConfig", {**WIDE, "sliding_window": None}, "sdpa", 2, 1500, "fp16"),
    ("qwen2", "Qwen2Config", WIDE, "sdpa", 3, 700, "bf16"),
    ("qwen3", "Qwen3Config", {**WIDE, "head_dim": 64}, "sdpa", 2, 1024, "bf16"),
    ("phi3", "Phi3Config", {**WIDE, "pad_token_id": 0}, "sdpa", 1, 2048, "bf16"),
    ("gemma2", "Gemma2Config", {**WIDE, "head_dim": 64}, "eager", 1, 1024, "bf16"),
    ("gpt2", "GPT2Config", GPT2, "sdpa", 1, 2048, "bf16"),
    ("gpt2-eager", "GPT2Config", GPT2, "eager", 1, 2048, "bf16"),
    ("dsv2", "DeepseekV2Config", LATENT, "sdpa", 1, 2048, "bf16"),
    ("dsv3", "DeepseekV3Config", LATENT, "sdpa", 1, 2048, "bf16"),
    ("dsv3-eager", "DeepseekV3Config", LATENT, "eager", 1, 1024, "bf16"),
)
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}


def requested(moment: str) -> int:
    """Give the bytes that were asked for, now or at most."""
    torch.cuda.synchronize()
    return torch.cuda.memory_stats()[f"requested_bytes.all.{moment}"]


def record(name, kind, fields, attention, batch, sequence, weights) -> dict:  # noqa: PLR0917 - a row
    """Run one prompt and give its peak and its cache."""
    config = getattr(transformers, kind)(**fields)
    torch.set_default_dtype(DTYPES[weights])
    with torch.device("cuda"):
        model = AutoModelForCausalLM.from_config(config, attn_implementation=attention)
    torch.set_default_dtype(torch.float32)
    model.eval()
    tokens = torch.zeros(batch, sequence, dtype=torch.long, device="cuda")
    with torch.no_grad():
        model(tokens[:, :8], use_cache=False)  # libraries take their workspaces before anything is counted
        before = requested("current")
        torch.cuda.reset_peak_memory_stats()
        output = model(tokens, past_key_values=DynamicCache(), use_cache=True, logits_to_keep=1)
        peak = requested("peak") - before
        held = requested("current") - before - output.logits.untyped_storage().nbytes()
    said = {key: value for key, value in fields.items() if value is not None}
    model_type = {"model_type": config.model_type, "architectures": [type(model).__name__]}
    spec = {
        "model": {**said, **model_type, "tie_word_embeddings": config.tie_word_embeddings},
        "phase": "inference",
        "framework": "hf",
        "weights": weights,
        "attention": attention,
        "batch": batch,
        "sequence": sequence,
    }
    if "kv_lora_rank" in fields:
        spec["mla_cache"] = "expanded"
    return {"name": name, "spec": spec, "peak": peak, "cache": held}


def main() -> None:
    """Write all cases as one JSON list."""
    rows = [record(*case) for case in CASES]
    json.dump(
        {"torch": torch.__version__, "transformers": transformers.__version__, "passes": rows},
        sys.stdout,
        indent=1,
    )
    sys.stdout.write("\n")
    time.sleep(1)  # the device counts on until its last work is done


if __name__ == "__main__":
    main()
