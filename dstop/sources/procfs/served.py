"""Which model a process has loaded, as its command line or environment names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.sources.procfs.launch import base_name
from dstop.sources.procfs.reading import words
from dstop.sources.procfs.redaction import REDACTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.sources.procfs.launch import Launch

LONGEST = 120

_OPTIONS = words(
    "--model --model-path --model_path --model-name --model_name --model-id --model_id --model_name_or_path"
    " --model-name-or-path --pretrained_model_name_or_path --base_model --base-model --hf-repo"
    " --engine_dir --checkpoint"
)
_KEYS = frozenset(
    {"model", "model_path", "model.path", "model.name", "model_name_or_path", "model.model_name_or_path"}
)
"""The same, as Hydra and its like write it: `model.path=…`."""

_VARIABLES = ("HF_MODEL_ID", "MODEL_ID", "NIM_MODEL_NAME", "VLLM_MODEL")
_POSITIONAL = {
    "serve": {"vLLM", "TensorRT-LLM"},
    "run": {"Ollama"},
}
_DIGEST_DIGITS = 12


def served_model(launch: Launch, environ: Mapping[str, str], framework: str | None) -> str | None:
    """Name the model: `deepseek-ai/DeepSeek-V3`, `llama-3-8b.Q4_K_M.gguf`; None when nothing names one.

    The model's own name counts before the alias it is served under, unless it is only a local folder.
    """
    named = (
        _option(launch.arguments, _OPTIONS)
        or _positional(launch, framework)
        or _gguf(launch, framework)
        or _key(launch)
    )
    alias = _option(launch.arguments, frozenset({"--served-model-name", "--served_model_name", "--alias"}))
    if named is None:
        named = alias or next((environ[name] for name in _VARIABLES if _is_name(environ.get(name))), None)
    elif alias is not None and named.startswith(("/", ".", "~")) and "/models--" not in named:
        named = alias
    return None if named is None else _short(named)


def _is_name(value: str | None) -> bool:
    return (
        bool(value)
        and value is not None
        and value[0] not in "-{[$"
        and REDACTED not in value
        and not value.isspace()
    )


def _option(arguments: Sequence[str], options: frozenset[str]) -> str | None:
    for position, word in enumerate(arguments):
        name, equals, value = word.partition("=")
        if name not in options:
            continue
        if not equals and position + 1 < len(arguments):
            value = arguments[position + 1]
        if _is_name(value):
            return value
    return None


def _positional(launch: Launch, framework: str | None) -> str | None:
    """Find the model that stands behind a verb: `vllm serve X`, `trtllm-serve X`."""
    arguments = launch.arguments
    if launch.tool == "trtllm-serve":
        start = 1 if arguments[:1] == ("serve",) else 0
    elif arguments and framework in _POSITIONAL.get(arguments[0], ()):
        start = 1
    else:
        return None
    value = arguments[start] if len(arguments) > start else None
    return value if _is_name(value) else None


def _gguf(launch: Launch, framework: str | None) -> str | None:
    value = _option(launch.arguments, frozenset({"-m", "-hf", "-hfr"}))
    return (
        value
        if value is not None and (framework in {"llama.cpp", "Ollama"} or value.endswith(".gguf"))
        else None
    )


def _key(launch: Launch) -> str | None:
    for word in launch.arguments:
        name, equals, value = word.lstrip("+").partition("=")
        if equals and (name in _KEYS or name.endswith(".model.path")) and _is_name(value):
            return value
    return None


def _short(name: str) -> str:
    """Cut a path down to what names the model: the repository in a Hugging Face cache, else the last part."""
    for part in name.split("/"):
        if part.startswith("models--") and part.count("--") > 1:
            return part.removeprefix("models--").replace("--", "/", 1)[:LONGEST]
    if name.startswith(("/", ".", "~")) or name.count("/") > 1:
        name = base_name(name) or name
    if name.startswith("sha256-"):
        return name[: len("sha256-") + _DIGEST_DIGITS]
    return name[:LONGEST]
