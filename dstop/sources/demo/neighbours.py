"""The programs that share the cards with the training job, and do so from before the demo begins."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import sin

from dstop.model.process import ProcessFacts
from dstop.model.value import Value
from dstop.sources.demo.noise import wobble
from dstop.units import GIB, MIB

_DAY_S = 86_400.0
HIDDEN = "PID in another namespace: run with --pid=host"
"""What is said of all that the host would know of a process it cannot see."""


class Role(StrEnum):
    """What kind of program it is, and so how it behaves."""

    SERVER = "server"
    NOTEBOOK = "notebook"
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Neighbour(Value):
    """A program that keeps the same memory throughout."""

    role: Role
    memory_bytes: int
    facts: ProcessFacts
    rss_bytes: int | None = None
    seed: int = 0
    gpu_instance_id: int | None = None

    def busy(self, at_s: float) -> float:
        """Give the share of time, 0 … 1, in which its kernels run."""
        if self.role is not Role.SERVER:
            return 0.0
        requests = 0.5 + 0.35 * sin(at_s / 7.5 + self.seed) + 0.3 * wobble(self.seed, 1, at_s / 3)
        return 0.04 + 0.24 * min(1.0, max(0.0, requests))

    def cpu_pct(self, at_s: float) -> float | None:
        """Give its share of a core in percent; None for one the host cannot see."""
        if self.role is Role.STRANGER:
            return None
        if self.role is Role.NOTEBOOK:
            return round(0.4 + 0.3 * wobble(self.seed, 2, at_s / 5), 1)
        return round(104 + 90 * self.busy(at_s) + 4 * wobble(self.seed, 3, at_s / 2), 1)


def notebook(epoch_s: float) -> Neighbour:
    """Give alice's kernel: idle since the day before yesterday, and 11 GiB of the card still its own."""
    kernel = "kernel-6f1c2b7e-93d4-4c11-a0de-5b7f1c88e210.json"
    return Neighbour(
        role=Role.NOTEBOOK,
        memory_bytes=11 * GIB + 214 * MIB,
        rss_bytes=5 * GIB + 301 * MIB,
        seed=31,
        facts=ProcessFacts(
            pid=2_914_377,
            ppid=2_914_102,
            started_at_s=epoch_s - 3 * _DAY_S - 15_127.4,
            uid=1007,
            user="alice",
            command="ipykernel_launcher",
            cmdline=(
                "/home/alice/.venv/bin/python",
                "-m",
                "ipykernel_launcher",
                "-f",
                f"/home/alice/.local/share/jupyter/runtime/{kernel}",
            ),
            framework="pytorch",
            unavailable=_not_served("the kernel's command line names no model"),
        ),
    )


_SHARE, _MIG_SHARE = 0.18, 0.42
_MIG_PID = 3_120_548 + 61 * 40
"""From this PID on an engine is the one within a MIG slice, which it has a larger share of."""


def vllm_server(epoch_s: float, number: int, *, share: float = _SHARE) -> Neighbour:
    """Give a vLLM engine that took its share of the card when it started, weights and KV cache together."""
    return Neighbour(
        role=Role.SERVER,
        memory_bytes=int(share * 79.1 * GIB) // (2 * MIB) * 2 * MIB,
        rss_bytes=6 * GIB + 118 * MIB,
        seed=71 + number,
        facts=ProcessFacts(
            pid=3_120_548 + 61 * number,
            ppid=3_120_391 + 61 * number,
            started_at_s=epoch_s - _DAY_S - 30_611.9 - 40 * number,
            uid=2001,
            user="serve",
            command="VLLM::EngineCore",
            cmdline=("VLLM::EngineCore",),
            container=f"docker:{0x3F2A9C41D07E + 0x1B3D5 * number:012x}",
            job=f"{3_120_391 + 61 * number}",
            framework="vllm",
            model="DeepSeek-R1-Distill-Qwen-1.5B",
            rank=0,
            local_rank=0,
            world_size=1,
        ),
    )


def server_line(engine: ProcessFacts) -> tuple[str, ...]:
    """Give what the parent of a vLLM engine was started with: the engine itself has only a title."""
    share = _MIG_SHARE if engine.pid >= _MIG_PID else _SHARE
    return (
        "/opt/vllm/bin/python",
        "/opt/vllm/bin/vllm",
        "serve",
        f"deepseek-ai/{engine.model}",
        "--gpu-memory-utilization",
        str(share),
        "--max-model-len",
        "16384",
    )


def stranger() -> Neighbour:
    """Give a program of which the driver knows the memory and the host nothing."""
    fields = ("started_at_s", "ppid", "uid", "user", "command", "container", "framework", "model")
    return Neighbour(
        role=Role.STRANGER,
        memory_bytes=1_248 * MIB,
        seed=5,
        facts=ProcessFacts(
            pid=77_612, unavailable=dict.fromkeys((*fields, *_RANK_FIELDS, "cmdline"), HIDDEN)
        ),
    )


def mig_neighbours(epoch_s: float) -> tuple[Neighbour, ...]:
    """Give the programs of a card that is cut into instances: a server, a notebook and an embedder."""
    server, kernel = vllm_server(epoch_s, 40, share=_MIG_SHARE), notebook(epoch_s)
    embedder = Neighbour(
        role=Role.SERVER,
        memory_bytes=1_634 * MIB,
        rss_bytes=902 * MIB,
        seed=97,
        gpu_instance_id=13,
        facts=ProcessFacts(
            pid=3_377_020,
            ppid=3_376_998,
            started_at_s=epoch_s - 6 * _DAY_S - 4_402.0,
            uid=2001,
            user="serve",
            command="text-embeddings-router",
            cmdline=("text-embeddings-router", "--model-id", "BAAI/bge-m3", "--port", "8081"),
            container="docker:b81e55c0a94d",
            model="bge-m3",
            unavailable={"framework": "not a framework that dstop knows", **_no_ranks()},
        ),
    )
    return _moved(server, 1, 0), _moved(kernel, 5, 11_806), embedder


_RANK_FIELDS = ("rank", "local_rank", "world_size", "job")


def _no_ranks() -> dict[str, str]:
    return dict.fromkeys(_RANK_FIELDS, "not one of several ranks")


def _not_served(reason: str) -> dict[str, str]:
    return {"model": reason, "container": "not in a container", **_no_ranks()}


def _moved(neighbour: Neighbour, instance: int, pid_step: int) -> Neighbour:
    """Give the same program within an instance; as another process when the scene has it elsewhere too."""
    from dataclasses import replace  # noqa: PLC0415 - once a scene

    facts = replace(neighbour.facts, pid=neighbour.facts.pid + pid_step)
    return replace(neighbour, gpu_instance_id=instance, facts=facts)
