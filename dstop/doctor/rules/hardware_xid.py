"""The card itself failed

What it means
    The card no longer answers: it fell off the bus, its own processor hangs, or the driver cannot bring it up. No setting of
    the job helps, and what other programs say after it (illegal accesses, timeouts, unknown errors) is its aftermath.

Evidence
    An Xid of the kernel log that blames hardware (61, 62, 79, 110, 119, 120, 143 ...), `fallen off the bus` without a number,
    `GPU is lost`, a device handle that cannot be determined, `RmInitAdapter failed`, a reset of AMD's driver.

Fix
    Reset the card or reboot, then test it (`dcgmi diag -r 3`); power, temperature and the slot are the usual suspects of Xid 79,
    driver and firmware those of 119 and 120. If it comes back, take the card out of service.

When it is wrong
    Xids 13, 31, 43, 45 and 69 are a program's own faults (DS901): the card goes on. Xid 154 only repeats what another one told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import told_by
from dstop.doctor.questions.xids import NOTICES, OF_CARD, xid_lines, xids_of
from dstop.doctor.rule import FITS, SAYS_SO, SUGGESTS, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_GONE = ("driver.fallen_off", "driver.gpu_lost", "driver.rm_init", "driver.needs_reset")
_WEAKER = ("driver.hardware_words", "driver.amd_reset")
_GSP = frozenset((119, 120))
_RESET = (
    "sudo nvidia-smi --gpu-reset -i N  # needs every process off the card; after Xid 79 only: sudo reboot"
)


def _examine(case: Case) -> Assessment | None:
    xids = xids_of(case, OF_CARD)
    grave = [sign for sign in xids if sign.number("code_count") not in NOTICES]
    gone = case.all(*_GONE)
    weaker = case.all(*_WEAKER)
    if not (xids or gone or weaker):
        return None
    first = min(grave or gone or xids or weaker, key=lambda sign: sign.place.order)
    evidence = xid_lines(xids)[:4]
    kinds: set[str] = set()
    for sign in (*gone, *weaker):
        if sign.kind not in kinds:
            kinds.add(sign.kind)
            evidence.append(told_by(sign))
    strength = SAYS_SO if grave or gone else FITS + 5 if weaker else SUGGESTS
    codes = {sign.number("code_count") for sign in grave}
    fixes = ["restart_node", "check_hardware", "upgrade_driver"]
    if not codes.isdisjoint(_GSP):
        fixes = ["restart_node", "upgrade_driver", "check_hardware"]
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        at=first.place,
        against=("less batch or memory will not help: the card stopped answering",)
        if case.failure is None
        else (),
        fixes=prescribe(case, *fixes, commands={"restart_node": _RESET}),
    )


RULE = Rule(
    id="DS801",
    name="card-failed",
    cause="hardware_xid",
    title="The card itself failed",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """[ 2171.114510] NVRM: Xid (PCI:0000:4b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.
[ 2171.114512] NVRM: GPU 0000:4b:00.0: GPU has fallen off the bus.
""",
        """$ nvidia-smi
Unable to determine the device handle for GPU 0000:4B:00.0: GPU is lost.  Reboot the system to recover this GPU
""",
        "NVRM: Xid (PCI:0000:18:00): 119, pid=41002, name=python3, Timeout after 6s of waiting for RPC response from GPU3 GSP! Expected function 76 (GSP_RM_CONTROL) (0x2080 0x4).\n",
        "[  128.018] NVRM: GPU 0000:a1:00.0: RmInitAdapter failed! (0x62:0x40:2168)\n",
    ),
    near_miss=(
        """NVRM: Xid (PCI:0000:41:00): 31, pid=52011, name=python, Ch 00000008, intr 00000000. MMU Fault: ENGINE GRAPHICS GPCCLIENT_T1_0 faulted @ 0x7f5c_4a000000. Fault is of type FAULT_PDE ACCESS_TYPE_VIRT_READ
torch.AcceleratorError: CUDA error: an illegal memory access was encountered
""",
        "NVRM: Xid (PCI:0000:41:00): 45, pid=52011, name=python, Ch 00000008\n",
    ),
)
