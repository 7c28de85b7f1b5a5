"""What a process was doing when it failed: the same figures mean other things while loading and while training."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_PHASES: tuple[tuple[str, str], ...] = (
    # By the innermost frames: what the process was doing is what it had called last.
    (
        "optimizer",
        r"/optim/|:step:.*optimizer|optimizer\.step\(|_init_group|_multi_tensor_|_fused_adam|fused_adam|adamw?\.py",
    ),
    (
        "save",
        r"save_(?:checkpoint|model|pretrained|16bit_model|to_file|state|lora)|_save\b|_save_checkpoint|get_state_dict|_?full_(?:pre_|post_)?state_dict|_state_dict_utils|summon_full_params|\bstate_dict\(\)|consolidate|torch\.save|merge_and_unload",
    ),
    ("capture", r"capture_model|cuda_?graph|CUDAGraph|\.capture\(|capture_one_batch|graph_pool"),
    (
        "eval",
        r":evaluat(?:e|ion)\w*|evaluation_loop|prediction_step|torch_pad_and_concatenate|prediction_loop|validation_step|epoch_?[Vv]al|[Vv]al_?epoch|valid_one_epoch|do_eval|eval_model|run_val|validation_loop|val_step|compute_metrics|nested_concat|nested_gather|:validate|eval_step|\bevaluate\w*\(|\bvalidate\w*\(|\brun_eval\w*\(|eval_one_epoch|test_step",
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


_WORDS: tuple[tuple[str, str], ...] = (
    ("save", r"Failed to clone\(\) tensor with name|state_dict entry"),
    ("eval", r"(?i)\b(?:validat\w+|evaluat\w+|eval)\b[^\n]{0,60}(?:\d+%|\d+/\d+)"),
    (
        "load",
        r"[Ll]oading (?:checkpoint shards|weights|pipeline components|safetensors)[^\n]{0,40}:? {0,4}\d{1,3}%(?!\|█{10})",
    ),
    ("training", r"(?i)\bepoch\b|\btrain(?:ing|er)?\b|loss[=:]|gradient|finetun|pretrain|backward"),
    ("inference", r"(?i)inference|generat(?:e|ion)|\bserv(?:e|ing|er)\b|predict|prompt"),
)
"""Without frames: what the words around tell, the most particular first."""


def phase_of(case: Case) -> str:
    """Name the phase, by messages that tell it, by the frames of the failure, by a snapshot, then by words around."""
    return _by_messages(case) or _by_frames(case) or _by_memory(case) or _by_words(case.text)


def _by_frames(case: Case) -> str | None:
    shown = "\n".join(f"{frame.file}:{frame.function}:{frame.code}" for frame in case.frames)
    return next((phase for phase, expression in _PHASES if shown and re.search(expression, shown)), None)


def _by_memory(case: Case) -> str | None:
    """Give the phase of the last allocation before the failure: autograd's own threads have no frames to go by."""
    memory = case.memory
    if memory is None or memory.failure is None or memory.moment.phase == "other":
        return None
    return memory.moment.phase


def _by_words(text: str) -> str:
    if _is_nested_bar(text):
        return "eval"
    return next((phase for phase, expression in _WORDS if re.search(expression, text)), "unknown")


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
