"""The fields of configurations: small models of each family, and some as they are published."""

from __future__ import annotations

LLAMA = {"hidden_size": 768, "intermediate_size": 2048, "num_hidden_layers": 6, "num_attention_heads": 12}
LLAMA |= {"num_key_value_heads": 4, "vocab_size": 32000, "max_position_embeddings": 4096}
WIDE = LLAMA | {
    "hidden_size": 2048,
    "intermediate_size": 5632,
    "num_hidden_layers": 4,
    "num_attention_heads": 32,
}
MHA = LLAMA | {"num_key_value_heads": 12, "vocab_size": 128256}
TIED = LLAMA | {"tie_word_embeddings": True, "vocab_size": 128256}
QWEN2 = {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 6, "num_attention_heads": 14}
QWEN2 |= {"num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True}
QWEN3 = {"hidden_size": 768, "intermediate_size": 2304, "num_hidden_layers": 6, "num_attention_heads": 12}
QWEN3 |= {"num_key_value_heads": 4, "head_dim": 128, "vocab_size": 65536, "tie_word_embeddings": True}
MISTRAL = LLAMA | {"sliding_window": None, "head_dim": 64}
GPT2 = {"n_embd": 768, "n_layer": 6, "n_head": 12, "n_positions": 1024, "vocab_size": 50257}
MLA = {"hidden_size": 768, "intermediate_size": 2048, "moe_intermediate_size": 384, "num_hidden_layers": 4}
MLA |= {"num_attention_heads": 8, "num_key_value_heads": 8, "kv_lora_rank": 256, "q_lora_rank": 384}
MLA |= {"qk_nope_head_dim": 64, "qk_rope_head_dim": 32, "v_head_dim": 64, "vocab_size": 32000}
DENSE = MLA | {"first_k_dense_replace": 4}
WITH_EXPERTS = MLA | {"first_k_dense_replace": 1, "n_routed_experts": 16, "num_experts_per_tok": 4}
WITH_EXPERTS |= {"n_group": 4, "topk_group": 2, "n_shared_experts": 1}
LITE = WITH_EXPERTS | {
    "q_lora_rank": None,
    "n_group": 1,
    "topk_group": 1,
    "topk_method": "greedy",
    "n_shared_experts": 2,
}
QWEN3_MOE = QWEN3 | {
    "num_experts": 16,
    "num_experts_per_tok": 4,
    "moe_intermediate_size": 384,
    "num_hidden_layers": 4,
}
MIXTRAL = LLAMA | {
    "num_local_experts": 8,
    "num_experts_per_tok": 2,
    "num_hidden_layers": 3,
    "sliding_window": None,
}

OTHER = {"hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 6, "num_attention_heads": 16}
OTHER |= {"num_key_value_heads": 4, "vocab_size": 50304}
PADDED = OTHER | {"pad_token_id": 0}
SIXTY_FOUR = OTHER | {"head_dim": 64}

# as they are published
LLAMA_1B = LLAMA | {
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
}
LLAMA_1B |= {"num_key_value_heads": 8, "head_dim": 64, "vocab_size": 128256, "tie_word_embeddings": True}
LLAMA_8B = LLAMA_1B | {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "head_dim": 128,
}
LLAMA_8B |= {"tie_word_embeddings": False, "max_position_embeddings": 131072}
QWEN2_HALF = QWEN2 | {"num_hidden_layers": 24}
QWEN3_4B = QWEN3 | {
    "hidden_size": 2560,
    "intermediate_size": 9728,
    "num_hidden_layers": 36,
    "num_attention_heads": 32,
}
QWEN3_4B |= {"num_key_value_heads": 8, "vocab_size": 151936}
GPT2_XL = GPT2 | {"n_embd": 1600, "n_layer": 48, "n_head": 25}
V2_LITE = LITE | {
    "hidden_size": 2048,
    "intermediate_size": 10944,
    "moe_intermediate_size": 1408,
    "vocab_size": 102400,
}
V2_LITE |= {
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "num_key_value_heads": 16,
    "kv_lora_rank": 512,
}
V2_LITE |= {"qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "n_routed_experts": 64}
V2_LITE |= {"num_experts_per_tok": 6}
V3_FOUR = {"num_hidden_layers": 4, "first_k_dense_replace": 3, "max_position_embeddings": 4096}
"""DeepSeek-V3 (what `DeepseekV3Config` is by default), its first four layers: three dense ones and one with experts."""
