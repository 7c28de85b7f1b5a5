"""What command lines of servers and trainings say of a SPEC."""

from __future__ import annotations

import pytest

from dstop.footprint.live.command import command_clues

SERVERS = {
    "vllm": (
        "vLLM",
        ("/opt/venv/bin/vllm serve deepseek-ai/DeepSeek-V3 -tp 8 -pp 2 --max-model-len 32K --max-num-seqs 64"
        " --kv-cache-dtype fp8_e4m3 --gpu-memory-utilization 0.85 --max-num-batched-tokens 8192"),
        "deepseek-ai/DeepSeek-V3",
        {
            "phase": "inference", "framework": "vllm", "parallel.tp": 8, "parallel.pp": 2, "max_model_len": 32768,
            "max_num_seqs": 64, "kv_cache": "fp8", "gpu_memory_utilization": 0.85, "max_num_batched_tokens": 8192,
        },
    ),
    "vllm-module": (
        "vLLM",
        "python -m vllm.entrypoints.openai.api_server --model Qwen/Qwen3-8B --dtype half",
        "Qwen/Qwen3-8B",
        {"phase": "inference", "parallel.tp": 1, "weights": "fp16"},
    ),
    "vllm-experts": (
        "vLLM",
        ("vllm serve deepseek-ai/DeepSeek-V3 --data-parallel-size 8 --enable-expert-parallel"
        ' --speculative-config {"method":"deepseek_mtp","num_speculative_tokens":1}'),
        "deepseek-ai/DeepSeek-V3",
        {"parallel.dp": 8, "parallel.tp": 1, "parallel.ep": 8, "speculative": "mtp"},
    ),
    "vllm-quantized": (
        "vLLM",
        "vllm serve TheBloke/Llama-2-7B-AWQ --quantization awq_marlin",
        "TheBloke/Llama-2-7B-AWQ",
        {"weights": "awq"},
    ),
    "sglang": (
        "SGLang",
        ("python3 -m sglang.launch_server --model-path deepseek-ai/DeepSeek-R1 --tp 8 --mem-fraction-static 0.9"
        " --context-length 65536 --max-running-requests 32 --chunked-prefill-size 4096"),
        "deepseek-ai/DeepSeek-R1",
        {
            "phase": "inference", "framework": "sglang", "parallel.tp": 8, "gpu_memory_utilization": 0.9,
            "max_model_len": 65536, "max_num_seqs": 32, "max_num_batched_tokens": 4096,
        },
    ),
    "sglang-dp-attention": (
        "SGLang",
        "python3 -m sglang.launch_server --model deepseek-ai/DeepSeek-V3 --tp 16 --dp 4 --enable-dp-attention",
        "deepseek-ai/DeepSeek-V3",
        {"parallel.tp": 4, "parallel.dp": 4, "parallel.ep": 1, "parallel.etp": 16},
    ),
}  # fmt: skip
TRAININGS = {
    "hugging-face": (
        "pytorch",
        ("python -u sft.py --model_name_or_path meta-llama/Llama-3.1-8B --per_device_train_batch_size 4"
        " --max_seq_length 2048 --bf16 True --gradient_checkpointing --optim adamw_bnb_8bit --attn_implementation"
        " flash_attention_2"),
        {
            "phase": "training", "framework": "hf", "batch": 4, "sequence": 2048, "weights": "fp32", "autocast": "bf16",
            "checkpointing": "full", "optimizer": "adamw8bit", "attention": "flash",
        },
    ),
    "fsdp": (
        "pytorch",
        "python train.py --model /models/llama --fsdp full_shard auto_wrap --torch_dtype bfloat16 --batch_size 2",
        {"parallel.zero": 3, "weights": "bf16", "batch": 2},
    ),
    "qlora": (
        "pytorch",
        "python train.py --base_model x --lora_r 64 --lora_alpha 16 --lora_target_modules q_proj v_proj --load_in_4bit",
        {"lora": {"rank": 64, "alpha": 16, "targets": ["q_proj", "v_proj"], "base": "nf4"}},
    ),
    "megatron": (
        "Megatron",
        ("python pretrain_gpt.py --load /models/x --tensor-model-parallel-size 4 --pipeline-model-parallel-size 2"
        " --micro-batch-size 1 --seq-length 4096 --sequence-parallel --use-distributed-optimizer --bf16"
        " --recompute-granularity selective"),
        {
            "framework": "megatron", "parallel.tp": 4, "parallel.pp": 2, "parallel.sequence_parallel": True,
            "parallel.zero": 1, "weights": "bf16", "master_weights": True, "gradients": "fp32", "batch": 1,
            "sequence": 4096, "checkpointing": "selective",
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(SERVERS))
def test_a_servers_options_are_fields_of_a_spec(name):
    """Model and fields as the engine itself would read its command line."""
    framework, line, model, fields = SERVERS[name]
    clues = command_clues([line.split()], {}, framework=framework, model=None)
    assert clues.model == model
    assert fields.items() <= clues.fields.items()


@pytest.mark.parametrize("name", sorted(TRAININGS))
def test_a_trainings_options_are_fields_of_a_spec(name):
    """Batch, length, precision, sharding and adapters, by the names that the frameworks give them."""
    framework, line, fields = TRAININGS[name]
    clues = command_clues([line.split()], {}, framework=framework, model=None)
    assert clues.fields["phase"] == "training"
    assert {key: clues.fields.get(key) for key in fields} == fields


def test_what_a_launcher_put_into_the_environment_counts():
    """`accelerate launch` tells its choices to the ranks in variables."""
    environ = {
        "ACCELERATE_USE_FSDP": "true",
        "FSDP_SHARDING_STRATEGY": "SHARD_GRAD_OP",
        "ACCELERATE_MIXED_PRECISION": "bf16",
    }
    clues = command_clues([["python", "run.py", "--model", "x"]], environ, framework="pytorch", model=None)
    assert clues.fields["phase"] == "training"
    assert clues.fields["parallel.zero"] == 2


@pytest.mark.parametrize(
    ("title", "stage"),
    [
        ("VLLM::Worker_PP1_TP0", 1),
        ("sglang::scheduler_PP3_TP1", 3),
        ("VLLM::Worker_TP3", None),
        ("VLLM::EngineCore", None),
    ],
    ids=["vllm", "sglang", "no-pipeline", "engine"],
)
def test_the_stage_of_a_pipeline_is_in_a_workers_title(title, stage):
    """Engines name their workers by their place."""
    parent = ["vllm", "serve", "m", "-pp", "4"]
    framework = "SGLang" if title.startswith("sg") else "vLLM"
    clues = command_clues([[title], parent], {}, framework=framework, model=None)
    assert clues.fields.get("parallel.stage") == stage


def test_a_program_that_neither_trains_nor_serves_has_no_phase():
    """A script with a model and nothing else is not guessed at."""
    clues = command_clues([["python", "tool.py", "--model", "x"]], {}, framework="pytorch", model=None)
    assert (clues.model, clues.fields) == ("x", {})


def test_programs_whose_models_are_not_read_say_why():
    """A GGUF file or a built engine is named with the reason why nothing is expected."""
    clues = command_clues([["llama-server", "-m", "x.gguf"]], {}, framework="llama.cpp", model="x.gguf")
    assert "GGUF" in clues.why_not
