"""Which cards `--only` and CUDA_VISIBLE_DEVICES mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.errors import UsageError
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dstop.model.gpu import Gpu

_SHORTEST_UUID = len("GPU-x")
_LONGEST_LIST = 4096
"""Characters of an environment variable that are read: 64 cards by UUID take 2600."""


def select_gpus(gpus: Sequence[Gpu], spec: Iterable[str]) -> tuple[int, ...]:
    """Give the indices of the cards that are named, in the order of the names, each once.

    A name is an index, a range (`0-3`), a UUID or the start of one, a PCI bus id, or the UUID of a MIG
    instance; commas part several.

    Raises:
        UsageError: for a name that none or more than one of them has.
    """
    parts = [part.strip(", ") for part in spec]
    found = [index for part in parts for name in part.split(",") for index in _one(gpus, name.strip())]
    return tuple(dict.fromkeys(found))


def _one(gpus: Sequence[Gpu], name: str) -> list[int]:
    exist = [gpu.index for gpu in gpus]
    low, dash, high = name.partition("-")
    if _is_number(low) and (not dash or _is_number(high)):
        first, last = int(low), int(high if dash else low)
        inside = [index for index in exist if first <= index <= last]
        if first > last or len(inside) != last - first + 1:
            raise _unknown(gpus, name)
        return inside
    bus = bus_id(name)
    found = [
        gpu.index for gpu in gpus if bus is not None and gpu.pci_bus_id and bus_id(gpu.pci_bus_id) == bus
    ]
    found = found or _by_uuid(gpus, name)
    if len(found) > 1:
        fix = f"write more of it: it is the start of GPUs {', '.join(map(str, found))}"
        raise UsageError(f"--only: {name[:60]!r} is more than one GPU", fix=fix)
    if not found:
        raise _unknown(gpus, name)
    return found


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6  # noqa: PLR2004 - no machine has a million


def _unknown(gpus: Sequence[Gpu], name: str) -> UsageError:
    exist = ", ".join(f"{gpu.index} ({gpu.uuid or gpu.pci_bus_id or 'no UUID'})" for gpu in gpus)
    fix = f"there are {exist}" if gpus else "there are no GPUs"
    return UsageError(f"--only: no GPU {name[:60]!r}", fix=fix)


def bus_id(text: str) -> tuple[int, int, int, int] | None:
    """Read a PCI address, with or without its domain: `00000000:3B:00.0`, `3b:00.0`; None if it is none."""
    parts = text.strip().replace(".", ":").split(":")
    if not 3 <= len(parts) <= 4 or any(not part or len(part) > 8 for part in parts):  # noqa: PLR2004
        return None
    try:
        numbers = [int(part, 16) for part in parts if part.isalnum()]
    except ValueError:
        return None
    if len(numbers) != len(parts):
        return None
    domain, bus, device, function = (0, *numbers) if len(numbers) == 3 else numbers  # noqa: PLR2004
    return domain, bus, device, function


def _by_uuid(gpus: Sequence[Gpu], name: str) -> list[int]:
    """Find the cards whose UUID, or that of one of their slices, begins so; an exact one wins."""
    folded = name.lower()
    uuids = [
        (uuid.lower(), gpu.index)
        for gpu in gpus
        for uuid in (gpu.uuid, *(part.uuid for part in gpu.mig))
        if uuid is not None
    ]
    exact = [index for uuid, index in uuids if uuid == folded]
    if exact:
        return exact[:1]
    if len(name) < _SHORTEST_UUID or not folded.startswith(("gpu-", "mig-")):
        return []
    folded = _card_of_old_slice(folded)
    return sorted({index for uuid, index in uuids if uuid.startswith(folded)})


def _card_of_old_slice(folded: str) -> str:
    """Give the card of `MIG-GPU-<uuid>/1/0`, as drivers before 470 named a slice; other names as they are."""
    return folded.removeprefix("mig-").partition("/")[0] if folded.startswith("mig-gpu-") else folded


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Visible(Value):
    """What a program started from this shell would see. `note` says where that is not certain."""

    indices: tuple[int, ...]
    note: str | None = None


def visible_devices(environ: Mapping[str, str], gpus: Sequence[Gpu]) -> Visible | None:
    """Read CUDA_VISIBLE_DEVICES as CUDA does; None where it is not set and all are visible.

    CUDA reads from the left and stops at the first entry it does not know (CUDA C++ Programming Guide, "CUDA
    Environment Variables"); an entry that comes twice leaves no device at all.
    """
    text = environ.get("CUDA_VISIBLE_DEVICES")
    if text is None:
        return None
    if len(text) > _LONGEST_LIST:
        return Visible(indices=(), note="CUDA_VISIBLE_DEVICES is too long to be a list of devices")
    found: list[int] = []
    seen: set[str] = set()
    numbers = False
    for position, entry in enumerate(text.split(",")):
        name = entry.strip()
        is_number = _is_number(name)
        index = _visible_index(gpus, name, is_number=is_number)
        if index is None or (position > 0 and is_number != numbers):
            return _visible(found, gpus, environ, numbers=numbers, stopped_at=name)
        identity = str(index) if not name.lower().startswith("mig-") else name.lower()
        if identity in seen:
            return Visible(
                indices=(), note=f"CUDA_VISIBLE_DEVICES names {name!r} twice: CUDA then shows none"
            )
        seen.add(identity)
        numbers = is_number
        found.append(index)
    return _visible(found, gpus, environ, numbers=numbers)


def _visible_index(gpus: Sequence[Gpu], name: str, *, is_number: bool) -> int | None:
    if is_number:
        return next((gpu.index for gpu in gpus if gpu.index == int(name)), None)
    found = _by_uuid(gpus, name)
    return found[0] if len(found) == 1 else None


def _visible(
    found: Sequence[int],
    gpus: Sequence[Gpu],
    environ: Mapping[str, str],
    *,
    numbers: bool,
    stopped_at: str = "",
) -> Visible:
    """Add what may be different from what the list seems to say."""
    notes = []
    if stopped_at:
        notes.append(f"CUDA_VISIBLE_DEVICES stops at {stopped_at[:60]!r}, which is no device")
    by_speed = environ.get("CUDA_DEVICE_ORDER", "FASTEST_FIRST") != "PCI_BUS_ID"
    if numbers and by_speed and len({gpu.name for gpu in gpus}) > 1:
        notes.append("CUDA counts unlike cards by speed: set CUDA_DEVICE_ORDER=PCI_BUS_ID for these numbers")
    return Visible(indices=tuple(dict.fromkeys(found)), note="; ".join(notes) or None)
