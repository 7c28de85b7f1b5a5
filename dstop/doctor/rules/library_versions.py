"""cuDNN does not start although the card has room: the versions of the libraries do not fit together

What it means
    A handle of cuDNN cannot be made. On a full card that is memory (DS106); with most of the card free it is the versions: the
    cuDNN that is found is not the one that the program was built with, or the driver is too old for it.

Evidence
    XLA prints how much was free beside the failure, and it is more than a quarter of the card; or TensorFlow names the two
    versions of cuDNN.

Fix
    Install the cuDNN that belongs to the framework's build, and nothing of it in LD_LIBRARY_PATH; else a newer driver.

When it is wrong
    Another process may have filled the card for that moment alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib
from dstop.doctor.questions.asking import told_by
from dstop.doctor.rule import FITS, SAYS_SO, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.model.diagnosis import Fix

_ROOM = 4


def _examine(case: Case) -> Assessment | None:
    named = case.first("torch.cudnn_versions")
    if named is not None:
        return Assessment(strength=SAYS_SO, evidence=(told_by(named),), at=named.place, fixes=_fixes(case))
    handle, room = case.first("torch.no_cudnn", "torch.cudnn_init"), case.first("torch.memory_usage")
    if handle is None or room is None:
        return None
    free, total = room.number("free_bytes"), room.number("total_bytes")
    if not free or not total or free * _ROOM < total:
        return None
    says = f"{gib(free)} of {gib(total)} was free: it is not memory"
    evidence = (told_by(handle), Evidence(source=str(room.place), says=says, value=free))
    return Assessment(strength=FITS + 8, evidence=evidence, at=handle.place, fixes=_fixes(case))


def _fixes(case: Case) -> tuple[Fix, ...]:
    return prescribe(case, "pin_version", "upgrade_version", "upgrade_driver", "reinstall_extension")


RULE = Rule(
    id="DS815",
    name="library-versions",
    cause="driver_mismatch",
    title="cuDNN does not start although the card has room: versions do not fit together",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """E external/xla/xla/stream_executor/cuda/cuda_dnn.cc:439] Could not create cudnn handle: CUDNN_STATUS_INTERNAL_ERROR
E external/xla/xla/stream_executor/cuda/cuda_dnn.cc:443] Memory usage: 22637514752 bytes free, 25387131392 bytes total.
""",
        "Loaded runtime CuDNN library: 8.0.5 but source was compiled with: 8.1.0.  CuDNN library needs to have matching major version\n",
    ),
    near_miss=(
        """E external/xla/xla/stream_executor/cuda/cuda_dnn.cc:439] Could not create cudnn handle: CUDNN_STATUS_NOT_INITIALIZED
E external/xla/xla/stream_executor/cuda/cuda_dnn.cc:443] Memory usage: 63451136 bytes free, 25387131392 bytes total.
""",
    ),
)
