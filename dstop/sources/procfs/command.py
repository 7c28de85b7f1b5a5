"""What to call a process in a narrow column.

Eight rows that all say `python` are the commonest complaint about GPU monitors.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from dstop.sources.procfs.launch import Launch, base_name
from dstop.sources.procfs.reading import words

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST = 64

SPAWN_WORKER = "spawn worker"
"""A child of Python's multiprocessing: its command line does not say whose."""

_WITH_VERB = words(
    "vllm sglang ollama ray lmdeploy llamafactory-cli axolotl swift litgpt tune jupyter"
    " trtllm-bench uv poetry conda nsys mlc_llm nemo oumi"
)
"""Tools whose first argument says what they do: `vllm serve`."""

_LAUNCHERS = {
    "torchrun": "torchrun",
    "torch.distributed.run": "torchrun",
    "torch.distributed.launch": "torchrun",
    "torch.distributed.elastic": "torchrun",
    "accelerate": "accelerate",
    "accelerate.commands.launch": "accelerate",
    "deepspeed": "deepspeed",
    "deepspeed.launcher.runner": "deepspeed",
    "deepspeed.launcher.launch": "deepspeed",
    "composer": "composer",
    "colossalai": "colossalai",
    "mpirun": "mpirun",
    "mpiexec": "mpirun",
    "horovodrun": "horovodrun",
    "srun": "srun",
}
"""Programs that start the ranks of a job; what they start is named with them."""

_MODULES = {
    "vllm.entrypoints.openai.api_server": "vllm api_server",
    "vllm.entrypoints.cli.main": "vllm",
    "sglang.launch_server": "sglang launch_server",
    "llama_cpp.server": "llama_cpp server",
    "ipykernel_launcher": "ipykernel",
    "ipykernel": "ipykernel",
}
"""Modules whose last part says too little."""


def command_name(launch: Launch, comm: str) -> str:
    """Name a process: `train.py`, `vllm serve`, `VLLM::EngineCore_0`, `torchrun train.py`; never empty.

    Args:
        launch: its command line; empty for kernel threads and zombies.
        comm: the kernel's short name for it.
    """
    name = launch.title or _python_code(launch) or _module(launch) or _tool(launch) or comm
    return " ".join(name.split())[:LONGEST].rstrip() or "?"


def launcher_of(launch: Launch) -> str | None:
    """Give the launcher's name when the process only starts ranks and is none itself."""
    return _LAUNCHERS.get(launch.tool)


def _python_code(launch: Launch) -> str | None:
    if launch.code is None:
        return None
    if "multiprocessing.spawn" in launch.code or "--multiprocessing-fork" in launch.arguments:
        return SPAWN_WORKER
    for helper in ("resource_tracker", "forkserver"):
        if f"multiprocessing.{helper}" in launch.code:
            return helper
    return f"{launch.program} -c"


def _module(launch: Launch) -> str | None:
    if not launch.module or launch.module in _LAUNCHERS:
        return None
    known = _MODULES.get(launch.module)
    if known:
        return f"{known} {_verb(launch.arguments)}".rstrip() if known in _WITH_VERB else known
    if launch.module in _WITH_VERB:
        return f"{launch.module} {_verb(launch.arguments)}".rstrip()
    parts = [part for part in launch.module.split(".") if part and part != "__main__"]
    return parts[-1] if parts else launch.module


def _tool(launch: Launch) -> str:
    tool = launch.tool
    launcher = _LAUNCHERS.get(tool)
    if launcher:
        return f"{launcher} {_launched(launch.arguments)}".rstrip()
    if tool in _WITH_VERB:
        return f"{tool} {_verb(launch.arguments)}".rstrip()
    if tool == "__main__.py" and launch.script is not None:
        return base_name(launch.script.rpartition("/")[0]) or tool
    return tool


def _verb(arguments: Sequence[str]) -> str:
    first = arguments[0] if arguments else ""
    return first if first and first.replace("-", "").replace("_", "").isalnum() and first[0] != "-" else ""


def _launched(arguments: Sequence[str]) -> str:
    """Find what a launcher starts: the first Python file, else the module after `-m`."""
    for word in arguments:
        if word.endswith(".py") and not word.startswith("-"):
            return base_name(word)
    for option, value in itertools.pairwise(arguments):
        if option in {"-m", "--module"}:
            return value.rpartition(".")[2]
    return ""
