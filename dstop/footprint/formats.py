"""Number formats: what a tensor takes in each, with the scales that belong to it."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from dstop.errors import PlanError
from dstop.model.value import Value

ELEMENT_BYTES = {"fp32": 4.0, "bf16": 2.0, "fp16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.5}


def element_bytes(dtype: str, field: str) -> float:
    """Give the bytes of one element of a plain format.

    Raises:
        PlanError: the format is not known; `field` is named.
    """
    try:
        return ELEMENT_BYTES[dtype]
    except KeyError:
        raise PlanError(
            f"{field}: no format {dtype!r}", fix=f"use one of {', '.join(ELEMENT_BYTES)}"
        ) from None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Format(Value):
    """How the elements of a matrix are stored: their bits, and the scales of a block of them."""

    name: str
    bits: float
    """Of one element."""
    scale_bits: float = 0.0
    """Of all that is kept for one block: its scale, its zero point, its minimum."""
    block: tuple[int, int] = (1, 0)
    """Rows and columns that share a scale; 0: all of them."""
    tensor_bytes: int = 0
    """Kept once for the whole matrix."""

    def of(self, shape: tuple[int, ...]) -> float:
        """Give the bytes of one matrix (out, in), or of a vector as a matrix of one row."""
        size = prod(shape) * self.bits / 8
        if not self.scale_bits:
            return size + self.tensor_bytes
        rows, columns = (1, *shape)[-2:]
        high, wide = self.block[0] or rows, self.block[1] or columns
        return size + -(-rows // high) * -(-columns // wide) * self.scale_bits / 8 + self.tensor_bytes


def _gguf(name: str, block_bytes: int, elements: int) -> Format:
    """A block format of llama.cpp: so many bytes for so many elements, scales included (ggml-common.h)."""
    return Format(name=name, bits=8 * block_bytes / elements)


PLAIN = {name: Format(name=name, bits=8 * size) for name, size in ELEMENT_BYTES.items() if size > 1}
"""Formats without scales."""

GROUP = 128
"""Inputs that share a scale in AWQ and GPTQ files unless they say another: the default of both tools."""

MATRICES = {
    "fp8": Format(name="fp8", bits=8, scale_bits=32, block=(0, 0)),
    "int8": Format(name="int8", bits=8, scale_bits=32),
    "int4": Format(name="int4", bits=4, scale_bits=16 + 4, block=(1, GROUP)),
    "awq": Format(name="awq", bits=4, scale_bits=16 + 4, block=(1, GROUP)),
    "gptq": Format(name="gptq", bits=4, scale_bits=16 + 4, block=(1, GROUP)),
    "nf4": Format(name="nf4", bits=4, scale_bits=32, block=(1, 64), tensor_bytes=64),
    "nf4-dq": Format(name="nf4-dq", bits=4, scale_bits=8 + 32 / 256, block=(1, 64), tensor_bytes=1092),
    "mxfp4": Format(name="mxfp4", bits=4, scale_bits=8, block=(1, 32)),
    "nvfp4": Format(name="nvfp4", bits=4, scale_bits=8, block=(1, 16), tensor_bytes=8),
}
"""What the matrices of a quantized model are stored in; embedding, head, norms and routers keep 16 bits.

fp8: one fp32 scale a matrix (per tensor; a scale a channel adds 4 bytes a row). int8: LLM.int8 and W8A8, one fp32 scale
an output channel (Dettmers et al., arXiv 2208.07339). awq, gptq, int4: groups of 128 inputs, an fp16 scale and a 4-bit
zero point each (Frantar et al., arXiv 2210.17323; Lin et al., arXiv 2306.00978). nf4: blocks of 64, an fp32 maximum
each, 8 bits and fp32 per 256 blocks when quantized twice; the code table of 16 (and 256) values a matrix (Dettmers et
al., arXiv 2305.14314). mxfp4: an 8-bit exponent per 32 (OCP Microscaling 1.0). nvfp4: an fp8 scale per 16 and two fp32
a matrix (NVIDIA Transformer Engine)."""

GGUF = {
    form.name: form
    for form in (
        _gguf("q8_0", 34, 32),
        _gguf("q6_k", 210, 256),
        _gguf("q5_k", 176, 256),
        _gguf("q5_1", 24, 32),
        _gguf("q5_0", 22, 32),
        _gguf("q4_k", 144, 256),
        _gguf("q4_0", 18, 32),
    )
}
"""Block formats of llama.cpp: bytes and elements of a block (ggml-common.h, `block_q8_0` and its neighbours)."""


def average_format(bits: float) -> Format:
    """Give the format of a mixed file that is described by its average bits a parameter alone."""
    return Format(name=f"{bits:g}bpw", bits=bits)


def blocked(name: str, bits: float, scale_bits: float, block: tuple[int, int]) -> Format:
    """Give a format whose blocks are as a checkpoint says."""
    return Format(name=name, bits=bits, scale_bits=scale_bits, block=block)
