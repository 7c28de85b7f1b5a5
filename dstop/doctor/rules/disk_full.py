"""The disk is full

What it means
    A file system has no room (or no inodes, or your quota is used up) for a checkpoint, a cache or a temporary file. It is
    no memory, unless the file is in /dev/shm.

Evidence
    `No space left on device` on a path that is not /dev/shm, `Disk quota exceeded`, a PyTorch file writer whose position is
    not what it expected.

Fix
    Remove old checkpoints, keep fewer (`save_total_limit`), or send caches elsewhere (HF_HOME, TMPDIR, TRITON_CACHE_DIR).

When it is wrong
    With /dev/shm, `torch_...` or `psm_...` in the path it is shared memory (DS7xx).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.questions.innocent import not_memory
from dstop.doctor.rule import SAYS_SO, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.rule import Assessment


_SHARED = r"multiprocessing/|shm_broadcast\.py"
"""Whose files are in /dev/shm."""


def _examine(case: Case) -> Assessment | None:
    sign = case.first("other.disk_full")
    if sign is None or case.has("shm.no_space", "nccl.no_space") or case.in_frames(_SHARED) is not None:
        return None
    titles = {"change_config": "Free the disk, keep fewer checkpoints, or write elsewhere"}
    commands = {
        "change_config": "df -h . /tmp; df -i .  # then --save_total_limit 2, HF_HOME=/big/disk, TMPDIR=/big/disk"
    }
    return not_memory(
        case, sign, SAYS_SO - 5, ("change_config", "sharded_state_dict"), titles=titles, commands=commands
    )


RULE = Rule(
    id="DS920",
    name="disk-full",
    cause="not_memory",
    title="The disk is full",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "OSError: [Errno 28] No space left on device: '/home/u/out/checkpoint-500/model.safetensors'\n",
        "RuntimeError: [enforce fail at inline_container.cc:595] . unexpected pos 704 vs 598\n",
    ),
    near_miss=("RuntimeError: unable to write to file </torch_812_3417>: No space left on device (28)\n",),
)
