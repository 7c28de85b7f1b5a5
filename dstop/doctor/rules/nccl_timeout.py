"""A collective waited until its time was up: some rank was late, or gone

What it means
    All ranks of a group have to enter a collective. The one that fails to come is the culprit, and says nothing of it; those
    that report the timeout are the ones that waited. No memory is involved.

Evidence
    The watchdog's line with operation, sequence number and time; the heartbeat monitor; monitoredBarrier, which names who is
    late; a store or rendezvous that counted fewer clients than it expected. An out-of-memory error, a kill, an assertion or an
    illegal access on another rank, or before it, makes the timeout its aftermath. `Tried to allocate more than 1EB` after a
    timeout is the aftermath of the timeout.

Fix
    Find the late rank: the one without the message, or with the lowest completed sequence number. The flight recorder names the
    line of code each rank is at. Raise the timeout where one rank alone works long: preprocessing, saving, evaluating.

When it is wrong
    Ranks that run different collectives (a branch, uneven data, unused parameters) wait forever: no timeout is long enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.fixes.waiting import debug_line, timeout_line
from dstop.doctor.questions.aftermath import first_blow
from dstop.doctor.questions.asking import told_by
from dstop.doctor.questions.waits import divergence, late_ranks, waiting_ranks
from dstop.doctor.rule import FITS, PROVEN, SAYS_SO, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Sign

_STRENGTHS = {
    "nccl.watchdog": SAYS_SO,
    "nccl.monitored_barrier": SAYS_SO,
    "nccl.heartbeat": PROVEN + 5,
    "nccl.store_wait": PROVEN + 5,
    "nccl.gloo_timeout": PROVEN + 5,
    "nccl.stall": PROVEN,
    "nccl.dump_signal": FITS + 5,
    "nccl.remote": FITS - 2,
    "nccl.peer_closed": SUGGESTS + 8,
    "nccl.rpc_timeout": SUGGESTS + 8,
}
_ONE_WORKS = r"(?i)tokeniz(?:ing|er on)|Map:? +\d|Map \(num_proc|preprocess|Generating \w+ split|Saving (?:model )?checkpoint|save_checkpoint|Running evaluation|\*{5} Running Evaluation|evaluat(?:e|ing|ion)\b|save_pretrained|compute_metrics|downloading"


def _examine(case: Case) -> Assessment | None:
    signs = case.all(*_STRENGTHS)
    if not signs:
        return None
    told = max(signs, key=lambda sign: (_STRENGTHS[sign.kind], len(sign.values), -sign.place.order))
    if first_blow(case, signs[0].place, waiting_ranks(case)) is not None:
        return None
    if told.kind in {"nccl.remote", "nccl.peer_closed"} and case.has(
        "nccl.oom", "nccl.no_space", "nccl.duplicate_gpu", "nccl.network"
    ):
        return None
    evidence = [told_by(told), *_figures(told), *_culprits(case)]
    against: list[str] = []
    absurd = next((one for one in case.failures if one.is_absurd), None)
    if absurd is not None:
        against.append(
            f"{absurd.place}: an allocation of more than 1EB after a timeout is its aftermath, no lack of memory"
        )
    strength = _STRENGTHS[told.kind]
    raised = _raised_elsewhere(case)
    if raised is not None:
        evidence.append(raised)
        strength = min(strength, FITS - 4)
    apart = divergence(case)
    if apart is not None:
        against.append("the ranks wait in different collectives: a longer timeout will not help")
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        against=tuple(against),
        at=signs[0].place,
        title=_title(told),
        fixes=prescribe(
            case,
            *_fixes(case, told, is_apart=apart is not None),
            commands={
                "nccl_debug": debug_line(case, told),
                "nccl_timeout_raise": timeout_line(case, told),
                "change_config": _config(told),
            },
        ),
    )


def _figures(told: Sign) -> list[Evidence]:
    operation, sequence = told.values.get("operation"), told.number("sequence_count")
    ran, allowed = told.number("ran_count"), told.number("timeout_count")
    if operation is not None and ran is not None:
        where = f" number {sequence}" if sequence is not None else ""
        return [
            Evidence(
                source=str(told.place),
                says=f"{operation}{where} waited {ran / 1000:.0f} s of {(allowed or 0) / 1000:.0f} s",
                value=ran // 1000,
            )
        ]
    joined, world = told.number("joined_count"), told.number("world_count")
    if joined is not None and world is not None:
        return [
            Evidence(source=str(told.place), says=f"{joined} of {world} ranks came", value=world - joined)
        ]
    return []


def _culprits(case: Case) -> list[Evidence]:
    found = []
    for rank, source, why in late_ranks(case):
        found.append(Evidence(source=source, says=f"rank {rank} {why}: look there first", value=rank))
    apart = divergence(case)
    if apart is not None:
        found.append(Evidence(source=apart[0], says=apart[1]))
    return found[:4]


def _raised_elsewhere(case: Case) -> Evidence | None:
    """Give the error of a rank that does not wait, where one has raised something of its own."""
    waiting = waiting_ranks(case)
    for trace in case.traces:
        if (
            trace.rank is None
            or trace.rank in waiting
            or not waiting
            or not trace.frames
            or trace.error is None
        ):
            continue
        if not trace.error.startswith("Dist"):
            says = f"rank {trace.rank} raised {trace.error}: {trace.message[:120]}; the others waited for it"
            return Evidence(source=str(trace.place), says=says, value=trace.rank)
    return None


def _title(told: Sign) -> str | None:
    operation, ran = told.values.get("operation"), told.number("ran_count")
    if operation is not None and ran is not None:
        return f"{operation} waited {ran / 1000:.0f} s for a rank that did not come"
    if told.kind == "nccl.store_wait":
        return "The ranks did not find each other in time"
    return (
        "A peer closed its connection: its own log says why"
        if told.kind in {"nccl.remote", "nccl.peer_closed"}
        else None
    )


def _fixes(case: Case, told: Sign, *, is_apart: bool) -> tuple[str, ...]:
    if told.kind in {"nccl.remote", "nccl.peer_closed"}:
        return ("nccl_debug", "check_hardware", "nccl_timeout_raise")
    if is_apart:
        return ("nccl_debug", "change_config", "nccl_timeout_raise")
    if told.kind == "nccl.store_wait":
        return ("nccl_debug", "nccl_timeout_raise", "change_config", "change_port")
    if case.says(_ONE_WORKS):
        return (
            "nccl_timeout_raise",
            "nccl_debug",
            "pretokenize_dataset" if case.says(r"(?i)tokeniz|Map[: (]") else "change_config",
        )
    return ("nccl_debug", "nccl_timeout_raise", "change_config", "check_hardware")


def _config(told: Sign) -> str:
    if told.kind == "nccl.store_wait":
        return "NCCL_SOCKET_IFNAME=eth0 GLOO_SOCKET_IFNAME=eth0  # and the same MASTER_ADDR, port and world size on every node"
    if (told.number("sequence_count") or 9) <= 3:  # noqa: PLR2004 - the first collectives: nothing has got through yet
        return "NCCL_P2P_DISABLE=1  # where peer access hangs (IOMMU, consumer cards); NCCL_IB_DISABLE=1 where InfiniBand does"
    return "the same number of steps on every rank: DistributedSampler(drop_last=True), or model.join()"


RULE = Rule(
    id="DS601",
    name="nccl-timeout",
    cause="nccl_timeout",
    title="A collective waited until its time was up: some rank was late, or gone",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """[rank1]:[E626 06:24:44.903 ProcessGroupNCCL.cpp:616] [Rank 1] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=808, OpType=ALLREDUCE, NumelIn=9801523, NumelOut=9801523, Timeout(ms)=600000) ran for 600020 milliseconds before timing out.
