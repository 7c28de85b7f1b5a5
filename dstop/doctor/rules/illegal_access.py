"""A kernel read or wrote outside its memory

What it means
    The card works, and there was memory enough: a kernel used an address that is not its own. The context is dead, and every
    later call reports the same error; the line of the traceback is that of a later call, seldom the guilty one.

Evidence
    `an illegal memory access was encountered` (error 700), a misaligned address (716), an illegal instruction (715), an
    unspecified launch failure (719), ROCm's `Memory access fault by GPU node`; Xid 13, 31 or 43 in the kernel log confirm it.

Fix
    Find the kernel with CUDA_LAUNCH_BLOCKING=1 (or compute-sanitizer), and upgrade the library it belongs to. In a serving engine
    turn off what is new on the path, one thing at a time: prefix caching, CUDA graphs, compilation, a special attention backend.

When it is wrong
    After a refused allocation it is aftermath: the library went on without its memory. With Xid 48, 79 or 94 it is the card
    (DS801, DS802). An index out of range can end here too, where assertions are compiled out (DS902).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.aftermath import device_failure_before
from dstop.doctor.questions.asking import told_by
from dstop.doctor.questions.frameworks import ENGINES
from dstop.doctor.questions.xids import OF_CARD, OF_MEMORY, xid_lines, xids_of
from dstop.doctor.rule import FITS, SAYS_SO, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_SIGNS = (
    "fault.illegal_access",
    "fault.misaligned",
    "fault.illegal_instruction",
    "fault.launch_failure",
    "fault.launch_timeout",
)
_WEAKER = ("fault.segv_library", "fault.unknown")
_XIDS = frozenset((13, 31, 43, 109))
_PREFIX = r"(?i)enable[-_]prefix[-_]caching(?:['\"]?\s{0,2}[=:]\s{0,2}(?!False)|\s|$)|prefix cach(?:e|ing)\b"
_GRAPHS = r"(?i)cuda_?graph|CUDAGraph|graph[ _]captur|capture_model"
_COMPILED = r"torchinductor|torch\._inductor|_dynamo|torch\.compile|triton_\w+|-O3|CompilationConfig"
_EXTENSION = r"flash_attn|apex|bitsandbytes|xformers|spconv|pointnet|mmcv|detectron2|deform|custom_op|causal_conv1d|mamba|exllama|gptq|awq|marlin|torch_scatter|cpp_extension|rasteriz"


def _examine(case: Case) -> Assessment | None:
    sign = case.first(*_SIGNS)
    xids = xids_of(case, _XIDS)
    weaker = case.first(*_WEAKER)
    first = sign or weaker or (xids[0] if xids else None)
    if first is None or device_failure_before(case, first.place) is not None:
        return None  # after a refused allocation it is aftermath
    evidence = [told_by(first), *(line for line in xid_lines(xids)[:2] if first not in xids)]
    frame = next((frame for frame in reversed(case.frames) if "site-packages" not in frame.file), None)
    if frame is not None:
        evidence.append(
            Evidence(
                source=str(first.place),
                says=f"reported in {frame.file}:{frame.line} in {frame.function}, perhaps not the guilty line",
            )
        )
    if first.kind == "fault.unknown" or first in xids:
        strength = SUGGESTS + 7 if not case.failures else SUGGESTS - 15
    elif sign is None:
        strength = FITS - 5
    else:
        strength = SAYS_SO - 4
    if xids_of(case, OF_CARD | OF_MEMORY) or case.has("driver.ecc", "driver.fallen_off"):
        strength = min(strength, FITS)
    elif case.has("fault.assert", "fault.assert_line"):
        strength = SUGGESTS
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        at=first.place,
        against=("no memory was short: a smaller job changes when it happens, not whether",),
        fixes=prescribe(case, *_fixes(case), commands=_commands(case)),
    )


def _fixes(case: Case) -> tuple[str, ...]:
    fixes: list[str] = []
    if case.framework in ENGINES:
        fixes.append("upgrade_version")
        if case.says(_PREFIX):
            fixes.append("disable_prefix_caching")
        if case.framework == "vllm":
            fixes += ["enforce_eager"] if case.says(_GRAPHS) else []
        elif case.says(_GRAPHS):
            fixes.append("disable_cuda_graph")
        if case.framework in {"llama.cpp", "ollama"}:
            fixes += ["disable_cuda_graph", "reduce_gpu_layers"]
        return tuple(dict.fromkeys((*fixes, "cuda_launch_blocking", "disable_cuda_graph", "pin_version")))
    fixes.append("cuda_launch_blocking")
    if case.says(_COMPILED):
        fixes.append("disable_torch_compile")
    if case.in_frames(_EXTENSION) or case.says(r"(?i)error building|\.so: undefined"):
        fixes.append("reinstall_extension")
    fixes += ["upgrade_version", "check_labels_indices", "pin_version"]
    return tuple(dict.fromkeys(fixes))


def _commands(case: Case) -> dict[str, str]:
    commands = {}
    if case.framework == "vllm":
        commands["disable_prefix_caching"] = "--no-enable-prefix-caching"
    elif case.framework == "sglang":
        commands["disable_prefix_caching"] = "--disable-radix-cache"
    if case.framework in {"llama.cpp", "ollama"}:
        commands["disable_cuda_graph"] = "GGML_CUDA_DISABLE_GRAPHS=1"
    if case.says(r"\bHIP\b|ROCm|GPU node-|HSA_STATUS|amdgpu|\bhip[A-Z]"):
        commands["cuda_launch_blocking"] = "AMD_SERIALIZE_KERNEL=3 HIP_LAUNCH_BLOCKING=1 python …"
    return commands


RULE = Rule(
    id="DS901",
    name="illegal-access",
    cause="cuda_illegal_access",
    title="A kernel read or wrote outside its memory",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """RuntimeError: CUDA error: an illegal memory access was encountered
CUDA kernel errors might be asynchronously reported at some other API call, so the stacktrace below might be incorrect.
For debugging consider passing CUDA_LAUNCH_BLOCKING=1
Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.
""",
        "Memory access fault by GPU node-1 (Agent handle: 0x55fea5592860) on address 0x7fc133800000. Reason: Page not present or supervisor privilege.\nAborted (core dumped)\n",
        "torch.AcceleratorError: CUDA error: misaligned address\n",
        "CUDA error: unspecified launch failure\n",
    ),
    near_miss=(
        "../aten/src/ATen/native/cuda/Loss.cu:250: nll_loss_forward_reduce_cuda_kernel_2d: block: [0,0,0], thread: [3,0,0] Assertion `t >= 0 && t < n_classes` failed.\nRuntimeError: CUDA error: device-side assert triggered\n",
        """torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 23.57 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 23.25 GiB memory in use. Of the allocated memory 22.41 GiB is allocated by PyTorch, and 401.20 MiB is reserved by PyTorch but unallocated.
terminate called after throwing an instance of 'c10::Error'
  what():  CUDA error: an illegal memory access was encountered
""",
    ),
)
