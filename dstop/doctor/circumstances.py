"""What ran and what it was doing: the same figures mean other things in other phases."""

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
        r"(?i)\bvllm\b|VllmWorker|EngineCore|(?<!vllm_)gpu[_-]memory[_-]util",
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
        r"(?i)stable-diffusion|modules/(?:processing|txt2img|sd_samplers)|fooocus|invokeai|framepack|k_diffusion|forge",
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


_PHASES: tuple[tuple[str, str], ...] = (
    # By the innermost frames: what the process was doing is what it had called last.
    (
        "optimizer",
        r"/optim/|:step:.*optimizer|optimizer\.step\(|_init_group|_multi_tensor_|_fused_adam|fused_adam|adamw?\.py",
    ),
    (
        "save",
        r"save_(?:checkpoint|model|pretrained|16bit_model|to_file|state|lora)|_save\b|_save_checkpoint|get_state_dict|full_state_dict|summon_full_params|\bstate_dict\(\)|consolidate|torch\.save|merge_and_unload",
    ),
    ("capture", r"capture_model|cuda_?graph|CUDAGraph|\.capture\(|capture_one_batch|graph_pool"),
    (
        "eval",
        r":evaluat(?:e|ion)\w*|evaluation_loop|prediction_step|prediction_loop|validation_step|epoch_?[Vv]al|[Vv]al_?epoch|valid_one_epoch|do_eval|eval_model|run_val|validation_loop|val_step|compute_metrics|nested_concat|nested_gather|:validate|eval_step|eval_one_epoch|test_step",
    ),
    (
        "load",
        r"from_pretrained|load_checkpoint|load_state_dict|torch\.load|:load_model|_load_pretrained|load_weights|create_weights|dispatch_model|set_module_tensor_to_device|caching_allocator_warmup|_load_from_checkpoint|load_sharded|model_loader|init_model|\.to\(device\)|\.cuda\(\)|model\.to\(|:_apply:|init_empty_weights|resume_from|WhisperModel\(|ctranslate2\.models|_load_optimizer|prepare_model",
    ),
    ("backward", r"\bbackward\(|:backward|_engine_run_backward|run_backward"),
    (
        "inference",
        r":generate\b|\.generate\(|:inference|pipeline\w*\.py|:predict\b|:sample\b|generate_text|\binfer\b|:transcribe|chat\(",
    ),
    (
        "training",
        r"training_step|:train\b|train_one_epoch|:fit\b|trainer\.py|train\w*\.py|inner_training_loop|:train_\w+",
    ),
    ("forward", r":forward|_call_impl"),
)


_BAR = re.compile(r"(\d{1,9})/(\d{1,9}) \[\d{1,4}:")


def phase_of(case: Case) -> str:  # noqa: PLR0911 - one kind of evidence a line, the best first
    """Name the phase, by messages that tell it, then by the frames of the failure, then by words around."""
    told = _by_messages(case)
    if told is not None:
        return told
    frames = case.frames
    if frames:
        shown = [f"{frame.file}:{frame.function}:{frame.code}" for frame in frames]
        whole = "\n".join(shown)
        for phase, expression in _PHASES:
            if re.search(expression, whole):
                return phase
    text = case.text
    if re.search(r"Failed to clone\(\) tensor with name|state_dict entry", text):
        return "save"
    if _is_nested_bar(text):
        return "eval"
    if re.search(r"(?i)\b(?:validat\w+|evaluat\w+|eval)\b[^\n]{0,60}(?:\d+%|\d+/\d+)", text):
        return "eval"
    if re.search(
        r"(?i)[Ll]oading (?:checkpoint shards|weights|pipeline components|safetensors)[^\n]{0,40}:? {0,4}\d{1,3}%(?!\|█{10})",
        text,
    ):
        return "load"
    if re.search(r"(?i)\bepoch\b|\btrain(?:ing|er)?\b|loss[=:]|gradient|finetun|pretrain|backward", text):
        return "training"
    if re.search(r"(?i)inference|generat(?:e|ion)|\bserv(?:e|ing|er)\b|predict|prompt", text):
        return "inference"
    return "unknown"


def _is_nested_bar(text: str) -> bool:
    """Whether the last progress bar runs inside another one that has not ended: an evaluation within a training."""
    bars = [(int(found[1]), int(found[2])) for found in _BAR.finditer(text)]
    if len(bars) < 2:  # noqa: PLR2004 - one inside another
        return False
    (at, of), (_, last_of) = bars[-2], bars[-1]
    return 0 < at < of and of != last_of and bool(re.search(r"loss|epoch", text))


def _by_messages(case: Case) -> str | None:
    failure = case.failure
    if case.has("build.compiler"):
        return "build"
    began = case.first("vllm.capture_began", "sglang.capture_began")
    if began is not None and failure is not None and failure.place.order >= began.place.order:
        done = case.first("vllm.capture_done", "sglang.capture_done", "progress.done")
        if done is None or done.place.order > failure.place.order:
            return "capture"
    if case.has("sglang.capture_failed", "sglang.capture_hint"):
        return "capture"
    return None