[rank2]:[E626 06:24:44.904 ProcessGroupNCCL.cpp:616] [Rank 2] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=808, OpType=ALLREDUCE, NumelIn=9801523, NumelOut=9801523, Timeout(ms)=600000) ran for 600030 milliseconds before timing out.
""",
        """[E ProcessGroupNCCL.cpp:475] [Rank 0] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=1, OpType=BROADCAST, Timeout(ms)=1800000) ran for 1800460 milliseconds before timing out.
torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate more than 1EB memory.
""",
        "torch.distributed.DistStoreError: Timed out after 601 seconds waiting for clients. 7/8 clients joined.\n",
        "RuntimeError: [Rank 0]: Rank 3 failed to pass monitoredBarrier in 1800000 ms\n",
    ),
    near_miss=(
        """[rank3]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 3 has a total capacity of 23.57 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 23.25 GiB memory in use. Of the allocated memory 22.41 GiB is allocated by PyTorch, and 401.20 MiB is reserved by PyTorch but unallocated.
[rank1]:[E626 06:24:44.903 ProcessGroupNCCL.cpp:616] [Rank 1] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=808, OpType=ALLREDUCE, NumelIn=9801523, NumelOut=9801523, Timeout(ms)=600000) ran for 600020 milliseconds before timing out.
""",
        """[rank1]:[E626 06:24:44.903 ProcessGroupNCCL.cpp:616] [Rank 1] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=808, OpType=ALLREDUCE, NumelIn=9801523, NumelOut=9801523, Timeout(ms)=600000) ran for 600020 milliseconds before timing out.
slurmstepd: error: Detected 1 oom_kill event in StepId=4402.0. Some of the step tasks have been OOM Killed.
""",
    ),
)
