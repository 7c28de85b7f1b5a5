"""What `dstop plan` is asked about: a name, a tier, a file or a pipe, with the flags laid over it."""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dstop.cli import terminal
from dstop.errors import PlanError, UsageError
from dstop.footprint.spec.fields import shown
from dstop.footprint.spec.parse import parse_spec
from dstop.footprint.spec.values import Lora, Parallel, Spec
from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dstop.footprint.architecture.values import Architecture
    from dstop.footprint.catalog.values import Tier

MOST_BYTES = 16 * 2**20
"""Of a SPEC or a config.json: published ones have some kilobytes, with lists of skipped modules some hundred."""
_FLAGS = (
    "phase",
    "weights",
    "kv_cache",
    "batch",
    "sequence",
    "optimizer",
    "checkpointing",
    "attention",
    "framework",
)
_LAYOUT = ("tp", "pp", "dp", "ep", "cp", "zero")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Asked(Value):
    """One thing to plan."""

    spec: Spec
    said: frozenset[str]
    """What a search leaves as it is: what was typed, and the format of the weights that a file names; its layout is
    where a search begins."""
    tier: Tier | None = None
    """Where a tier of the sizing guide was named."""


def asked_of(name: str, options: Mapping[str, Any]) -> Asked:
    """Read one MODEL and lay the flags over it.

    A file that is there wins over a name of the catalog; what looks like a path and is not there is said to be missing.

    Raises:
        PlanError: it is no model, or a field is wrong; the field is named.
        UsageError: the flags contradict each other, or standard input cannot be read.
    """
    begun, architecture, tier = _begin(name, options)
    data = _overlaid(begun, options)
    _spread(data, options["gpus"])
    spec = parse_spec(data, architecture=architecture)
    said = {
        each for each in (*_FLAGS, *_LAYOUT) if options[each] is not None
    }  # --gpus is a number, no layout
    if "weights" in begun and tier is None:
        said.add("weights")
    return Asked(spec=spec, said=frozenset(said), tier=tier)


def _begin(name: str, options: Mapping[str, Any]) -> tuple[dict[str, Any], Architecture | None, Tier | None]:
    """Give the SPEC as it is before the flags, the architecture where it is read already, and the tier."""
    file = None if name == "-" else _path_of(name)
    if name == "-" or file is not None:
        return _from_object(_loaded(file), file)
    from dstop.footprint.catalog.tiers import find_tier, is_tier  # noqa: PLC0415 - the catalog only for names

    if is_tier(name):
        from dstop.footprint.catalog.tier_report import tier_spec  # noqa: PLC0415 - as above

        tier = find_tier(name)
        spec = tier_spec(tier, "training" if _phase(options) == "training" else "inference")
        return fields_of(spec), spec.architecture, tier
    from dstop.footprint.catalog.models import find_model  # noqa: PLC0415 - as above

    return {}, find_model(name), None


def _path_of(name: str) -> Path | None:
    """Give the file that is meant, of a directory its config.json; None where a name of the catalog is meant.

    Raises:
        PlanError: it is a path, and nothing to read is there.
    """
    says = "is not there"
    with suppress(OSError, ValueError):  # a name that no file can have
        path = Path(name)
        if path.exists() and not path.is_dir():  # pipes too: dstop plan <(jq …)
            return path
        if (path / "config.json").is_file():
            return path / "config.json"
        if path.is_dir():
            says = "has no config.json"
    if name.startswith(("/", ".", "~")) or name.endswith(".json"):
        raise PlanError(f"model: {shown(name)} {says}", fix="name a config.json, a SPEC.json or a model")
    return None


def _loaded(file: Path | None) -> object:
    """Read JSON of a bounded size.

    Raises:
        PlanError: it cannot be read, or is none.
        UsageError: standard input is a terminal, or closed.
    """
    title = "standard input" if file is None else str(file)
    try:
        data = _stdin() if file is None else _read(file)
    except OSError as error:
        raise PlanError(
            f"model: cannot read {shown(title)}: {error.strerror}", fix="name a file that can be read"
        ) from error
    if len(data) > MOST_BYTES:
        raise PlanError(f"model: {shown(title)} has more than 16 MiB", fix="a config.json has some kilobytes")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        says = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
        raise PlanError(
            f"model: {shown(title)} is no JSON{says}", fix="use a config.json as published, or a SPEC.json"
        ) from error


def _read(file: Path) -> bytes:
    with file.open("rb") as stream:
        return stream.read(MOST_BYTES + 1)


def _stdin() -> bytes:
    if sys.stdin is None:
        raise UsageError("there is no standard input", fix="name a file")
    if terminal.is_terminal(sys.stdin):
        raise UsageError("standard input is a terminal", fix="pipe a SPEC.json in, or name a model")
    return sys.stdin.buffer.read(MOST_BYTES + 1)


