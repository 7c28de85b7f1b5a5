"""Variables that are harmful where they are left on: a table, and the one check that reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dstop.doctor.environment.checks.words import places, without
from dstop.doctor.environment.values import CheckStatus, Question

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dstop.doctor.environment.facts import Facts, Scope
    from dstop.doctor.environment.values import Check

_SOURCE = "environment, /proc/*/environ, nccl.conf"
_ONE, _ZERO = frozenset({"1"}), frozenset({"0"})
_ANY: frozenset[str] = frozenset()
_ON = frozenset({"1", "true", "yes", "on", "y", "t"})
_OFF = frozenset({"0", "false", "no", "off", "n", "f"})


class Harm(NamedTuple):
    """A setting, and what it costs."""

    name: str
    values: frozenset[str]
    """In lower case; none where any value does it."""
    cost: str
    status: CheckStatus = CheckStatus.WARN
    only_with_rdma: bool = False
    """Harmless on a machine without such a card."""


_COMMUNICATION = (
    Harm(
        "NCCL_P2P_DISABLE",
        _ONE,
        "GPUs talk through host memory and not over NVLink or PCIe, many times slower",
    ),
    Harm("NCCL_P2P_LEVEL", _ZERO | {"loc"}, "GPUs talk through host memory and not over NVLink or PCIe"),
    Harm("NCCL_SHM_DISABLE", _ONE, "ranks of one machine talk through the network stack"),
    Harm(
        "NCCL_IB_DISABLE", _ONE, "machines talk through TCP though RDMA cards are here", only_with_rdma=True
    ),
    Harm(
        "NCCL_NET",
        frozenset({"socket"}),
        "machines talk through TCP though RDMA cards are here",
        only_with_rdma=True,
    ),
    Harm("NCCL_DEBUG", frozenset({"trace"}), "every call is logged: gigabytes of log, and slower"),
    Harm("NCCL_CHECK_POINTERS", _ONE, "every call checks its pointers"),
    Harm("NCCL_BLOCKING_WAIT", _ON, "the CPU waits for every collective and launches nothing meanwhile"),
    Harm(
        "TORCH_NCCL_BLOCKING_WAIT", _ON, "the CPU waits for every collective and launches nothing meanwhile"
    ),
    Harm("NCCL_ASYNC_ERROR_HANDLING", _OFF, "when one rank fails the others wait for it for ever"),
    Harm("TORCH_NCCL_ASYNC_ERROR_HANDLING", _OFF, "when one rank fails the others wait for it for ever"),
    Harm("TORCH_NCCL_ENABLE_MONITORING", _OFF, "a rank whose watchdog hangs is never ended"),
    Harm(
        "TORCH_DISTRIBUTED_DEBUG", frozenset({"detail"}), "every collective is checked by another one first"
    ),
)
_DEVICES = (
    Harm(
        "CUDA_LAUNCH_BLOCKING",
        _ONE,
        "every kernel is waited for: left on from debugging, it costs most of the speed",
    ),
    Harm(
        "PYTORCH_NO_CUDA_MEMORY_CACHING",
        _ANY,
        "every tensor is a cudaMalloc and a cudaFree, which wait for the GPU",
    ),
    Harm(
        "CUDA_MODULE_LOADING",
        frozenset({"eager"}),
        "every process loads all kernels: hundreds of MiB on each GPU",
    ),
    Harm("CUDA_DISABLE_PTX_JIT", _ONE, "kernels that are there as PTX alone do not run"),
    Harm("CUDA_FORCE_PTX_JIT", _ONE, "every kernel is compiled anew at its first use"),
    Harm(
        "NVIDIA_TF32_OVERRIDE",
        _ZERO,
        "float32 matrix products run without tensor cores, whatever PyTorch is told",
    ),
    Harm("TORCH_SHOW_DISPATCH_TRACE", _ON, "every operator is printed"),
)


def communication(facts: Facts) -> Iterator[Check]:
    """Look for harmful settings of NCCL and PyTorch's process groups."""
    yield from _harms(facts, "nccl", _COMMUNICATION, Question("nccl.settings", "NCCL settings", _SOURCE))


def devices(facts: Facts) -> Iterator[Check]:
    """Look for harmful settings of CUDA and PyTorch."""
    yield from _harms(
        facts, "cuda", _DEVICES, Question("cuda.settings", "CUDA and PyTorch settings", _SOURCE)
    )


def _harms(facts: Facts, group: str, table: Sequence[Harm], well: Question) -> Iterator[Check]:
    found = 0
    for harm in table:
        scopes = [scope for scope in facts.scopes if _applies(harm, scope)]
        if not scopes or (harm.only_with_rdma and facts.limits.infiniband == ()):
            continue
        found += 1
        value = scopes[0].variables[harm.name]
        question = Question(f"{group}.{harm.name.lower()}", f"{harm.name}={value.strip()[:20]}", _SOURCE)
        cost = harm.cost
        if harm.only_with_rdma and facts.limits.infiniband is None:
            cost = "machines talk through TCP, should RDMA cards be here"
        yield question.judged(
            harm.status, f"set in {places(scopes)}: {cost}", without(harm.name, scopes), value.strip()[:20]
        )
    if not found:
        yield well.passes(f"none of {len(table)} harmful ones is set", 0)


def _applies(harm: Harm, scope: Scope) -> bool:
    value = scope.variables.get(harm.name)
    return value is not None and (not harm.values or value.strip().lower() in harm.values)
