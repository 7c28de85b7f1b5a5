"""Are NCCL's variables spelt as NCCL spells them, and do they name what is there?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dstop.doctor.environment.checks.words import places, shown, without
from dstop.doctor.environment.values import Question

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dstop.doctor.environment.facts import Facts, Scope
    from dstop.doctor.environment.values import Check

_SOURCE = "environment, /proc/*/environ, nccl.conf"
_SPELT = Question("nccl.names", "names of variables", _SOURCE)
_PLAIN = re.compile(r"[A-Z][A-Z0-9_]{3,79}")
_WATCHED = ("NCC", "NCL", "NNC", "TORCH_N", "PYTORCH_", "PYTROCH_", "CUDA_")
_CLOSE = 0.86
_MOST_ODD = 40
_MOST_TOLD = 5


def names(facts: Facts) -> Iterator[Check]:
    """Find names that are none and look like one: such a setting has no effect, and nobody says so."""
    from difflib import get_close_matches  # noqa: PLC0415 - only where a name is odd

    from dstop.doctor.environment.checks.names import KNOWN  # noqa: PLC0415 - as above

    odd: dict[str, list[Scope]] = {}
    for scope in facts.scopes:
        for name in scope.variables:
            watched = name.startswith(_WATCHED) or "NCCL" in name
            if watched and name not in KNOWN and _PLAIN.fullmatch(name):
                odd.setdefault(name, []).append(scope)
    told = 0
    for name in sorted(odd)[:_MOST_ODD]:
        close = get_close_matches(name, KNOWN, n=1, cutoff=_CLOSE)
        if not close or told >= _MOST_TOLD or not _is_slip(name, close[0]):
            continue
        told += 1
        question = Question(f"nccl.names.{name.lower()}", _SPELT.title, _SOURCE)
        value = odd[name][0].variables[name]
        safe = re.fullmatch(r"[A-Za-z0-9_.,:^=/\[\]>-]{1,60}", value)
        yield question.warns(
            f"{name} in {places(odd[name])} is read by nobody; did somebody mean {close[0]}?",
            f"unset {name}; export {close[0]}={value}" if safe else without(name, odd[name]),
            name,
        )
    if not told:
        yield _SPELT.passes("none looks misspelt", 0)


def _is_slip(name: str, known: str) -> bool:
    """Whether the two differ by a slip of the hand: a letter or two, an ending, two that changed places."""
    start = 0
    while start < min(len(name), len(known)) and name[start] == known[start]:
        start += 1
    end = 0
    while end < min(len(name), len(known)) - start and name[-1 - end] == known[-1 - end]:
        end += 1
    odd, meant = name[start : len(name) - end], known[start : len(known) - end]
    return max(len(odd), len(meant)) <= 2 or sorted(odd) == sorted(meant)  # noqa: PLR2004 - two letters


def interfaces(facts: Facts) -> Iterator[Check]:
    """Hold NCCL_SOCKET_IFNAME and its kin against the interfaces of this machine."""
    yield from _named(
        facts, ("NCCL_SOCKET_IFNAME", "GLOO_SOCKET_IFNAME"), facts.limits.interfaces, "/sys/class/net"
    )


def adapters(facts: Facts) -> Iterator[Check]:
    """Hold NCCL_IB_HCA against the RDMA cards of this machine."""
    yield from _named(facts, ("NCCL_IB_HCA",), facts.limits.infiniband, "/sys/class/infiniband")


def _named(
    facts: Facts, variables: Sequence[str], there: Sequence[str] | None, folder: str
) -> Iterator[Check]:
    for variable in variables:
        question = Question(f"nccl.{variable.lower()}", f"{variable} names what is there", folder)
        values: dict[str, list[Scope]] = {}
        for scope in facts.scopes:
            value = scope.variables.get(variable)
            if value and scope.same_network:
                values.setdefault(value, []).append(scope)
        for value, scopes in sorted(values.items()):
            if there is None:
                yield question.unknown(f"{folder} cannot be read", f"ls {folder}")
            elif any(matches(value, name, exact=variable.startswith("GLOO")) for name in there):
                yield question.passes(f"{shown(value)} ({places(scopes)})", shown(value))
            else:
                has = ", ".join(there[:6]) or "none"
                yield question.fails(
                    f"{variable}={shown(value)} in {places(scopes)} fits none of {has}: ranks do not find each other",
                    without(variable, scopes),
                    shown(value),
                )


def matches(value: str, name: str, *, exact: bool = False) -> bool:
    """Whether a list as NCCL writes it lets a device through: `eth,ib`, `=eth0`, `^docker,lo`, `mlx5_0:1`.

    Source: NCCL documentation, NCCL_SOCKET_IFNAME and NCCL_IB_HCA: `^` turns the list round, `=` asks for whole names.
    """
    negated = value.startswith("^")
    rest = value[1:] if negated else value
    whole = exact or rest.startswith("=")
    parts = [part.partition(":")[0].strip() for part in rest.removeprefix("=").split(",")]
    found = any(part and (name == part if whole else name.startswith(part)) for part in parts)
    return not found if negated else found