def _from_object(found: object, file: Path | None) -> tuple[dict[str, Any], Architecture | None, Tier | None]:
    """Tell a SPEC from a config.json: a config says its model_type, a SPEC its model."""
    if not isinstance(found, dict):
        raise PlanError(
            f"model: the file holds {shown(found)}, no object", fix="use a config.json, or a SPEC.json"
        )
    if "model" in found or not ({"model_type", "architectures", "hidden_size"} & found.keys()):
        return dict(found), None, None
    from dstop.footprint.architecture.config import read_config  # noqa: PLC0415 - a name needs none

    return {}, read_config(found, _title(found, file)), None


def _title(config: Mapping[str, Any], file: Path | None) -> str | None:
    """Call a model as its config does, else by the directory that its config.json is in."""
    said = config.get("_name_or_path")
    if isinstance(said, str) and 0 < len(said) <= 200 and said.isprintable():  # noqa: PLR2004 - a name
        return said.rstrip("/").rsplit("/", 1)[-1] or None
    if file is None or file.name != "config.json":
        return None
    directory = file.absolute().parent.name
    return directory if directory.isprintable() else None


def _phase(options: Mapping[str, Any]) -> str | None:
    """Give the phase that the flags say.

    Raises:
        UsageError: they say both.
    """
    said = [name for name in ("training", "inference") if options[name]]
    if options["phase"] is not None:
        said.append(options["phase"])
    if len(set(said)) > 1:
        raise UsageError(f"--{' --'.join(said[:2])}: a plan has one phase", fix="leave one of them out")
    return said[0] if said else None


def _overlaid(data: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Lay what was typed over what the file says; the reader of the SPEC checks both alike."""
    merged = dict(data)
    merged.update({name: options[name] for name in _FLAGS if options[name] is not None})
    phase = _phase(options)
    if phase is not None:
        merged["phase"] = phase
    if options["master_weights"]:
        merged["master_weights"] = True
    if options["lora"] is not None:
        said = merged.get("lora")
        merged["lora"] = {**(said if isinstance(said, dict) else {}), "rank": options["lora"]}
        merged.setdefault("phase", "training")  # adapters are trained
    if options["weights"] is not None and isinstance(merged.get("lora"), dict):
        merged["lora"] = {**merged["lora"], "base": options["weights"]}  # what is below the adapters
    layout = {name: options[name] for name in _LAYOUT if options[name] is not None}
    if options["sequence_parallel"]:
        layout["sequence_parallel"] = True
    if layout:
        said = merged.get("parallel")
        merged["parallel"] = {**(said if isinstance(said, dict) else {}), **layout}
    if len(options["gpu"]) == 1:
        merged["gpu"] = options["gpu"][0]
    return merged


def _spread(data: dict[str, Any], gpus: int | None) -> None:
    """Lay the rest of `--gpus` out: over tensor parallelism to serve, over data parallelism (ZeRO 3) to train.

    Raises:
        PlanError: what is said of the layout does not divide it.
    """
    if gpus is None:
        return
    if gpus < 1:
        raise PlanError(f"gpus: {gpus} is out of bounds", fix="at least 1")
    layout = dict(data.get("parallel") or {}) if isinstance(data.get("parallel"), dict | None) else {}
    training = data.get("phase") in {"training", "train"}
    free = "dp" if training else "tp"
    taken = 1
    for name in ("tp", "pp", "dp", "cp"):
        ways = layout.get(name)
        taken *= ways if name != free and isinstance(ways, int) and ways > 0 else 1
    said = layout.get(free)
    if gpus % taken or (isinstance(said, int) and said * taken != gpus):
        raise PlanError(f"gpus: {gpus} is not tp x pp x dp x cp", fix=f"leave --gpus or --{free} out")
    layout[free] = gpus // taken
    if training and layout["dp"] > 1:
        layout.setdefault("zero", 3)
    data["parallel"] = layout


def fields_of(spec: Spec) -> dict[str, Any]:
    """Write a spec as the SPEC it could have been read from: every field that is not at its default, but the model."""
    data: dict[str, Any] = {"phase": spec.phase}
    for field in fields(Spec):
        value = getattr(spec, field.name)
        if field.name in {"architecture", "phase", "gpu_bytes"} or value == field.default:
            continue
        if isinstance(value, Parallel | Lora):
            value = {
                each.name: _plain(getattr(value, each.name))
                for each in fields(value)
                if getattr(value, each.name) != each.default
            }
        data[field.name] = _plain(value)
    return data


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
