"""Are PyTorch's allocator settings what somebody meant?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.environment.checks.alloc_conf import SINCE, contradictions, parse_alloc_conf
from dstop.doctor.environment.checks.words import places, shown, without
from dstop.doctor.environment.facts import SHELL
from dstop.doctor.environment.values import Question

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.doctor.environment.facts import Facts, Scope, TorchBuild
    from dstop.doctor.environment.values import Check

_SOURCE = "environment, /proc/*/environ"
_CONF = Question("allocator.conf", "allocator settings", _SOURCE)
_AGREE = Question("allocator.conf_twice", "allocator settings in two variables", _SOURCE)
_MEANT = Question("allocator.conf_options", "allocator options that go together", _SOURCE)
_KNOWN = Question("allocator.conf_version", "allocator settings for this PyTorch", _SOURCE)

NAMES = ("PYTORCH_CUDA_ALLOC_CONF", "PYTORCH_ALLOC_CONF")
_BOTH_SINCE = (2, 9)
"""From there on PyTorch reads the second name too."""
_PASTE = "export PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True"


def conf(facts: Facts) -> Iterator[Check]:
    """Find what ends a program at its first CUDA call."""
    wrong: dict[tuple[str, str], list[Scope]] = {}
    given = 0
    for scope in facts.scopes:
        for name in NAMES:
            if name in scope.variables:
                given += 1
                for error in parse_alloc_conf(scope.variables[name]).errors[:1]:
                    wrong.setdefault((name, error), []).append(scope)
    for name, error in sorted(wrong):
        scopes = wrong[name, error]
        yield _CONF.fails(
            f"{name} in {places(scopes)}: {error}; PyTorch raises at its first CUDA call",
            _PASTE if scopes[0].name == SHELL else without(name, scopes),
            shown(scopes[0].variables[name]),
        )
    if not wrong:
        yield _CONF.passes("read without a fault" if given else "PyTorch's own")


def options(facts: Facts) -> Iterator[Check]:
    """Find options that make others useless."""
    told: dict[str, list[Scope]] = {}
    for scope in facts.scopes:
        text = next((scope.variables[name] for name in NAMES if name in scope.variables), None)
        for complaint in contradictions(parse_alloc_conf(text).options) if text else ():
            told.setdefault(complaint, []).append(scope)
    for complaint, scopes in told.items():
        yield _MEANT.warns(f"{complaint} ({places(scopes)})", _PASTE if "expandable" in complaint else None)


def twice(facts: Facts) -> Iterator[Check]:
    """Find both names set to different things: which one counts depends on PyTorch's version."""
    scopes = [
        scope
        for scope in facts.scopes
        if all(name in scope.variables for name in NAMES)
        and scope.variables[NAMES[0]] != scope.variables[NAMES[1]]
    ]
    if scopes:
        first = scopes[0].variables
        yield _AGREE.warns(
            f"{NAMES[0]}={shown(first[NAMES[0]])} and {NAMES[1]}={shown(first[NAMES[1]])} in {places(scopes)}: which"
            " one counts depends on PyTorch's version",
            without(NAMES[1], scopes),
        )


def by_version(facts: Facts) -> Iterator[Check]:
    """Find settings that the installed PyTorch does not know."""
    build = facts.torches[0] if facts.torches else None
    version = None if build is None else _version(build)
    variables = facts.shell.variables
    if version is None or build is None:
        return
    if NAMES[1] in variables and NAMES[0] not in variables and version < _BOTH_SINCE:
        yield _KNOWN.warns(
            f"torch {build.version} does not read {NAMES[1]} (2.9 does): the settings have no effect",
            f'export {NAMES[0]}="${NAMES[1]}"',
            build.version,
        )
    text = variables.get(NAMES[0], "")
    for option in parse_alloc_conf(text).options:
        since = SINCE.get(option)
        if since is not None and version < since:
            yield _KNOWN.fails(
                f"torch {build.version} does not know {option} ({since[0]}.{since[1]} does), and raises at its first"
                " CUDA call",
                f"unset {NAMES[0]}",
                build.version,
            )


def _version(build: TorchBuild) -> tuple[int, int] | None:
    parts = build.version.split(".")[:2]
    if len(parts) < 2 or not all(part.isascii() and part.isdigit() and len(part) < 4 for part in parts):  # noqa: PLR2004
        return None
    return int(parts[0]), int(parts[1])
