"""Which format each tensor of a model is in: by its role, its shape, and what the checkpoint or the user says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.errors import PlanError
from dstop.footprint.architecture.values import Experts, alike
from dstop.footprint.formats import GGUF, MATRICES, PLAIN, Format, average_format, blocked
from dstop.footprint.gguf import MIXES, gguf_format
from dstop.footprint.spec.choices import is_average
from dstop.model.value import Value

if TYPE_CHECKING:
    from dstop.footprint.architecture.values import Architecture, Quantization, Tensor

QUANTIZED = frozenset({"attention", "indexer", "mlp", "expert", "shared_expert"})
"""Roles whose matrices are quantized; embedding, head, norms, routers and positions are not, in every tool but
llama.cpp: AutoGPTQ, AutoAWQ, bitsandbytes (`modules_to_not_convert` begins with the head), compressed-tensors
(`ignore: [lm_head]`), and DeepSeek-V3's own files."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Scheme(Value):
    """The format of every tensor of one model."""

    name: str
    matrices: Format
    """Of the quantized matrices."""
    plain: Format
    """Of the rest, and of vectors."""
    experts: Format | None = None
    """Of routed experts where they differ."""
    skipped: tuple[str, ...] = ()
    """Modules that stay plain."""
    mix: str = ""
    """A mix of llama.cpp, which chooses by tensor and by layer."""
    eight_experts: bool = False
    """Whether there are eight experts a layer: the mixes of llama.cpp treat their attention apart."""
    everything: bool = False
    """Whether one average holds for all tensors."""

    @property
    def quantized(self) -> bool:
        """Whether matrices are in another format than the rest."""
        return self.matrices is not self.plain or self.experts is not None

    def of(self, tensor: Tensor, *, more: bool = False, tied: bool = False) -> Format:
        """Give the format of a tensor.

        Args:
            tensor: as the architecture has it, or as one rank holds it.
            more: whether its layer is one of those to which a mix of llama.cpp gives more bits.
            tied: whether the embedding is the head too.
        """
        if self.everything:
            return self.matrices
        if self.mix:
            return gguf_format(self.mix, tensor, more=more, tied=tied, eight=self.eight_experts)
        if tensor.dtype is not None and tensor.dtype in PLAIN:
            return PLAIN[tensor.dtype]
        if tensor.role not in QUANTIZED or len(tensor.shape) < 2 or (self.skipped and self._skips(tensor)):  # noqa: PLR2004 - vectors
            return self.plain
        if self.experts is not None and tensor.role == "expert":
            return self.experts
        return self.matrices

    def _skips(self, tensor: Tensor) -> bool:
        return any(tensor.name == name or tensor.name.endswith(f".{name}") for name in self.skipped)


def scheme_of(architecture: Architecture, weights: str) -> Scheme:
    """Give the formats that a value of the field `weights` stands for.

    Raises:
        PlanError: the format is not known.
    """
    said = architecture.quantization
    plain = PLAIN.get(architecture.dtype, PLAIN["bf16"])
    if weights == "native":
        return _native(said, plain) if said is not None else _plain(plain)
    if weights in PLAIN:
        return _plain(PLAIN[weights])
    if is_average(weights):
        return Scheme(
            name=weights, matrices=average_format(float(weights[:-3])), plain=plain, everything=True
        )
    if weights in MIXES or weights in GGUF:
        eight = any(
            isinstance(layer.feed_forward, Experts) and layer.feed_forward.routed == _EIGHT
            for layer, _ in alike(architecture.layers)
        )
        return Scheme(
            name=weights,
            matrices=GGUF[MIXES.get(weights, weights)],
            plain=plain,
            mix=weights,
            eight_experts=eight,
        )
    if weights not in MATRICES:
        raise PlanError(
            f"weights: no format {weights!r}",
            fix=f"use one of native, {', '.join((*PLAIN, *MATRICES, *MIXES, 'q8_0'))}, or bits such as 4.8bpw",
        )
    if plain.bits > 16:  # noqa: PLR2004 - what is not quantized is served in half precision
        plain = PLAIN["fp16" if weights in {"awq", "gptq"} else "bf16"]
    if said is not None and _same(said, weights):
        return _native(said, plain)
    return Scheme(name=weights, matrices=MATRICES[weights], plain=plain)


def _plain(form: Format) -> Scheme:
    return Scheme(name=form.name, matrices=form, plain=form)


def _same(said: Quantization, weights: str) -> bool:
    """Whether the checkpoint is already in the format that is asked for: then its own blocks hold."""
    if weights in {"fp8", "mxfp4", "nvfp4", "awq", "gptq"}:
        return said.method == weights
    return weights in {"int8", "int4"} and said.method in {"awq", "gptq"} and f"int{said.bits:g}" == weights


def _native(said: Quantization, plain: Format) -> Scheme:
    form = _stored(said)
    if said.experts_only:
        rest = _rest(said, plain)
        return Scheme(name=said.method, matrices=rest, plain=plain, experts=form, skipped=said.skipped)
    return Scheme(name=said.method, matrices=form, plain=plain, skipped=said.skipped)


def _rest(said: Quantization, plain: Format) -> Format:
    """The other matrices of a model of which the routed experts alone are in four bits."""
    if said.rest == "fp8" and said.block is not None:
        return blocked("fp8", 8, 32, said.block)
    if not said.rest:
        return plain
    return PLAIN.get(said.rest) or MATRICES.get(said.rest, plain)


def _stored(said: Quantization) -> Format:
    """Read `quantization_config` as a format: bits, and the block that shares a scale."""
    method, bits, group = said.method, said.bits, said.group
    named = method if method in {"mxfp4", "nvfp4"} else ""
    if method == "bitsandbytes":
        named = "int8" if bits >= _BYTE else "nf4-dq" if said.twice else "nf4"
    elif method == "compressed-tensors" and (bits, group) == _NVFP4:
        named = "nvfp4"
    if named:
        return MATRICES[named]
    if method == "fp8" and said.block is not None:
        return blocked("fp8", 8, 32, said.block)
    if method in {"gptq", "awq"}:
        return blocked(method, bits, 16 + bits, (1, group))
    if method == "compressed-tensors" and bits < _BYTE:
        return blocked(method, bits, 16 + (bits if said.zero_points else 0), (1, group))
    if bits >= _BYTE:  # fp8 or int8, a scale a channel
        return Format(name=method, bits=bits, scale_bits=32)
    raise PlanError(
        f"model: quantization method {method!r} with {bits:g} bits is not known",
        fix='say how the weights are stored: "weights": "int4", or their average such as "4.5bpw"',
    )


_EIGHT = 8
_BYTE = 8
"""Bits from which on weights are not packed."""
_NVFP4 = (4, 16)
"""Bits and group by which compressed-tensors' NVFP4 is known."""
