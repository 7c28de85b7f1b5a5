"""Do the ranks of one job have the same settings? NCCL hangs or slows down where they differ, and says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.environment.checks.words import counted, numbers, shown
from dstop.doctor.environment.values import Question

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dstop.doctor.environment.facts import Facts, Scope
    from dstop.doctor.environment.values import Check

_TITLE, _SOURCE = "settings of the ranks of one job", "/proc/*/environ"
_SAME = Question("processes.ranks", _TITLE, _SOURCE)

_PREFIXES = ("NCCL_", "TORCH", "PYTORCH", "GLOO_", "UCX_")
_NAMES = frozenset(
    {
        "CUDA_LAUNCH_BLOCKING",
        "CUDA_DEVICE_ORDER",
        "CUDA_DEVICE_MAX_CONNECTIONS",
        "CUDA_MODULE_LOADING",
        "NVIDIA_TF32_OVERRIDE",
        "OMP_NUM_THREADS",
    }
)
_EACH_ITS_OWN = frozenset(
    {"TORCHELASTIC_ERROR_FILE", "TORCHINDUCTOR_CACHE_DIR", "NCCL_DEBUG_FILE", "NCCL_HOSTID"}
)
"""They differ between ranks by design."""
_MOST_VARIABLES, _MOST_VALUES = 20, 4
_NOT_SET = "not set"


def ranks(facts: Facts) -> Iterator[Check]:
    """Compare the ranks of each job; one check a variable that differs."""
    jobs: dict[str, list[Scope]] = {}
    for scope in facts.jobs:
        if scope.rank is not None and scope.job is not None and scope.reason is None:
            jobs.setdefault(scope.job, []).append(scope)
    jobs = {name: scopes for name, scopes in jobs.items() if len({scope.rank for scope in scopes}) > 1}
    if not jobs:
        return
    differing: dict[str, list[str]] = {}
    for name, scopes in jobs.items():
        for variable in sorted({key for scope in scopes for key in scope.variables if _is_common(key)}):
            groups = _by_value(variable, scopes)
            if len(groups) > 1:
                where = f" of {name}" if len(jobs) > 1 else ""
                differing.setdefault(variable, []).append(_told(groups) + where)
    for variable, told in sorted(differing.items())[:_MOST_VARIABLES]:
        yield Question(f"processes.ranks.{variable}", _TITLE, _SOURCE).warns(
            f"{variable} is {'; '.join(told)}: ranks that disagree hang or wait for each other",
            f"export {variable}=…  # the same where every rank is started" if _is_plain(variable) else None,
            len(told),
        )
    if not differing:
        count = sum(len({scope.rank for scope in scopes}) for scopes in jobs.values())
        yield _SAME.passes(f"the same on {counted(count, 'rank')} of {counted(len(jobs), 'job')}", count)


def _is_common(name: str) -> bool:
    return (name.startswith(_PREFIXES) or name in _NAMES) and name not in _EACH_ITS_OWN


def _by_value(variable: str, scopes: Sequence[Scope]) -> dict[str, set[int]]:
    groups: dict[str, set[int]] = {}
    for scope in scopes:
        if scope.rank is not None:
            groups.setdefault(scope.variables.get(variable, _NOT_SET), set()).add(scope.rank)
    return groups


def _told(groups: dict[str, set[int]]) -> str:
    ordered = sorted(groups.items(), key=lambda pair: (-len(pair[1]), min(pair[1])))
    told = [
        f"{shown(value)} on rank{'s' if len(members) > 1 else ''} {numbers(members)}"
        for value, members in ordered[:_MOST_VALUES]
    ]
    more = f", and {len(ordered) - _MOST_VALUES} other values" if len(ordered) > _MOST_VALUES else ""
    return f"{', '.join(told)}{more}"


def _is_plain(name: str) -> bool:
    return name.isascii() and name.replace("_", "").isalnum()
