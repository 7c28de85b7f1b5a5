"""What ran: the framework or the engine, which decides what the same words mean and how a fix is written."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_FRAMEWORKS: tuple[tuple[str, str], ...] = (
    (
        "sglang",
        r"(?i)\bsglang\b|mem[-_]fraction[-_]static|disable-cuda-graph|scheduler hit an exception|cuda graph failed",
    ),
    (
        "vllm",
        r"(?i)\bvllm\b|VllmWorker|RayWorkerVllm|EngineCore|(?<!vllm_)gpu[_-]memory[_-]util",
    ),
    (
        "tgi",
        r"text[-_]generation[-_](?:server|inference|launcher|router)|max-batch-prefill-tokens|warmup the Python",
    ),
    ("tensorrt-llm", r"(?i)tensorrt[-_]llm|\btrt-?llm\b|kv_cache_free_gpu_mem"),
    ("lmdeploy", r"(?i)lmdeploy|turbomind|cache[-_]max[-_]entry[-_]count|\[TM\]\["),
    ("ktransformers", r"(?i)\bktransformers\b"),
    ("ollama", r"(?i)\bollama\b|llama runner process|llama-server process|requires more system memory"),
    (
        "llama.cpp",
        r"\bggml[_-]|\bllama_(?:model|new_context|init|kv_cache|context|load)|llama[._-](?:cpp|server|cli)|koboldcpp|alloc_tensor_",
    ),
    ("exllama", r"(?i)exllama|Insufficient VRAM (?:in split )?for model and cache"),
    (
        "comfyui",
        r"(?i)comfyui|in (?:recursive_execute|_map_node_over_list)|Error occurred when executing|VAEDecode",
    ),
    (
        "stable-diffusion",
        r"(?i)stable-diffusion|sd_hijack|StableDiffusion|modules/(?:processing|txt2img|sd_samplers)|fooocus|invokeai|framepack|k_diffusion|forge",
    ),
    ("jax", r"\bjax\b|jaxlib|\bXLA\b|xla_bridge|RESOURCE_EXHAUSTED"),
    ("tensorflow", r"(?i)tensorflow|\bkeras\b|bfc_allocator"),
    ("tensorrt", r"\[TRT\]|TensorRT|\btrtexec\b|nvinfer"),
    ("deepspeed", r"(?i)\bdeepspeed\b"),
    ("megatron", r"(?i)\bmegatron\b"),
    ("lightning", r"(?i)pytorch_lightning|lightning[./]pytorch|lightning\.fabric"),
    ("axolotl", r"(?i)\baxolotl\b"),
    ("llama-factory", r"(?i)llama-?factory|llamafactory|llmtuner"),
    ("trl", r"site-packages/trl/|\b(?:SFT|DPO|PPO|GRPO)Trainer\b"),
    ("accelerate", r"\baccelerate\b"),
    ("diffusers", r"\bdiffusers\b"),
    ("transformers", r"\btransformers\b|per_device_train_batch_size"),
    ("ultralytics", r"(?i)ultralytics|\byolov?\d"),
    ("mmdetection", r"\bmm(?:det|cv|engine|seg)\b|detectron2"),
    ("fsdp", r"fully_sharded_data_parallel|\bFSDP\b"),
    ("pytorch", r"(?i)\btorch\b|pytorch"),
)
TRAINERS = frozenset(
    (
        "deepspeed",
        "megatron",
        "lightning",
        "axolotl",
        "llama-factory",
        "trl",
        "accelerate",
        "ultralytics",
        "mmdetection",
        "fsdp",
    )
)
ENGINES = frozenset(
    ("vllm", "sglang", "tgi", "tensorrt-llm", "lmdeploy", "ktransformers", "exllama", "ollama", "llama.cpp")
)
IMAGE_GENERATORS = frozenset(("comfyui", "stable-diffusion", "diffusers"))


_ENGINE_SIGNS: tuple[tuple[str, str], ...] = (
    (
        "vllm",
        "vllm.startup_budget vllm.cpu_budget vllm.profiling vllm.instance vllm.kv_negative vllm.kv_too_short",
    ),
    ("vllm", "vllm.kv_pool vllm.kv_fits vllm.concurrency"),
    ("vllm", "vllm.no_kv_blocks vllm.warm_up vllm.swap_space vllm.engine_failed vllm.engine_dead"),
    ("sglang", "sglang.pool_full sglang.requests_full sglang.retract sglang.weights sglang.host_cache"),
    ("tgi", "tgi.warm_up tgi.total_tokens tgi.shard_failed tgi.shard_signal"),
    ("tensorrt-llm", "trtllm.executor trtllm.kv_pool"),
    ("lmdeploy", "lmdeploy.no_blocks lmdeploy.runtime"),
    ("ollama", "ollama.runner_died ollama.runner_stopped ollama.no_layout"),
    ("llama.cpp", "ggml.kv ggml.compute ggml.weights ggml.pipeline"),
)
"""Messages that only one engine prints, for logs in which its name does not occur."""


def _by_engine_signs(case: Case) -> str | None:
    return next((name for name, kinds in _ENGINE_SIGNS if case.has(*kinds.split())), None)


def framework_of(case: Case) -> str:
    """Name the framework that ran, the most specific first; `unknown` where nothing tells."""
    text = case.text
    engine = next((name for name, words in _FRAMEWORKS if name in ENGINES and re.search(words, text)), None)
    engine = engine or _by_engine_signs(case)
    if engine is not None:
        return engine
    for name, expression in _FRAMEWORKS:
        if name not in ENGINES and re.search(expression, text):
            return name
    failure = case.failure
    if failure is not None and failure.family in {"torch", "cuda_async"}:
        return "pytorch"
    return "unknown"
