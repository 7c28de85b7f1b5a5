"""TensorRT's builder had no memory to try its tactics

What it means
    The builder runs every kernel that may do, each with its own workspace. What does not fit is skipped; if nothing is left for
    a layer, there is no engine.

Evidence
    `Tactic Device request: A Available: B`, or tactics skipped for insufficient memory, and then `Could not find any
    implementation for node`, or a build that failed. Skipped tactics in a build that succeeded cost speed and nothing else.

Fix
    Free the card while building: a smaller batch, resolution or range of shapes in the profile, no other process, a limit of
    the workspace below what is free.

When it is wrong
    Without words of memory `Could not find any implementation` may mean an operator or a precision that this card lacks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import FITS, PROVEN, SAYS_SO, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence
from dstop.units import MIB

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Sign


def _examine(case: Case) -> Assessment | None:
    tactic = _largest(case)
    skipped = case.first("trt.skipping")
    ended = case.first("trt.no_implementation", "trt.build_failed")
    workspace = case.first("trt.workspace")
    refused = next((one for one in case.failures if one.family == "tensorrt"), None)
    if case.has("trt.built") and ended is None:
        return None
    if tactic is None and skipped is None and (ended is None or (workspace is None and refused is None)):
        return None
    is_error = case.says(r"(?:ERROR:|\[E\]) {0,2}(?:\[TRT\] )?Tactic Device request")
    strength = FITS + 5 if is_error else FITS - 3
    if ended is not None:
        strength = (
            SAYS_SO - 5
            if tactic is not None
            else PROVEN
            if skipped is not None or refused is not None
            else SUGGESTS + 10
        )
    signs = [sign for sign in (tactic, skipped, ended, workspace) if sign is not None]
    evidence = [told_by(sign) for sign in signs]
    commands = {"reduce_batch": "trtexec --maxShapes=input:1x3x640x640  # a smaller largest shape"}
    free = tactic.number("free_bytes") if tactic is not None else None
    if tactic is not None and free is not None:
        tried = tactic.number("tried_bytes")
        says = f"the largest tactic asked for {gib(tried)}, {gib(free)} was there"
        evidence.append(Evidence(source=str(tactic.place), says=says, value=tried))
        half = max(16, free // 2 // MIB)
        commands["reduce_trt_workspace"] = f"trtexec --memPoolSize=workspace:{half}M"
    fixes = ["reduce_batch", "reduce_trt_workspace", "kill_other_process", "reduce_resolution", "bigger_gpu"]
    if tactic is None and workspace is not None:
        fixes = ["change_config", "reduce_batch", "kill_other_process", "upgrade_version"]
        commands["change_config"] = "trtexec --memPoolSize=workspace:4096M"
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        at=min((sign.place for sign in signs), key=lambda place: place.order),
        subcause="trt_builder_oom",
        fixes=prescribe(case, *fixes, commands=commands),
    )


def _largest(case: Case) -> Sign | None:
    return max(case.all("trt.tactic"), key=lambda sign: sign.number("tried_bytes") or 0, default=None)


RULE = Rule(
    id="DS517",
    name="tensorrt-builder",
    cause="capacity_activations",
    title="TensorRT's builder had no memory to try its tactics",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """[07/12/2024-10:21:09] [W] [TRT] Tactic Device request: 6144MB Available: 4032MB. Device memory is insufficient to use tactic.
[07/12/2024-10:21:09] [W] [TRT] UNSUPPORTED_STATE: Skipping tactic 0x0000000000000001 due to insufficient memory on requested size of 6442450944 detected for tactic 0x0000000000000001.
[07/12/2024-10:22:41] [E] Error[10]: Could not find any implementation for node {ForeignNode[/down/conv/Conv.../up/Add]}.
[07/12/2024-10:22:41] [E] Engine could not be created from network
""",
    ),
    near_miss=(
        """[07/12/2024-10:21:09] [W] [TRT] Tactic Device request: 6144MB Available: 4032MB. Device memory is insufficient to use tactic.
[07/12/2024-10:24:03] [I] Engine built in 174.2 sec.
&&&& PASSED TensorRT.trtexec [TensorRT v8601]
""",
    ),
)
