"""A kernel wants more on-chip memory or registers than the card has

What it means
    Each multiprocessor has some hundred KiB of shared memory and a file of registers; a tile or block of this kernel needs
    more. It is neither the card's memory nor /dev/shm, and no batch size changes it.

Evidence
    `out of resource: shared memory, Required: ..., Hardware limit: ...` (Triton), `uses too much shared data` (ptxas), `too
    many resources requested for launch`.

Fix
    Smaller blocks or fewer stages, another attention or kernel backend, or a version that has tuned tiles for this card;
    consumer and older cards have half of what data-centre cards have.

When it is wrong
    During autotuning such candidates are skipped, and the run goes on: `Ignoring this choice` is no failure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.questions.innocent import not_memory
from dstop.doctor.rule import PROVEN, SAYS_SO, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Sign
    from dstop.doctor.rule import Assessment

_NEAR = 4


def _examine(case: Case) -> Assessment | None:
    sign = case.first("other.on_chip_memory", "other.launch_resources")
    if sign is None or _is_skipped(case, sign):
        return None
    needs, has = (_figure(sign, name) for name in ("tried", "limit"))
    title = (
        f"A kernel wants {needs // 1024} KiB of on-chip memory, the card has {has // 1024} KiB"
        if needs and has
        else None
    )
    fixes = ["change_config", "upgrade_version", "disable_torch_compile", "newer_gpu"]
    if not case.says(r"inductor|_dynamo|torch\.compile|enable[-_]torch[-_]compile"):
        fixes.remove("disable_torch_compile")
    if "configuration" in sign.text:
        fixes[0] = "fix_tensor_size"
        fixes.append("change_config")
    titles = {"change_config": "Smaller blocks, fewer num_stages or num_warps, or another attention backend"}
    strength = SAYS_SO if sign.kind == "other.on_chip_memory" else PROVEN
    against = (
        "this is on-chip memory: more GPU memory, /dev/shm or a smaller memory fraction will not help",
    )
    return not_memory(case, sign, strength, fixes, title=title, titles=titles, against=against)


def _figure(sign: Sign, name: str) -> int | None:
    if "tensor memory" in sign.text or "threads" in sign.text:
        return None  # columns and threads, not bytes
    text = sign.values.get(f"{name}_hex")
    return int(str(text), 16) if text is not None else sign.number(f"{name}_bytes")


def _is_skipped(case: Case, sign: Sign) -> bool:
    return any(abs(one.place.order - sign.place.order) <= _NEAR for one in case.all("benign.autotune"))


RULE = Rule(
    id="DS912",
    name="on-chip-memory",
    cause="not_memory",
    title="A kernel wants more on-chip memory or registers than the card has",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "triton.runtime.errors.OutOfResources: out of resource: shared memory, Required: 131072, Hardware limit: 65536. Reducing block sizes or `num_stages` may help.\n",
        "RuntimeError: CUDA error: too many resources requested for launch\n",
        "ptxas error   : Entry function 'fused_kernel' uses too much shared data (0x18800 bytes, 0xc000 max)\n",
    ),
    near_miss=(
        "RuntimeError: DataLoader worker (pid 812) is killed by signal: Bus error. It is possible that dataloader's workers are out of shared memory. Please try to raise your shared memory limit.\n",
        """Runtime error during autotuning:
No valid triton configs. OutOfResources: out of resource: shared memory, Required: 147456, Hardware limit: 101376. Reducing block sizes or `num_stages` may help..
Ignoring this choice.
""",
    ),
)
