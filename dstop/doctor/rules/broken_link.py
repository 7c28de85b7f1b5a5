"""A link between cards, or to the host, failed

What it means
    NVLink, NVSwitch, the chip-to-chip link or PCIe lost or damaged data. Collectives hang or die, and each rank blames another.

Evidence
    Xid 74 (and 144 to 150 on newer cards), an SXid of the switch, `uncorrectable NVLink error`, uncorrected PCIe errors.

Fix
    Test the links (`nvidia-smi nvlink -s`, `dcgmi diag -r 3`), reseat or replace bridge, board or card at both ends, and reboot:
    a link is not trained again without a reset.

When it is wrong
    A link that is merely inactive at start (a topology without NVLink) is no failure; nor is NCCL's own message of one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import told_by
from dstop.doctor.questions.xids import OF_LINK, xid_lines, xids_of
from dstop.doctor.rule import FITS, SAYS_SO, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_COMMAND = "nvidia-smi nvlink -s; nvidia-smi nvlink -e; dcgmi diag -r 3"


def _examine(case: Case) -> Assessment | None:
    xids = xids_of(case, OF_LINK)
    said = [sign for sign in (case.first("driver.nvlink"), case.first("driver.pcie")) if sign is not None]
    if not xids and not said:
        return None
    strength = (
        SAYS_SO - 1
        if xids or any("uncorrectable" in sign.text.lower() or "SXid" in sign.text for sign in said)
        else FITS
    )
    return Assessment(
        strength=strength,
        evidence=(*xid_lines(xids)[:3], *(told_by(sign) for sign in said)),
        at=min((*xids, *said), key=lambda sign: sign.place.order).place,
        fixes=prescribe(
            case, "check_hardware", "restart_node", "nccl_debug", commands={"check_hardware": _COMMAND}
        ),
    )


RULE = Rule(
    id="DS803",
    name="broken-link",
    cause="hardware_xid",
    title="A link between cards, or to the host, failed",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "NVRM: Xid (PCI:0000:86:00): 74, pid=3021, name=python3, NVLink: fatal error detected on link 4(0x10000, 0x0, 0x0, 0x0, 0x0, 0x0, 0x0)\n",
        "RuntimeError: CUDA error: uncorrectable NVLink error detected during the execution\n",
    ),
    near_miss=("node1:4100:4100 [0] NCCL INFO NVLS multicast support is not available on dev 0\n",),
)
