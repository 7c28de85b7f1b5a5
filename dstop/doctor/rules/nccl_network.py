"""The network between the ranks failed

What it means
    NCCL could not reach a peer: the wrong interface, a firewall, a port that is closed, an InfiniBand link that is down or
    loses packets. Memory has no part in it.

Evidence
    `Bootstrap : no socket interface found`, `Connect to … failed : Connection refused`, `NET/IB : Got completion … error`,
    `Call to ibv_… failed`, under `unhandled system error` or `ncclRemoteError`.

Fix
    Name the interface (`NCCL_SOCKET_IFNAME`), take InfiniBand out of the way to see whether it is at fault
    (`NCCL_IB_DISABLE=1`), look at the link and its counters.

When it is wrong
    A peer that has died refuses connections as well: if a rank failed earlier, its own error counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.aftermath import first_blow
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import PROVEN, Assessment, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case


def _examine(case: Case) -> Assessment | None:
    signs = case.all("nccl.network")
    if not signs or case.has("nccl.no_space", "nccl.oom") or first_blow(case, signs[0].place) is not None:
        return None
    told = next((sign for sign in signs if "NET/Plugin" not in sign.text), None)
    if told is None:
        return None
    is_band = "IB" in told.text or "ibv_" in told.text
    line = (
        "NCCL_IB_DISABLE=1  # to see whether InfiniBand is at fault" if is_band else "NCCL_SOCKET_IFNAME=eth0"
    )
    return Assessment(
        strength=PROVEN,
        evidence=tuple(told_by(sign) for sign in (told, *case.all("nccl.peer_closed", "nccl.remote")[:2])),
        at=told.place,
        fixes=prescribe(
            case,
            "nccl_debug",
            "change_config",
            "check_hardware",
            commands={
                "change_config": line,
                "nccl_debug": "NCCL_DEBUG=INFO NCCL_DEBUG_SUBSYS=INIT,NET,ENV",
                "check_hardware": "ibstat; perfquery -x; ping the peer's address on that interface",
            },
        ),
    )


RULE = Rule(
    id="DS605",
    name="nccl-network",
    cause="not_memory",
    title="The network between the ranks failed",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """ncclSystemError: System call (e.g. socket, malloc) or external library call failed or device error.
Last error:
socketStartConnect: Connect to 10.0.0.3<41817> failed : Connection refused
""",
        "gpu07:41:99 [0] misc/socket.cc:40 NCCL WARN Bootstrap : no socket interface found\n",
    ),
    near_miss=(
        """gpu07:97:176 [0] NCCL INFO NET/Plugin : No plugin found (libnccl-net.so), using internal implementation
ncclUnhandledCudaError: Call to CUDA function failed.
Last error:
Cuda failure 2 'out of memory'
""",
    ),
)
