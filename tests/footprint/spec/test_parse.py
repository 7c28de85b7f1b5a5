"""A SPEC comes from outside: what is wrong in it is refused by its name, and nothing is guessed."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.errors import PlanError
from dstop.footprint.spec.parse import NAMES, parse_spec

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 1024,
    "num_hidden_layers": 12,
    "num_attention_heads": 16,
    "num_key_value_heads": 4,
    "intermediate_size": 2816,
    "vocab_size": 32000,
    "max_position_embeddings": 8192,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
}


def spec(**fields: Any) -> Any:
    """Give the JSON of a spec of a Llama."""
    return {"model": LLAMA, **fields}


def test_a_model_is_all_that_a_spec_needs():
    """Everything but the model has a default; a plan without a phase is one of inference."""
    read = parse_spec({"model": LLAMA})
    assert (read.phase, read.batch, read.parallel.gpus, read.optimizer) == ("inference", 1, 1, "adamw")
    assert read.sequence is None


def test_every_field_of_the_contract_is_read():
    """A spec that says everything comes out as it went in."""
    said = {
        "phase": "training",
        "weights": "bf16",
        "kv_cache": "fp8",
        "batch": 3,
        "sequence": 2048,
        "parallel": {
            "tp": 2,
            "pp": 3,
            "dp": 4,
            "cp": 2,
            "vpp": 2,
            "zero": 1,
            "sequence_parallel": True,
            "stage": 1,
        },
        "optimizer": "adamw8bit",
        "optimizer_state": "bf16",
        "optimizer_in_backward": True,
        "master_weights": True,
        "gradients": "fp32",
        "autocast": "fp8",
        "checkpointing": "selective",
        "attention": "eager",
        "framework": "megatron",
        "gpu_memory_utilization": 0.8,
        "max_num_seqs": 64,
        "max_model_len": 4096,
        "max_num_batched_tokens": 8192,
        "loss": "chunked",
        "compile": True,
    }
    read = parse_spec(spec(**said))
    for name, value in said.items():
        if name != "parallel":
            assert getattr(read, name) == value, name
    for name, value in said["parallel"].items():
        assert getattr(read.parallel, name) == value, name


@pytest.mark.parametrize(
    ("fields", "named", "next_step"),
    [
        ({"bacth": 4}, "bacth", "batch"),
        ({"parallel": {"tensor": 4}}, "parallel.tensor", "tp"),
        ({"batch": 0}, "batch", "1 to"),
        ({"batch": -3}, "batch", "1 to"),
        ({"batch": 1.5}, "batch", "1 to"),
        ({"batch": True}, "batch", "1 to"),
        ({"batch": math.nan}, "batch", "1 to"),
        ({"batch": "four"}, "batch", "1 to"),
        ({"batch": 10**30}, "batch", "1 to"),
        ({"sequence": math.inf}, "sequence", "1 to"),
        ({"phase": "dreaming"}, "phase", "training"),
        ({"weights": "bf17"}, "weights", "bf16"),
        ({"weights": ["bf16"]}, "weights", "bf16"),
        ({"kv_cache": "jpeg"}, "kv_cache", "fp8"),
        ({"gpu_memory_utilization": 1.4}, "gpu_memory_utilization", "0.9"),
        ({"gpu_memory_utilization": 0}, "gpu_memory_utilization", "0.9"),
        ({"trainable_fraction": math.nan}, "trainable_fraction", "0.9"),
        ({"parallel": 8}, "parallel", "{"),
        ({"parallel": {"zero": 4}}, "parallel.zero", "0 to 3"),
        ({"parallel": {"stage": "middle"}}, "parallel.stage", "first"),
        ({"checkpointing": []}, "checkpointing", "q_proj"),
        ({"checkpointing": [7]}, "checkpointing", "q_proj"),
        ({"compile": "yes"}, "compile", "true"),
        ({"lora": {"alpha": 4}, "phase": "training"}, "lora.rank", "rank"),
        ({"lora": {"rank": 8, "targets": "everything"}, "phase": "training"}, "lora.targets", "q_proj"),
        ({"framework": "theano"}, "framework", "pytorch"),
        ({"optimizer": ""}, "optimizer", "name"),
        ({"gpu": 4090}, "gpu", "H100"),
        ({"model": None}, "model", "config.json"),
        ({"model": 7}, "model", "config.json"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_wrong_is_named_with_the_next_step(fields, named, next_step):
    """One line says which field it is and what it may be; the exit code is that of wrong usage."""
    with pytest.raises(PlanError) as refused:
        parse_spec(spec(**fields))
    assert named in refused.value.message
    assert next_step in (refused.value.fix or "")
    assert refused.value.exit_code == 2
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("value", [None, 3, "deepseek", [LLAMA]], ids=["null", "number", "text", "list"])
def test_a_spec_is_an_object(value):
    """Whatever else JSON can hold is refused."""
    with pytest.raises(PlanError, match="object of fields"):
        parse_spec(value)


def test_the_words_of_the_frameworks_are_understood():
    """People write torch.bfloat16, transformers and flash_attention_2; they mean the same."""
    read = parse_spec(
        spec(
            weights="torch.bfloat16", framework="Transformers", attention="flash_attention_2", kv_cache="auto"
        )
    )
    assert (read.weights, read.framework, read.attention, read.kv_cache) == ("bf16", "hf", "flash", None)


def test_an_average_of_bits_is_a_format():
    """A mixed GGUF file says its average; nonsense beside it does not pass."""
    assert parse_spec(spec(weights="5.67bpw")).weights == "5.67bpw"
    with pytest.raises(PlanError, match="weights"):
        parse_spec(spec(weights="5.67.1bpw"))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from([name for name in NAMES if name not in {"model", "gpu"}]), _JSON, max_size=4
    )
)
def test_nonsense_never_ends_in_a_traceback(fields):
    """Any JSON in any field is either read or refused with a sentence on one printable line."""
    try:
        said = f"batch {parse_spec(spec(**fields)).batch}"
    except PlanError as refused:
        said = str(refused)
    assert said.isprintable()


def test_numbers_as_json_writes_them_are_whole_numbers():
    """8.0 is eight: some writers have no integers."""
    assert parse_spec(json.loads(json.dumps(spec(batch=8.0)))).batch == 8
