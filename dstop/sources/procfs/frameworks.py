"""Which framework a process runs, from how it was started and from the libraries it has mapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.sources.procfs.launch import base_name
from dstop.sources.procfs.reading import read_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.sources.procfs.launch import Launch

_TITLES = {"VLLM::": "vLLM", "sglang::": "SGLang", "ray::": "Ray", "trtllm::": "TensorRT-LLM"}

_TOOLS = {
    "vllm": "vLLM",
    "sglang": "SGLang",
    "sgl_kernel": "SGLang",
    "llama_cpp": "llama.cpp",
    "koboldcpp": "llama.cpp",
    "ollama": "Ollama",
    "ollama_llama_server": "Ollama",
    "text-generation-launcher": "TGI",
    "text-generation-server": "TGI",
    "text-generation-router": "TGI",
    "text_generation_server": "TGI",
    "text-embeddings-router": "TEI",
    "trtllm-serve": "TensorRT-LLM",
    "trtllm-bench": "TensorRT-LLM",
    "trtllm-llmapi-launch": "TensorRT-LLM",
    "tensorrt_llm": "TensorRT-LLM",
    "tritonserver": "Triton",
    "triton_python_backend_stub": "Triton",
    "deepspeed": "DeepSpeed",
    "lmdeploy": "LMDeploy",
    "mlc_llm": "MLC LLM",
    "ktransformers": "KTransformers",
    "megatron": "Megatron",
    "comfyui": "ComfyUI",
    "comfy": "ComfyUI",
    "invokeai-web": "InvokeAI",
    "raylet": "Ray",
    "gcs_server": "Ray",
    "ray": "Ray",
    "ipykernel_launcher": "Jupyter",
    "ipykernel": "Jupyter",
    "jupyter": "Jupyter",
    "jupyterlab": "Jupyter",
    "notebook": "Jupyter",
    "torchrun": "pytorch",
    "torch": "pytorch",
    "accelerate": "pytorch",
    "composer": "pytorch",
    "axolotl": "pytorch",
    "llamafactory-cli": "pytorch",
    "litgpt": "pytorch",
    "nemo": "pytorch",
    "jax": "JAX",
    "maxtext": "JAX",
    "tensorflow": "TensorFlow",
    "tensorflow_model_server": "TensorFlow",
}
"""Executable, script without `.py`, or the first part of a module's name."""

_FOLDERS = {
    "comfyui": "ComfyUI",
    "diffusers": "diffusers",
    "stable-diffusion-webui": "diffusers",
    "megatron-lm": "Megatron",
    "text-generation-webui": "llama.cpp",
    "maxtext": "JAX",
}
"""Folders on the way to a script, where the script's own name (`main.py`) says nothing."""

_VARIABLES = (
    ("ACCELERATE_USE_DEEPSPEED", "DeepSpeed"),
    ("RAY_JOB_ID", "Ray"),
    ("TORCHELASTIC_RUN_ID", "pytorch"),
    ("TORCHELASTIC_RESTART_COUNT", "pytorch"),
    ("ACCELERATE_MIXED_PRECISION", "pytorch"),
    ("PYTORCH_CUDA_ALLOC_CONF", "pytorch"),
    ("PYTORCH_ALLOC_CONF", "pytorch"),
    ("XLA_PYTHON_CLIENT_PREALLOCATE", "JAX"),
    ("XLA_PYTHON_CLIENT_MEM_FRACTION", "JAX"),
    ("JAX_PLATFORMS", "JAX"),
    ("TF_FORCE_GPU_ALLOW_GROWTH", "TensorFlow"),
    ("TF_CONFIG", "TensorFlow"),
)
"""Variables that a framework reads or its launcher sets, the most telling first."""

_LIBRARIES = (
    (b"/vllm/", "vLLM"),
    (b"/sgl_kernel/", "SGLang"),
    (b"libtensorrt_llm", "TensorRT-LLM"),
    (b"libtritonserver", "Triton"),
    (b"libtorch_cuda", "pytorch"),
    (b"libtorch_cpu", "pytorch"),
    (b"/jaxlib/", "JAX"),
    (b"xla_cuda_plugin", "JAX"),
    (b"libtensorflow", "TensorFlow"),
    (b"libggml", "llama.cpp"),
    (b"libllama", "llama.cpp"),
    (b"libonnxruntime", "ONNX Runtime"),
    (b"libpaddle", "Paddle"),
    (b"cupy", "CuPy"),
)
_MAPS_BYTES = 4 << 20


def framework_of(launch: Launch, environ: Mapping[str, str]) -> str | None:
    """Name the framework: `vLLM`, `pytorch`, `llama.cpp`, …; None when nothing tells.

    What was started says more than the environment, which a whole container shares.
    """
    if launch.title is not None:
        return next((name for start, name in _TITLES.items() if launch.title.startswith(start)), None)
    return _by_tool(launch) or _by_folder(launch) or _by_arguments(launch) or _by_variable(environ)


def mapped_framework(pid: int, root: str = "/proc") -> str | None:
    """Name the framework by the libraries in `/proc/PID/maps`; None when none is known or it cannot be read.

    Not part of the facts: it takes the lock that a hung driver call holds, and milliseconds. On demand only.
    """
    try:
        data = read_bytes(f"{root}/{pid}/maps", _MAPS_BYTES)
    except OSError:
        return None
    return next((name for mark, name in _LIBRARIES if mark in data), None)


def _by_tool(launch: Launch) -> str | None:
    tool = launch.tool.lower()
    if launch.module is not None:
        parts = tool.split(".")
        if "deepspeed" in parts:
            return "DeepSpeed"
        return _TOOLS.get(parts[0])
    if tool.startswith("jupyter"):
        return "Jupyter"
    if tool.startswith("llama-") or (tool.startswith("llamafile") and launch.script is None):
        return "llama.cpp"
    return _TOOLS.get(tool.removesuffix(".py"))


def _by_folder(launch: Launch) -> str | None:
    path = launch.script
    if path is None:
        return None
    if base_name(path) == "default_worker.py" and "/ray/" in path:
        return "Ray"
    folders = path.lower().split("/")[:-1]
    return next((_FOLDERS[folder] for folder in reversed(folders) if folder in _FOLDERS), None)


def _by_arguments(launch: Launch) -> str | None:
    for word in launch.arguments:
        if word.partition("=")[0] in {"--deepspeed", "--deepspeed_config", "--deepspeed-config"}:
            return "DeepSpeed"
    return None


def _by_variable(environ: Mapping[str, str]) -> str | None:
    for name, framework in _VARIABLES:
        if environ.get(name) and (framework != "DeepSpeed" or environ[name].lower() == "true"):
            return framework
    return None
