"""What a model should need on its GPUs, part by part: plain values, made by `dstop.footprint`, drawn by every face."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from dstop.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Mapping

Phase = Literal["training", "inference"]

PARTS = (
    "weights",
    "gradients",
    "optimizer",
    "activations",
    "logits",
    "kv_cache",
    "workspace",
    "reserved_unallocated",
    "context",
)
"""The parts in the order in which every face names them; each is a field `<part>_bytes` of `Parts`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Parts(Value):
    """Bytes on one GPU at the peak, by what they are for. The sum is what nvidia-smi shows."""

    weights_bytes: int = 0
    gradients_bytes: int = 0
    optimizer_bytes: int = 0
    """Moments and, where there is one, the fp32 master copy of the weights."""
    activations_bytes: int = 0
    """What the forward pass keeps, and what one layer needs while it is computed."""
    logits_bytes: int = 0
    """Logits, their copies and gradients, where they are part of the peak."""
    kv_cache_bytes: int = 0
    workspace_bytes: int = 0
    """Temporaries inside the allocator: gathered shards, the optimizer's own, library workspaces."""
    reserved_unallocated_bytes: int = 0
    """What the allocator holds beyond the most it has handed out: rounding and fragmentation."""
    context_bytes: int = 0
    """Outside the allocator: CUDA context, NCCL, what the driver keeps."""

    @property
    def static_bytes(self) -> int:
        """What does not come and go with a step."""
        return self.weights_bytes + self.gradients_bytes + self.optimizer_bytes

    @property
    def allocated_bytes(self) -> int:
        """The most that the allocator has handed out at once."""
        return self.reserved_bytes - self.reserved_unallocated_bytes

    @property
    def reserved_bytes(self) -> int:
        """What the allocator has taken from the driver."""
        return self.total_bytes - self.context_bytes

    @property
    def total_bytes(self) -> int:
        """What the driver counts for the process."""
        return sum(self.by_part().values())

    def by_part(self) -> dict[str, int]:
        """Give the bytes of each of `PARTS`, in their order."""
        return {part: getattr(self, f"{part}_bytes") for part in PARTS}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Assumption(Value):
    """One thing that was not said and had to be taken, or a limit of the arithmetic; and where it is from."""

    subject: str
    """A field of the SPEC, or a part."""
    says: str
    """One sentence for people."""
    source: str
    """`default`, `config`, `engine`, `catalog`, `measured`, or a reference such as `arXiv 2205.05198`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class RankFootprint(Value):
    """What each GPU of one pipeline stage should hold. All ranks of a stage are alike."""

    stage: int
    """From 0; 0 where there is no pipeline."""
    gpus: int
    """How many GPUs hold this stage."""
    layers: int
    """How many transformer layers are on it."""
    parameters: int
    """Parameters that one of its GPUs holds between steps."""
    parts: Parts
    low_bytes: int
    """Of the total; low <= expected <= high."""
    high_bytes: int
    peak_at: str = ""
    """Where the peak is: `end of forward`, `backward`, `optimizer step`, `prefill`, `serving`."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Footprint(Value):
    """What one configuration should need: the whole answer of `dstop.footprint.estimate`."""

    model: str
    phase: Phase
    total_parameters: int
    active_parameters: int
    """Parameters that one token passes through."""
    ranks: tuple[RankFootprint, ...]
    """One per pipeline stage, first to last."""
    chosen: int
    """Which of `ranks` the user asked about; the one with the largest total unless said."""
    gpus: int
    """GPUs of the whole job: tp x pp x dp x cp."""
    kv_bytes_per_token: float
    """On one GPU, all its layers: the slope for long contexts. 0 in training."""
    checkpoint_bytes: int | None
    """The weight files as published or as they would be saved; None when unknown."""
    assumptions: tuple[Assumption, ...]

    @property
    def per_gpu(self) -> RankFootprint:
        """The rank that is asked about."""
        return self.ranks[self.chosen]


