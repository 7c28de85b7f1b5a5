"""The capture of CUDA graphs failed for a reason that is not memory

What it means
    SGLang ends every failed capture with the same list of advice, which begins with memory. The error itself is above that
    list: an attention kernel, a compiler, a collective, an argument that this version does not know.

Evidence
    `Capture cuda graph failed: …` without words of memory, or the list alone without an out-of-memory error anywhere; newer
    versions say `This is not an out-of-memory error`.

Fix
    Run once without graphs to see whether the model itself works; then change what the message names: the attention backend,
    torch.compile, custom all-reduce, the version.

When it is wrong
    If an out-of-memory error stands above the list and was cut off, it is DS504.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import told_by
from dstop.doctor.questions.engines import refused_capture
from dstop.doctor.rule import FITS, SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_NAMED = ("fault.", "driver.", "nccl.", "build.compiler")
"""What has rules of its own, and says more than the capture in which it happened."""


def _examine(case: Case) -> Assessment | None:
    denied = case.first("sglang.capture_no_oom")
    failed = case.first("sglang.capture_failed")
    hint = case.first("sglang.capture_hint")
    sign = denied or failed or hint
    if sign is None or refused_capture(case) is not None:
        return None
    if denied is None and (case.failures or case.host_failures or case.has(*_NAMED)):
        return None
    evidence = [told_by(one) for one in (failed, denied, hint) if one is not None]
    error = None if case.trace is None else case.trace.error
    if error is not None and case.trace is not None:
        says = f"{error}: {case.trace.message}"[:300]
        evidence.append(Evidence(source=str(case.trace.place), says=says))
    return Assessment(
        strength=SAYS_SO if denied is not None else FITS + 8 if failed is not None else FITS,
        evidence=tuple(evidence),
        against=("a smaller --mem-fraction-static will not help: nothing here says that memory ran out",),
        at=sign.place,
        fixes=prescribe(
            case,
            "disable_cuda_graph",
            "change_config",
            "upgrade_version",
            "disable_torch_compile",
            commands={
                "change_config": "--attention-backend triton  # or --disable-custom-all-reduce, as the error says",
                "disable_cuda_graph": "--disable-cuda-graph",
            },
        ),
    )


RULE = Rule(
    id="DS506",
    name="engine-capture-not-memory",
    cause="not_memory",
    title="The capture of CUDA graphs failed for a reason that is not memory",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """[2025-06-14 08:11:20 TP0] Capture cuda graph begin. This can take up to several minutes. avail mem=12.27 GB
Exception: Capture cuda graph failed: BatchDecodeWithPagedKVCacheWrapper.plan() got an unexpected keyword argument 'window_left'
Possible solutions:
1. set --mem-fraction-static to a smaller value (e.g., 0.8 or 0.7)
2. set --cuda-graph-max-bs to a smaller value (e.g., 16)
""",
    ),
    near_miss=(
        """Exception: Capture cuda graph failed: CUDA out of memory. Tried to allocate 1.20 GiB. GPU 3 has a total capacity of 79.15 GiB of which 686.19 MiB is free.
Possible solutions:
1. set --mem-fraction-static to a smaller value (e.g., 0.8 or 0.7)
""",
    ),
)
