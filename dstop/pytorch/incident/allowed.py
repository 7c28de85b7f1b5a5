"""Which variables of an environment an incident keeps with their values; of all others it keeps the names alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.sources.procfs.reading import words
from dstop.sources.procfs.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIXES = (
    "ACCELERATE_",
    "CUBLAS_",
    "CUDA_",
    "CUDNN_",
    "DS_",
    "DSTOP_",
    "FSDP_",
    "GLOO_",
    "NCCL_",
    "NVIDIA_",
    "NVTE_",
    "PYTORCH_",
    "SLURM_",
    "TORCH",
    "TRITON_",
    "VLLM_",
)
_NAMES = words(
    "RANK LOCAL_RANK WORLD_SIZE LOCAL_WORLD_SIZE GROUP_RANK ROLE_RANK MASTER_ADDR MASTER_PORT NODE_RANK"
    " OMP_NUM_THREADS MKL_NUM_THREADS MALLOC_ARENA_MAX LD_PRELOAD LD_LIBRARY_PATH PYTHONPATH VIRTUAL_ENV"
    " CONDA_PREFIX CONDA_DEFAULT_ENV PYTHONMALLOC OMPI_COMM_WORLD_RANK OMPI_COMM_WORLD_SIZE PMI_RANK PMI_SIZE"
)
_LONGEST_VALUE = 2048


def allowed_environment(environ: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Split an environment into what is kept, with secrets hidden, and the names of the rest."""
    kept = {name: value[:_LONGEST_VALUE] for name, value in sorted(environ.items()) if _is_allowed(name)}
    return redact(kept), tuple(name for name in sorted(environ) if name not in kept)


def _is_allowed(name: str) -> bool:
    return name in _NAMES or name.startswith(_PREFIXES)
