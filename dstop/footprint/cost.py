"""What a run would cost: arithmetic over floating-point operations, bandwidth and prices, never a promise of speed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from dstop.errors import PlanError
from dstop.footprint.architecture.values import Experts
from dstop.footprint.catalog.hardware import find_gpu
from dstop.footprint.estimate import estimate
from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Architecture
    from dstop.footprint.catalog.values import Gpu
    from dstop.footprint.spec.values import Spec
    from dstop.model.footprint import Fit

_Limit = Literal["compute", "bandwidth", ""]
MFU = 0.4
"""Share of a card's dense peak that training is taken to reach unless told: published runs are between 0.3 and 0.55
(PaLM 540B 0.462: Chowdhery et al., arXiv 2204.02311, table 3; Llama 3 405B 0.38 to 0.43: arXiv 2407.21783, table 4)."""
_FORWARD, _BACKWARD_INPUTS, _BACKWARD_WEIGHTS = 2, 2, 2
"""Floating-point operations a parameter and token: one multiplication and one addition each."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Cost(Value):
    """What a configuration comes to on one kind of card, if it runs as fast as is assumed."""

    gpu: str
    count: int
    price_per_hour: float | None
    tokens_per_second: float | None
    """Of the whole job. Training: at the assumed share of the peak; inference: generated, at most."""
    at_most: bool
    """Whether that is a bound, and hours and price are at least; else it is what the assumed share comes to."""
    limit: _Limit
    """What sets it; empty where it is not known."""
    hours: float | None
    tokens: float | None
    price: float | None
    """Of the run: hours times the price of an hour; inference: at least."""
    assumptions: tuple[str, ...]


def flops_per_token(spec: Spec) -> float:
    """Give the floating-point operations of one token: 2 a parameter forward, and 2 for each kind of gradient.

    Training: 6 x the parameters that a token passes through (Kaplan et al., arXiv 2001.08361, section 2.1; attention
    scores are left out, as there; embeddings are counted, which it leaves out). Full checkpointing computes forward
    twice: 8. Adapters need no gradients of the frozen weights: 4, and 6. Inference: 2.
    """
    each = _FORWARD
    if spec.phase == "training":
        each += _BACKWARD_INPUTS + (_BACKWARD_WEIGHTS if spec.lora is None else 0)
        each += _FORWARD if spec.checkpointing in {"full", "offload"} else 0
    return float(each * spec.architecture.active_parameters)


def cost_of(
    spec: Spec, fit: Fit, *, hours: float | None = None, tokens: float | None = None, mfu: float | None = None
) -> Cost:
    """Give what a run costs on a card that holds it.

    Args:
        spec: settled.
        fit: the card with its price.
        hours: how long it runs; the tokens follow.
        tokens: how many are trained on or generated; the hours follow, and win over `hours`.
        mfu: share of the peak in training; `MFU` unless said.

    Raises:
        PlanError: hours, tokens or the share are out of bounds.
    """
    _check(hours, tokens, mfu)
    gpu = find_gpu(fit.gpu)
    training = spec.phase == "training"
    share = mfu or MFU
    if training:
        speed, limit, says = _training_speed(spec, gpu, fit.count, share)
    else:
        speed, limit, says = _decoding_speed(spec, gpu, fit.count)
    if tokens is not None:
        hours = None if speed is None else tokens / speed / 3600
    elif hours is not None:
        tokens = None if speed is None else hours * 3600 * speed
    paid = None if hours is None or fit.price_per_hour is None else hours * fit.price_per_hour
    return Cost(
        gpu=fit.gpu,
        count=fit.count,
        price_per_hour=fit.price_per_hour,
        tokens_per_second=speed,
        at_most=not training,
        limit=limit,
        hours=hours,
        tokens=tokens,
        price=paid,
        assumptions=says,
    )


def _check(hours: float | None, tokens: float | None, mfu: float | None) -> None:
    if hours is not None and not 0 < hours <= 1e6:  # noqa: PLR2004 - a century
        raise PlanError(f"hours: {hours:g} is out of bounds", fix="above 0 and at most 1,000,000")
    if tokens is not None and not 0 < tokens <= 1e18:  # noqa: PLR2004 - more text than there is
        raise PlanError(f"tokens: {tokens:g} is out of bounds", fix="such as 20B; at most 1e18")
    if mfu is not None and not 0 < mfu <= 1:
        raise PlanError(f"mfu: {mfu:g} is no share", fix="above 0 and at most 1, such as 0.4")


