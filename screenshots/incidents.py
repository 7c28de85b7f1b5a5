"""What the demo's job would have left behind: the black box of the rank that ran out of memory, and two other ends."""

from __future__ import annotations

from pathlib import Path

from dstop.pytorch.incident.values import Card, CardProcess, DeviceStats, Exit, Incident, Request, ThreadStack
from dstop.sources.demo import EPOCH_S
from dstop.units import GIB, MIB

_TRAIN = (
    "python",
    "-u",
    "train.py",
    "--model",
    "deepseek-ai/DeepSeek-V2-Lite",
    "--micro-batch",
    "2",
    "--max-seq-len",
    "16384",
)
_PLACE = Path("/home/deepa/.local/state/dstop/incidents")


def demo_incidents() -> tuple[Incident, ...]:
    """Give what three runs left."""
    return (_killed(), _out_of_memory(), _ended())


def _stats(allocated: int, reserved: int) -> dict[str, object]:
    figures = {"allocated_bytes": allocated, "active_bytes": allocated, "reserved_bytes": reserved}
    return {name: {"all": {"current": value}} for name, value in figures.items()}


def _out_of_memory() -> Incident:
    name = "20260331T233509.812-482172-r3-oom"
    at_ns = int((EPOCH_S - 291) * 1e9)
    return Incident(
        name=name,
        directory=_PLACE / name,
        kind="oom",
        at_ns=at_ns,
        host="demo-8xh100",
        pid=482_172,
        run="v2lite-sft-0412",
        rank=3,
        local_rank=3,
        world_size=8,
        cmdline=_TRAIN,
        versions={"torch": "2.9.1+cu128", "python": "3.12.11"},
        environment={"RANK": "3", "WORLD_SIZE": "8"},
        request=Request(device=3, segment_bytes=1536 * MIB, total_bytes=80_962 * MIB, free_bytes=12 * MIB),
        devices=(DeviceStats(index=3, stats=_stats(60 * GIB + 512 * MIB, 66 * GIB + 614 * MIB)),),
        card=Card(
            total_bytes=80_962 * MIB,
            used_bytes=80_950 * MIB,
            free_bytes=12 * MIB,
            processes=(
                CardProcess(pid=482_172, bytes=67 * GIB + 846 * MIB, command="train.py"),
                CardProcess(pid=2_914_377, bytes=11 * GIB + 214 * MIB, command="ipykernel_launcher"),
            ),
        ),
        threads=(
            ThreadStack(
                id=1,
                name="MainThread",
                current=True,
                frames=(
                    ("/opt/envs/sft/lib/python3.12/site-packages/torch/nn/functional.py", 2_812, "linear"),
                    ("/home/deepa/sft/model.py", 188, "forward"),
                    ("/home/deepa/sft/train.py", 212, "training_step"),
                ),
            ),
        ),
        history=False,
        backend="native",
    )


def _ended() -> Incident:
    name = "20260331T233519.040-482103-exit"
    return Incident(
        name=name,
        directory=_PLACE / name,
        kind="exit",
        at_ns=int((EPOCH_S - 281) * 1e9),
        host="demo-8xh100",
        pid=482_103,
        run="v2lite-sft-0412",
        cmdline=("torchrun", "--nproc-per-node", "8", *_TRAIN[2:]),
        exit=Exit(code=1, wall_s=190.2),
    )


def _killed() -> Incident:
    name = "20260330T101112.500-390001-exit"
    return Incident(
        name=name,
        directory=_PLACE / name,
        kind="exit",
        at_ns=int((EPOCH_S - 132_829) * 1e9),
        host="demo-8xh100",
        pid=390_001,
        run="tokenize-07",
        cmdline=("python", "tokenize_all.py", "--workers", "64"),
        exit=Exit(
            signal=9,
            signal_name="SIGKILL",
            wall_s=412.0,
            memory_events={"oom": 1, "oom_kill": 1},
            memory_max_bytes=512 * GIB,
            memory_peak_bytes=512 * GIB,
        ),
    )