Verdict = Literal["fits", "tight", "does not fit"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Fit(Value):
    """Whether one kind of GPU would hold a configuration, and how far it would go."""

    gpu: str
    count: int
    """How many such GPUs the configuration takes."""
    usable_bytes: int
    """What a process can have of one, after what the driver keeps."""
    verdict: Verdict
    """`fits`: also the high end of the band; `tight`: the expected value does, the high end does not."""
    headroom_bytes: int
    """Usable minus expected; negative when short."""
    max_batch: int | None = None
    """Most sequences a replica can have at this sequence length; 0 when none fits; None when it has no bearing."""
    max_tokens: int | None = None
    """Longest sequence at this batch, by memory (to 16 tokens) and the model's own limit; 0 when none fits."""
    price_per_hour: float | None = None
    """For all `count` GPUs, in the currency of the price list; None when no price is known."""

    @property
    def fits(self) -> bool:
        """Whether the expected value fits."""
        return self.verdict != "does not fit"


TOTALS = ("step", "allocated", "reserved", "total")
"""What is compared beside the parts: what comes and goes with a step, in one sum (gradients too, where they do); what
the allocator had handed out at its peak; what it has from the driver; and what the driver counts for the process."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PartComparison(Value):
    """One of `PARTS` or `TOTALS`, expected and live."""

    part: str
    expected_bytes: int | None
    """None with `reason` where it depends on what nobody has said."""
    live_bytes: int | None
    """None with `reason` where nothing live says it."""
    reason: str = ""

    @property
    def difference_bytes(self) -> int | None:
        """Live minus expected; None unless both are known."""
        if self.expected_bytes is None or self.live_bytes is None:
            return None
        return self.live_bytes - self.expected_bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Cause(Value):
    """One explanation of a difference between live and expected."""

    name: str
    """`expanded_mla_cache`, `fp32_states`, `no_checkpointing`, `logits_spike`, `communicators`, `fragmentation`, ..."""
    says: str
    """One sentence with its arithmetic."""
    bytes: int
    """What it would explain: negative where it is why less is held than expected."""
    confidence: Literal["certain", "likely", "possible"]
    """`certain`: measured in the process; `likely`: its arithmetic alone meets the remainder; `possible`: others do."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Expectation(Value):
    """What one live process should hold on one GPU, how we came to know what it is, and how it compares."""

    model: str
    tier: str | None = None
    """The tier of the sizing guide whose range of sizes it is in, if any."""
    sources: Mapping[str, str]
    """Field of the SPEC -> where it is from: `hook`, `engine log`, `command line`, `environment`, `config.json`,
    `catalog`, `user`, `default`."""
    footprint: Footprint | None = None
    """None where only a tier is known: then the range is the guide's."""
    rank: RankFootprint | None = None
    """The rank that this process is; None as above."""
    unknown: Mapping[str, str] = field(default_factory=dict)
    """Part -> why nobody can say what it should be: such as activations without a batch size."""
    low_bytes: int
    """Of the total, or of the parts that are known."""
    expected_bytes: int | None
    """The same; None where there is only a range."""
    high_bytes: int | None
    """None where a part is unknown: then what is expected is only a floor."""
    parts: tuple[PartComparison, ...] = ()
    """Those of `PARTS` that are not nought on both sides, then `TOTALS`."""
    remainder_bytes: int | None = None
    """Live minus expected total; None where one of them is not known."""
    causes: tuple[Cause, ...] = ()
    """What the remainder may be, the likeliest first; empty when the total is within the band."""
    unexplained_bytes: int | None = None
    """Of the remainder, what no cause meets; None when the total is within the band, or nothing is to be explained."""

    @property
    def is_floor(self) -> bool:
        """Whether some part is unknown, so that more than expected is no surprise."""
        return bool(self.unknown)

    @property
    def excess_bytes(self) -> int | None:
        """Live minus expected, where the whole of it is expected; below nought where less is held."""
        return None if self.is_floor else self.remainder_bytes

    @property
    def verdict(self) -> Literal["within", "above", "below", "unknown"]:
        """Where the live total lies: the band is the measure, not the expected value."""
        live = next((each.live_bytes for each in self.parts if each.part == "total"), None)
        if live is None:
            return "unknown"
        if live < self.low_bytes:
            return "below"
        if self.high_bytes is not None and live > self.high_bytes:
            return "above"
        return "within"
