"""This build, or this kernel, is not for this card

What it means
    A CUDA binary holds code for certain compute capabilities. This card is newer or older than those it was built for, or
    the feature (bfloat16, FP8, FlashAttention) needs a newer card.

Evidence
    `no kernel image is available`, `sm_... is not compatible with the current PyTorch installation`, `requires compute
    capability`, `only supports Ampere GPUs or newer`.

Fix
    For a card newer than the build: a newer PyTorch, or the extension built for this card (TORCH_CUDA_ARCH_LIST). For an
    older card: float16 instead of bfloat16, another attention backend or quantization, or a newer card.

When it is wrong
    A warning of that kind about a second, unused card (a display card) is harmless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.questions.innocent import not_memory
from dstop.doctor.rule import FITS, PROVEN, SAYS_SO, SUGGESTS, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.rule import Assessment


def _examine(case: Case) -> Assessment | None:
    image, old = case.first("other.no_kernel_image"), case.first("other.old_card")
    if image is not None:
        strength = (
            SAYS_SO - 5 if case.traces or "error" in image.text.lower() or "no kernel" in image.text else FITS
        )
        if "too old" in image.text or case.says(r"is too old|no longer supports"):
            return not_memory(case, image, strength, ("newer_gpu", "pin_version", "match_cuda_arch"))
        return not_memory(
            case, image, strength, ("match_cuda_arch", "upgrade_version", "reinstall_extension", "newer_gpu")
        )
    if old is None:
        return None
    strength = PROVEN if case.traces else SUGGESTS
    titles = {"change_config": "Float16, another attention backend or another quantization"}
    return not_memory(
        case,
        old,
        strength,
        ("change_config", "newer_gpu", "match_cuda_arch", "pin_version"),
        titles=titles,
        commands=_commands(case, old.text),
    )


def _commands(case: Case, text: str) -> dict[str, str]:
    if "bf" in text.lower():
        line = {
            "vllm": "--dtype half",
            "sglang": "--dtype half",
            "transformers": "--fp16 true --bf16 false",
        }.get(case.framework, "torch_dtype=torch.float16")
        return {"change_config": line}
    if "FlashAttention" in text:
        return {"change_config": "attn_implementation='sdpa'"}
    return {}


RULE = Rule(
    id="DS913",
    name="wrong-architecture",
    cause="not_memory",
    title="This build, or this kernel, is not for this card",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "RuntimeError: CUDA error: no kernel image is available for execution on the device\n",
        """Traceback (most recent call last):
  File "/app/serve.py", line 4, in <module>
    LLM(model)
ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your Tesla T4 GPU has compute capability 7.5. You can use float16 instead by explicitly setting the `dtype` flag in CLI, for example: --dtype=half.
""",
        """Traceback (most recent call last):
  File "/app/a.py", line 4, in <module>
    model(x)
RuntimeError: FlashAttention only supports Ampere GPUs or newer.
""",
    ),
    near_miss=(
        "RuntimeError: CUDA error: invalid device ordinal\n",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 23.57 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 23.25 GiB memory in use. Of the allocated memory 22.41 GiB is allocated by PyTorch, and 401.20 MiB is reserved by PyTorch but unallocated.\n",
    ),
)
