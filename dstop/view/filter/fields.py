"""What a filter can ask of a process row: one line a field, which is also its line in the help."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from dstop.model.value import Value
from dstop.view.order import allocated_bytes, cached_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dstop.model.gpu import Gpu
    from dstop.model.process import GpuProcess


LONGEST_TEXT = 512
"""Characters of a value that are looked at: a command line can have two million."""


class Subject(NamedTuple):
    """A row, its card where it is known, and the moment it was read."""

    process: GpuProcess
    gpu: Gpu | None = None
    now_ns: int | None = None


class Kind(Enum):
    """How a value is written in a filter, in the words of an error message."""

    TEXT = "text"
    CHOICE = "one of"
    INTEGER = "a whole number, a list (0,2) or a range (0-3)"
    BYTES = "a size such as 10G, 512M or 1.5T"
    PERCENT = "a percentage such as 50"
    AGE = "an age such as 90s, 5m, 2h or 1d"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Field(Value):
    """A name of the language. `text` reads words and choices, `number` all that can be compared."""

    name: str
    kind: Kind
    help: str
    example: str
    text: Callable[[Subject], tuple[str, ...]] | None = None
    number: Callable[[Subject], float | None] | None = None
    choices: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    of_memory: bool = False
    """Also true of memory that belongs to no process."""


def cmdline_text(process: GpuProcess) -> str:
    """Join the command line, no further than anything looks at it."""
    parts, length = [], 0
    for part in process.facts.cmdline:
        parts.append(part[:LONGEST_TEXT])
        length += len(part) + 1
        if length > LONGEST_TEXT:
            break
    return " ".join(parts)[:LONGEST_TEXT]


def known(*values: str | None) -> tuple[str, ...]:
    """Give those that there are, no longer than anything looks at them."""
    return tuple(value[:LONGEST_TEXT] for value in values if value)


def _user(subject: Subject) -> tuple[str, ...]:
    facts = subject.process.facts
    if facts.user is None and facts.uid is not None:
        return (str(facts.uid),)
    return known(facts.user)


def _command(subject: Subject) -> tuple[str, ...]:
    return known(cmdline_text(subject.process), subject.process.facts.command)


def _labels(subject: Subject) -> tuple[str, ...]:
    return known(*(f"{name}={value}" for name, value in subject.process.facts.labels.items()))


def _share(subject: Subject) -> float | None:
    used, gpu = subject.process.gpu_memory_bytes, subject.gpu
    if used is None or gpu is None or not gpu.memory_total_bytes:
        return None
    return 100 * used / gpu.memory_total_bytes


def _age(subject: Subject) -> float | None:
    started = subject.process.facts.started_at_s
    if started is None or subject.now_ns is None:
        return None
    return subject.now_ns / 1e9 - started


def _reserved(subject: Subject) -> int | None:
    device = subject.process.allocator
    return None if device is None else device.reserved_bytes


_TEXTS: tuple[Field, ...] = (
    Field(name="user", kind=Kind.TEXT, help="who runs it", example="user:alice,bob", text=_user),
    Field(
        name="cmd",
        kind=Kind.TEXT,
        help="its command and command line",
        example='cmd:"vllm serve"',
        text=_command,
        aliases=("command",),
    ),
    Field(
        name="container",
        kind=Kind.TEXT,
        help="its container, pod or Slurm job",
        example="container:docker",
        text=lambda s: known(s.process.facts.container),
    ),
    Field(
        name="job",
        kind=Kind.TEXT,
        help="what its ranks have in common",
        example="job:1234",
        text=lambda s: known(s.process.facts.job),
    ),
    Field(
        name="framework",
        kind=Kind.TEXT,
        help="what it is built on",
        example="framework:vllm",
        text=lambda s: known(s.process.facts.framework),
    ),
    Field(
        name="model",
        kind=Kind.TEXT,
        help="the model it runs",
        example="model:deepseek",
        text=lambda s: known(s.process.facts.model),
    ),
    Field(name="label", kind=Kind.TEXT, help="what plugins know of it", example="label:team=a", text=_labels),
    Field(
        name="card",
        kind=Kind.TEXT,
        help="the name of its GPU",
        example="card:H200",
        text=lambda s: known(s.gpu.name if s.gpu else None),
        of_memory=True,
    ),
    Field(
        name="uuid",
        kind=Kind.TEXT,
        help="the UUID of its GPU",
        example="uuid:GPU-3f2a",
        text=lambda s: known(s.process.gpu_uuid or (s.gpu.uuid if s.gpu else None)),
        of_memory=True,
    ),
    Field(
        name="type",
        kind=Kind.CHOICE,
        help="C compute, G graphics, M under MPS",
        example="type:C",
        text=lambda s: tuple(s.process.type.split("+")),
        choices=("C", "G", "M"),
    ),
    Field(
        name="state",
        kind=Kind.CHOICE,
        help="the kernel's letter: D and Z are stuck",
        example="state:D,Z",
        text=lambda s: known(s.process.state),
        choices=("R", "S", "D", "T", "Z", "I"),
    ),
)


_INTEGERS: tuple[Field, ...] = (
    Field(
        name="gpu",
        kind=Kind.INTEGER,
        help="the index of its GPU",
        example="gpu:0-3",
        number=lambda s: s.process.gpu_index,
        of_memory=True,
    ),
    Field(name="pid", kind=Kind.INTEGER, help="its PID", example="pid:4242", number=lambda s: s.process.pid),
    Field(
        name="ppid",
        kind=Kind.INTEGER,
        help="its parent's PID",
        example="ppid:4200",
        number=lambda s: s.process.facts.ppid,
    ),
    Field(
        name="uid",
        kind=Kind.INTEGER,
        help="its user's number",
        example="uid>=1000",
        number=lambda s: s.process.facts.uid,
    ),
    Field(
        name="rank",
        kind=Kind.INTEGER,
        help="its rank",
        example="rank=3",
        number=lambda s: s.process.facts.rank,
    ),
    Field(
        name="world",
        kind=Kind.INTEGER,
        help="how many ranks its job has",
        example="world=8",
        number=lambda s: s.process.facts.world_size,
    ),
    Field(
        name="mig",
        kind=Kind.INTEGER,
        help="the MIG GPU instance it is on",
        example="mig:1",
        number=lambda s: s.process.gpu_instance_id,
    ),
)


_AMOUNTS: tuple[Field, ...] = (
    Field(
        name="mem",
        kind=Kind.BYTES,
        help="its GPU memory",
        example="mem>10G",
        number=lambda s: s.process.gpu_memory_bytes,
        of_memory=True,
    ),
    Field(
        name="share",
        kind=Kind.PERCENT,
        help="its memory, in percent of the card",
        example="share>50",
        number=_share,
        aliases=("mem%",),
        of_memory=True,
    ),
    Field(
        name="alloc",
        kind=Kind.BYTES,
        help="what its PyTorch tensors have; has:alloc finds the attached",
        example="alloc>10G",
        number=lambda s: allocated_bytes(s.process),
        aliases=("allocated",),
    ),
    Field(
        name="cached",
        kind=Kind.BYTES,
        help="what its PyTorch keeps free for itself",
        example="cached>5G",
        number=lambda s: cached_bytes(s.process),
    ),
    Field(
        name="reserved",
        kind=Kind.BYTES,
        help="what its PyTorch has from the driver",
        example="reserved>40G",
        number=_reserved,
    ),
    Field(
        name="other",
        kind=Kind.BYTES,
        help="its GPU memory that is not PyTorch's",
        example="other>2G",
        number=lambda s: s.process.not_torch_bytes,
    ),
    Field(
        name="rss",
        kind=Kind.BYTES,
        help="its host memory",
        example="rss>1T",
        number=lambda s: s.process.rss_bytes,
    ),
    Field(
        name="sm",
        kind=Kind.PERCENT,
        help="its share of the GPU's time",
        example="sm>=50",
        number=lambda s: s.process.sm_pct,
        aliases=("sm%",),
    ),
    Field(
        name="bw",
        kind=Kind.PERCENT,
        help="how busy it keeps the memory",
        example="bw>20",
        number=lambda s: s.process.memory_pct,
    ),
    Field(
        name="enc",
        kind=Kind.PERCENT,
        help="its encoder use",
        example="enc>0",
        number=lambda s: s.process.encoder_pct,
    ),
    Field(
        name="dec",
        kind=Kind.PERCENT,
        help="its decoder use",
        example="dec>0",
        number=lambda s: s.process.decoder_pct,
    ),
    Field(
        name="cpu",
        kind=Kind.PERCENT,
        help="its CPU use, 100 is one core",
        example="cpu<100",
        number=lambda s: s.process.cpu_pct,
        aliases=("cpu%",),
    ),
    Field(
        name="age",
        kind=Kind.AGE,
        help="how long it has run",
        example="age>2h",
        number=_age,
        aliases=("time",),
    ),
)


@cache
def fields() -> tuple[Field, ...]:
    """Give every field, in the order that the help lists them."""
    from dstop.view.filter.model_fields import AMOUNTS, TEXTS  # noqa: PLC0415 - they are made of what is here

    return (*_TEXTS, *TEXTS, *_INTEGERS, *_AMOUNTS, *AMOUNTS)


@cache
def by_name() -> Mapping[str, Field]:
    """Give the fields by every name that finds them."""
    return {name: field for field in fields() for name in (field.name, *field.aliases)}
