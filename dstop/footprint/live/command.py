"""The rung of the command line: what was started, and with what environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.footprint.live.clues import Clues
from dstop.footprint.live.options import options_of
from dstop.footprint.live.serving import SERVERS, sglang_fields, title_stage, vllm_fields
from dstop.footprint.live.training import training_fields, trains
from dstop.sources.procfs.launch import base_name, parse_launch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.footprint.live.options import Options
    from dstop.sources.procfs.launch import Launch

_MODELS = (
    "model_name_or_path",
    "pretrained_model_name_or_path",
    "model_path",
    "model_id",
    "model_name",
    "base_model",
    "model",
    "hf_repo",
    "model.path",
    "model.name",
    "hf_model_id",
    "load",
)
"""Options that name a model, those that say it most plainly first."""
_TRAINERS = {"deepspeed": "deepspeed", "megatron": "megatron"}
_INFERS = ("generate", "infer", "inference", "serve", "chat", "eval", "predict", "benchmark")
_UNREAD = {
    "llama.cpp": "its model is a GGUF file, whose header is not read",
    "ollama": "its model is a GGUF file, whose header is not read",
    "tensorrt-llm": "what TensorRT-LLM takes is decided when its engine is built",
    "triton": "what Triton takes stands in its model repository",
    "comfyui": "what it holds changes with every workflow",
}
"""Programs that name a model and still have no expectation, with the reason."""


def command_clues(
    cmdlines: Sequence[Sequence[str]],
    environ: Mapping[str, str],
    *,
    framework: str | None,
    model: str | None,
) -> Clues:
    """Read the command line of a process, or that of the nearest parent which says more.

    A worker has only a title (`VLLM::Worker_TP3`): its options are its server's.

    Args:
        cmdlines: its own, then its parents', nearest first.
        environ: of the process; empty where it may not be read.
        framework: as the host recognised it.
        model: the same, cut short for a table.
    """
    engine = (framework or "").lower()
    if engine in _UNREAD:
        return Clues(rung="command line", model=model, why_not=_UNREAD[engine])
    launches = [parse_launch(words) for words in cmdlines if words]
    chosen, options = _telling(launches)
    named = _named(chosen, options, engine) or model
    fields: dict[str, object] = {}
    if engine in SERVERS:
        fields = vllm_fields(options) if engine == "vllm" else sglang_fields(options)
        stage = title_stage(launches[0].title) if launches else None
        if stage is not None:
            fields["parallel.stage"] = stage
    elif chosen is not None:
        script = base_name(chosen.script or chosen.module or chosen.program)
        if trains(options, script, environ):
            kind = _TRAINERS.get(engine) or ("hf" if "per_device_train_batch_size" in options else "pytorch")
            fields = training_fields(options, environ, kind)
        elif any(word in script.lower() for word in _INFERS) or "max_new_tokens" in options:
            fields = {"phase": "inference", "framework": "hf"}
    return Clues(rung="command line", model=named, fields=fields)


def deepspeed_file(cmdlines: Sequence[Sequence[str]], environ: Mapping[str, str]) -> str | None:
    """Give the path of the DeepSpeed configuration that a training script was given, if it was given one."""
    _, options = _telling([parse_launch(words) for words in cmdlines if words])
    for name in ("deepspeed", "deepspeed_config", "ds_config"):
        words = options.get(name)
        if words and words[0].endswith(".json"):
            return words[0]
    path = environ.get("ACCELERATE_DEEPSPEED_CONFIG_FILE", "")
    return path if path.endswith(".json") else None


def _telling(launches: Sequence[Launch]) -> tuple[Launch | None, Options]:
    """Give the first command line that names a model, else the process' own."""
    first: tuple[Launch | None, Options] = (None, {})
    for launch in launches:
        options = options_of(launch.arguments)
        if first[0] is None and launch.title is None:
            first = (launch, options)
        if _named(launch, options, ""):
            return launch, options
    return first


def _named(launch: Launch | None, options: Options, engine: str) -> str | None:
    """Give the model as it was typed: a name or a path."""
    if launch is None:
        return None
    for name in _MODELS:
        words = options.get(name)
        if words and _is_name(words[0]):
            return words[0]
    loose = options.get("", ())
    if launch.arguments[:1] == ("serve",) and len(loose) > 1 and (engine in {"", "vllm"}):
        return loose[1] if _is_name(loose[1]) else None
    return None


def _is_name(word: str) -> bool:
    return bool(word) and word[0] not in "-{[$" and not word.isspace() and word.isprintable()
