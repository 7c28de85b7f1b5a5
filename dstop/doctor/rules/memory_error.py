"""The card's memory is damaged

What it means
    A bit flipped in the card's memory and could not be corrected. Programs that used it are ended; the card sets the row aside
    at its next reset, and until then may fail again.

Evidence
    `uncorrectable ECC error encountered`, Xid 48, 94 or 95; Xid 63 and 64 and a pending remap tell what became of the row. Xid
    92 counts errors that were corrected.

Fix
    End what runs there, reset the card or reboot so that the row is remapped, then test it (`dcgmi diag -r 3`). Replace the card
    when remapping fails (Xid 64) or errors come back.

When it is wrong
    After Xid 94 the error was contained: start the job again; a single event needs no new card.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import told_by
from dstop.doctor.questions.xids import NOTICES, OF_MEMORY, xid_lines, xids_of
from dstop.doctor.rule import FITS, SAYS_SO, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_REMAP_FAILED = 64


def _examine(case: Case) -> Assessment | None:
    xids = xids_of(case, OF_MEMORY)
    said = case.first("driver.ecc")
    remap = case.first("driver.remap")
    if not xids and said is None and remap is None:
        return None
    grave = [sign for sign in xids if sign.number("code_count") not in NOTICES]
    signs = [*xids, *(sign for sign in (said, remap) if sign is not None)]
    evidence = [*xid_lines(xids)[:4], *(told_by(sign) for sign in (said, remap) if sign is not None)]
    failed = any(sign.number("code_count") == _REMAP_FAILED for sign in xids)
    fixes = ("check_hardware", "restart_node") if failed else ("restart_node", "check_hardware")
    return Assessment(
        strength=SAYS_SO if grave or said is not None else FITS - 5,
        evidence=tuple(evidence),
        at=min(signs, key=lambda sign: sign.place.order).place,
        against=("a smaller job will not help: the memory is damaged, not full",)
        if case.failure is None
        else (),
        fixes=prescribe(case, *fixes),
    )


RULE = Rule(
    id="DS802",
    name="memory-error",
    cause="hardware_xid",
    title="The card's memory is damaged",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "RuntimeError: CUDA error: uncorrectable ECC error encountered\n",
        """NVRM: Xid (PCI:0000:3b:00): 48, pid=9301, name=python, DBE (double bit error) ECC error: at GPC0, Slice 3
NVRM: Xid (PCI:0000:3b:00): 63, pid=9301, name=python, Row Remapper: New row marked for remapping, reset gpu to activate.
""",
        "NVRM: Xid (PCI:0000:c1:00): 94, pid=7712, name=pt_main_thread, Contained: SM (0x1). RST: No, D-RST: No\n",
    ),
    near_miss=(
        """    ECC Errors
        Volatile
            SRAM Uncorrectable            : 0
            DRAM Uncorrectable            : 0
""",
        "RuntimeError: CUDA error: an illegal memory access was encountered\n",
    ),
)
