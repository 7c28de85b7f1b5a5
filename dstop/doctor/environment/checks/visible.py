"""Does a job see the cards that somebody meant? CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from dstop.doctor.environment.checks.words import places, shown, without
from dstop.doctor.environment.values import Question

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dstop.doctor.environment.facts import Facts, Scope
    from dstop.doctor.environment.values import Check
    from dstop.model.gpu import Gpu

_VISIBLE = Question("cuda.visible_devices", "CUDA_VISIBLE_DEVICES", "environment, /proc/*/environ, NVML")
_ORDER = Question("cuda.device_order", "numbers of unlike cards", "environment, NVML")
_NAME = "CUDA_VISIBLE_DEVICES"
_LONGEST = 4096
_SHORTEST_UUID = 8


class Seen(NamedTuple):
    """How many cards a list shows, and what is wrong with it."""

    visible: int
    problem: str | None


def visible(facts: Facts) -> Iterator[Check]:
    """Hold every list against the cards that are there."""
    sample = facts.sample
    values: dict[str, list[Scope]] = {}
    for scope in facts.scopes:
        if _NAME in scope.variables and scope.same_files:
            values.setdefault(scope.variables[_NAME], []).append(scope)
    if sample is None or not sample.gpus:
        if values:
            yield _VISIBLE.unknown("set, and which cards there are is not known", "nvidia-smi -L")
        return
    well = True
    for value, scopes in sorted(values.items()):
        seen = shows(value, sample.gpus)
        if seen.problem is None:
            continue
        well = False
        says = f"{shown(value)!r} in {places(scopes)}: {seen.problem}"
        fix = without(_NAME, scopes)
        yield (
            _VISIBLE.warns(says, fix, seen.visible)
            if not value.strip()
            else _VISIBLE.fails(says, fix, seen.visible)
        )
    if well:
        yield _VISIBLE.passes("names cards that are there" if values else "not set: all cards are seen")


def order(facts: Facts) -> Iterator[Check]:
    """Say that CUDA counts unlike cards by speed, and everybody else by their place on the bus."""
    kinds = {gpu.name for gpu in (() if facts.sample is None else facts.sample.gpus) if gpu.name}
    if len(kinds) < 2:  # noqa: PLR2004 - unlike cards
        return
    if facts.shell.variables.get("CUDA_DEVICE_ORDER") == "PCI_BUS_ID":
        yield _ORDER.passes("CUDA counts as nvidia-smi does")
    else:
        yield _ORDER.warns(
            f"{len(kinds)} kinds of cards, and CUDA_DEVICE_ORDER is not set: cuda:0 is the fastest card and not GPU 0"
            " of nvidia-smi",
            "export CUDA_DEVICE_ORDER=PCI_BUS_ID",
            len(kinds),
        )


def shows(value: str, gpus: Sequence[Gpu]) -> Seen:
    """Read the list as CUDA does: from the left, up to the first entry that is no device.

    Source: CUDA C++ Programming Guide, "CUDA Environment Variables".
    """
    entries = [entry.strip() for entry in value[:_LONGEST].split(",")]
    if not value.strip() or entries[0] in {"-1", "NoDevFiles"}:
        return Seen(0, "no GPU is visible, so PyTorch says there is no CUDA device")
    seen: list[str] = []
    for entry in entries:
        found = _device(entry, gpus)
        if found is None:
            if not seen:
                return Seen(0, f"{shown(entry)!r} is no device here, so none is visible")
            return Seen(len(seen), f"{shown(entry)!r} is no device here: it and all after it are not visible")
        if found in seen:
            return Seen(0, f"{shown(entry)!r} comes twice, so none is visible")
        seen.append(found)
    return Seen(len(seen), None)


def _device(entry: str, gpus: Sequence[Gpu]) -> str | None:
    """Give a name for the device that an entry means; None when there is none, or more than one."""
    if entry.isascii() and entry.isdigit() and len(entry) < 5:  # noqa: PLR2004 - an index
        slices = sum(max(1, len(gpu.mig)) for gpu in gpus)
        return str(int(entry)) if int(entry) < slices else None
    folded = entry.lower()
    if len(entry) < _SHORTEST_UUID or not folded.startswith(("gpu-", "mig-")):
        return None
    folded = folded.removeprefix("mig-").partition("/")[0] if folded.startswith("mig-gpu-") else folded
    uuids = [gpu.uuid for gpu in gpus] + [part.uuid for gpu in gpus for part in gpu.mig]
    found = [uuid for uuid in uuids if uuid is not None and uuid.lower().startswith(folded)]
    if not found and any(uuid is None for uuid in uuids):
        return folded
    return found[0] if len(found) == 1 else None