def _training_speed(
    spec: Spec, gpu: Gpu, count: int, share: float
) -> tuple[float | None, _Limit, tuple[str, ...]]:
    peak = peak_flops(spec, gpu)
    dtype = computed_in(spec)
    if peak is None:
        return None, "", (f"no dense {dtype} figure of the {gpu.short} is known",)
    each = flops_per_token(spec)
    operations = each / spec.architecture.active_parameters
    says = (
        f"{share:.0%} of the dense {dtype} peak ({peak / 1e12:,.0f} TFLOPS a card)",
        f"{operations:.0f} operations a parameter and token; attention scores are left out",
    )
    return count * peak * share / each, "compute", says


def computed_in(spec: Spec) -> str:
    """Give the format of the multiplications: of autocast, else of the weights; 4-bit ones are unpacked."""
    said = spec.autocast or spec.weights
    if said in {None, "native"}:
        said = spec.architecture.dtype
    return str(said) if said in {"fp32", "fp16"} else "bf16"


def peak_flops(spec: Spec, gpu: Gpu) -> float | None:
    """Give the dense peak of a card in the format that the spec computes in, operations a second; None if not known.

    8-bit training and serving is counted at the 16-bit peak: how much of it runs in 8 bits nobody can say here.
    """
    dtype = computed_in(spec)
    if dtype == "fp32":
        return None
    known = gpu.fp16_tflops if dtype == "fp16" else gpu.bf16_tflops
    if known is None and dtype == "fp16":
        known = gpu.bf16_tflops  # the same units at the same rate on every card that has both
    return None if known is None else known * 1e12


def _decoding_speed(spec: Spec, gpu: Gpu, count: int) -> tuple[float | None, _Limit, tuple[str, ...]]:
    """Bound generation: each step reads the weights and the cache of all its sequences once, stage after stage.

    batch x replicas / sum over stages of (weights read + cache) / bandwidth; a step cannot be faster than its memory
    (Pope et al., arXiv 2211.05102, section 2). And not faster than 2 operations a parameter allow.
    """
    if gpu.bandwidth_gb_s is None:
        return None, "", (f"the bandwidth of the {gpu.short} is not known",)
    demand = estimate(replace(spec, gpu=None, gpu_bytes=None))
    read = weights_read(spec.architecture, spec.batch)
    seconds = sum(
        (rank.parts.weights_bytes * read + rank.parts.kv_cache_bytes) / (gpu.bandwidth_gb_s * 1e9)
        for rank in demand.ranks
    )
    speed = spec.batch * spec.parallel.dp / seconds
    rate = f"{gpu.bandwidth_gb_s:,.0f} GB/s"
    says = [f"an upper bound: each step reads {read:.0%} of the weights and the full cache at {rate}"]
    if spec.architecture.active_parameters < spec.architecture.total_parameters:
        says.append("tokens choose their experts evenly")
    peak = peak_flops(spec, gpu)
    if peak is not None and (most := count * peak / flops_per_token(spec)) < speed:
        return most, "compute", ("an upper bound: the card's dense peak",)
    return speed, "bandwidth", tuple(says)


def weights_read(architecture: Architecture, batch: int) -> float:
    """Give the share of the weights that one step of `batch` tokens reads, 0 to 1.

    Of an embedding that is not the head too a few rows are read. Of E experts of which each token takes k, evenly,
    1 - (1 - k/E)^batch are touched.
    """
    total = unread = 0.0
    if not architecture.tied:
        unread += sum(tensor.parameters for tensor in architecture.embedding)
    for layer in architecture.layers:
        block = layer.feed_forward
        if isinstance(block, Experts):
            held = sum(tensor.parameters for tensor in layer.tensors if tensor.role == "expert")
            unread += held * (1 - block.per_token / block.routed) ** batch
    total = architecture.total_parameters
    return (total - unread) / total


def parse_tokens(text: str) -> float:
    """Read a number of tokens: `20B`, `1.5T`, `300M`, `1e9`.

    Raises:
        PlanError: it is none.
    """
    cleaned = text.strip().replace(",", "").replace("_", "").upper()
    scale = {"K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}.get(cleaned[-1:], 1.0)
    number = cleaned[:-1] if scale != 1 else cleaned
    try:
        value = float(number)
    except ValueError:
        value = float("nan")
    if not 0 < value * scale <= 1e18 or len(cleaned) > 32:  # noqa: PLR2004 - more text than there is
        shown = "".join(char if char.isprintable() else "?" for char in text[:40])
        raise PlanError(f"tokens: {shown!r} is no number of tokens", fix="such as 20B, 300M or 1e9")
    return value * scale
