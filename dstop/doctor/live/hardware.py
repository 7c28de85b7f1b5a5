"""DS851 to DS853: bad memory, errors that the driver reported, and cards that do not answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.live.scene import STALE_S

if TYPE_CHECKING:
    from dstop.doctor.live.scene import Scene
    from dstop.model.evidence import Fix
    from dstop.model.finding import Finding
    from dstop.model.gpu import Gpu

_WORDS_CELLS = 120
CRITICAL, WARNING = "critical", "warning"


def watch_memory(scene: Scene) -> list[Finding]:
    """DS851: errors that ECC could not correct, and rows that wait to be replaced."""
    found: list[Finding] = []
    for gpu in scene.sample.gpus:
        if gpu.remapped_rows_failed:
            says = f"GPU {gpu.index} could not remap a bad memory row: have the card replaced"
            found.append(_finding(gpu, "DS851", CRITICAL, "REMAP FAIL", says))
        elif gpu.ecc_uncorrected:
            says = f"GPU {gpu.index} had {gpu.ecc_uncorrected} uncorrectable memory errors since the driver was loaded"
            found.append(_finding(gpu, "DS851", CRITICAL, f"ECC {min(gpu.ecc_uncorrected, 99999)}", says))
        elif gpu.remapped_rows_pending:
            says = f"GPU {gpu.index} has a bad memory row that is replaced at its next reset"
            found.append(_finding(gpu, "DS851", WARNING, "ROW REMAP", says))
    return found


def watch_xids(scene: Scene) -> list[Finding]:
    """DS852: what the driver reported while dstop was watching."""
    found: list[Finding] = []
    for gpu in scene.sample.gpus:
        if gpu.xids:
            from dstop.model.xid import xid_meaning  # noqa: PLC0415 - most machines have none

            newest = gpu.xids[-1]
            more = f", and {len(gpu.xids) - 1} before it" if len(gpu.xids) > 1 else ""
            says = f"GPU {gpu.index} reported Xid {newest.code}: {xid_meaning(newest.code)}{more}"
            found.append(_finding(gpu, "DS852", CRITICAL, f"XID {newest.code}", says))
    return found


def watch_reach(scene: Scene) -> list[Finding]:
    """DS853: a card that is lost, or whose driver calls do not come back."""
    found: list[Finding] = []
    for gpu in scene.sample.gpus:
        if gpu.fault is not None:
            says = f"GPU {gpu.index} cannot be read: {gpu.fault[:_WORDS_CELLS]}"
            found.append(_finding(gpu, "DS853", CRITICAL, "LOST", says))
        elif gpu.stale_s >= STALE_S:
            says = f"GPU {gpu.index} has not answered for {gpu.stale_s:.0f} s: its figures are that old"
            found.append(_finding(gpu, "DS853", CRITICAL, f"STALE {min(gpu.stale_s, 999):.0f}s", says))
    return found


def _finding(gpu: Gpu, rule: str, severity: str, badge: str, says: str) -> Finding:
    from dstop.doctor.live.telling import of_gpu  # noqa: PLC0415 - most machines have none
    from dstop.model.finding import Finding, Severity  # noqa: PLC0415 - as above

    return Finding(
        rule=rule,
        cause="hardware_xid",
        severity=Severity(severity),
        badge=badge,
        says=says,
        gpu_index=gpu.index,
        evidence=(of_gpu(gpu.index, says.removeprefix(f"GPU {gpu.index} ")),),
        fixes=_fixes(gpu),
    )


def _fixes(gpu: Gpu) -> tuple[Fix, ...]:
    from dstop.doctor.live.telling import remedies  # noqa: PLC0415 - as above

    look = f"nvidia-smi -q -d ECC,ROW_REMAPPER -i {gpu.index}; dmesg | grep -i xid"
    return remedies("check_hardware", "restart_node", commands={"check_hardware": look})
