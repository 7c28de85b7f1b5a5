"""Processes to recognise: witnesses with a Llama's config.json where a test puts it."""

from __future__ import annotations

import json

import pytest

from dstop.footprint.live.known import Witness
from dstop.model.process import ProcessFacts

V2_LITE = {
    "architectures": ["DeepseekV2ForCausalLM"],
    "model_type": "deepseek_v2",
    "hidden_size": 2048,
    "intermediate_size": 10944,
    "moe_intermediate_size": 1408,
    "num_hidden_layers": 27,
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
    "vocab_size": 102400,
    "max_position_embeddings": 163840,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}
"""DeepSeek-V2-Lite."""
LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "hidden_act": "silu",
    "rms_norm_eps": 1e-5,
    "rope_theta": 500000.0,
    "tie_word_embeddings": False,
    "attention_bias": False,
    "mlp_bias": False,
    "torch_dtype": "bfloat16",
}
"""Llama-3.1-8B."""


class Files:
    """A process' own files, by path; and what it was asked for."""

    def __init__(self, **files):
        self.files = {}
        self.asked = []
        for path, content in files.items():
            self.put(path, content)

    def put(self, path, content):
        """Add one; what is no bytes is written as JSON."""
        self.files[path] = content if isinstance(content, bytes) else json.dumps(content).encode()

    def __call__(self, path, most_bytes):
        """Give the file, or say that it is not there."""
        self.asked.append(path)
        if path not in self.files:
            raise FileNotFoundError(2, "No such file or directory")
        return self.files[path][:most_bytes]


class Build:
    """Short ways to write what a test is about."""

    llama = LLAMA
    v2_lite = V2_LITE

    @staticmethod
    def files(content=LLAMA, path="/models/llama/config.json"):
        """Give a process' files with one in them."""
        files = Files()
        files.put(path, content)
        return files

    @staticmethod
    def witness(*words, framework="pytorch", model=None, gpu_bytes=85520809984, **values):
        """Give what a process with this command line shows; fields of its facts by their names."""
        of_facts = {name: values.pop(name) for name in ("rank", "world_size", "local_rank") if name in values}
        facts = ProcessFacts(
            pid=4242, started_at_s=1.0, cmdline=words, framework=framework, model=model, **of_facts
        )
        return Witness(facts=facts, gpu_bytes=gpu_bytes, **values)


@pytest.fixture
def build():
    """Give the builders."""
    return Build
