"""Each format's bytes, scales included, are what its definition says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.errors import PlanError
from dstop.footprint.formats import GGUF, MATRICES, PLAIN, average_format, blocked, element_bytes

SHAPE = (4096, 14336)
ELEMENTS = 4096 * 14336


@pytest.mark.parametrize(
    ("name", "bytes_each"),
    [
        ("int8", 1 + 4 / 14336),
        ("awq", 0.5 + 2.5 / 128),
        ("gptq", 0.5 + 2.5 / 128),
        ("mxfp4", 0.53125),
    ],
    ids=["int8", "awq", "gptq", "mxfp4"],
)
def test_a_matrix_takes_its_elements_and_their_scales(name, bytes_each):
    """Bytes an element, as the papers give them."""
    assert MATRICES[name].of(SHAPE) == pytest.approx(bytes_each * ELEMENTS)


@pytest.mark.parametrize(
    ("name", "bytes_each", "once"), [("nf4", 0.5625, 64), ("nvfp4", 0.5625, 8), ("fp8", 1, 4)], ids=str
)
def test_some_formats_keep_a_little_once_a_matrix(name, bytes_each, once):
    """A code table, a global scale: not worth much, but counted."""
    assert MATRICES[name].of(SHAPE) == pytest.approx(bytes_each * ELEMENTS + once)


def test_a_second_quantization_of_the_scales_saves_what_qlora_says():
    """0.127 bits a parameter instead of 0.5: the figure of arXiv 2305.14314, section 3."""
    bits = 8 * MATRICES["nf4-dq"].of((4096, 4096)) / 4096**2 - 4
    assert bits == pytest.approx(0.127, abs=0.001)


def test_deepseek_blocks_have_a_scale_for_128_by_128():
    """A part of a block has a scale of its own."""
    form = blocked("fp8", 8, 32, (128, 128))
    assert form.of((256, 384)) == 256 * 384 + 4 * 2 * 3
    assert form.of((130, 100)) == 130 * 100 + 4 * 2 * 1


@pytest.mark.parametrize(
    ("name", "bits"),
    [("q8_0", 8.5), ("q6_k", 6.5625), ("q5_k", 5.5), ("q4_k", 4.5), ("q4_0", 4.5)],
    ids=str,
)
def test_block_formats_of_llama_cpp(name, bits):
    """The bits a weight that llama.cpp prints for each."""
    assert GGUF[name].bits == bits


def test_plain_formats_have_no_scales():
    """A 16-bit matrix is two bytes an element, a vector too."""
    assert PLAIN["bf16"].of((3, 5)) == 30
    assert PLAIN["fp32"].of((5,)) == 20


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from(sorted(MATRICES)))
def test_no_format_is_smaller_than_its_elements(rows, columns, name):
    """Scales only ever add, and never more than the smallest block's worth."""
    form = MATRICES[name]
    least = rows * columns * form.bits / 8
    assert (
        least <= form.of((rows, columns)) <= least + rows * columns * form.scale_bits / 8 + form.tensor_bytes
    )


def test_an_average_holds_for_every_parameter():
    """A mixed file of 5.67 bits a weight."""
    assert average_format(5.67).of((1000, 1000)) == pytest.approx(708_750)


def test_an_unknown_format_is_refused_by_the_name_of_its_field():
    """The message names the field and what would be taken."""
    with pytest.raises(PlanError, match="gradients: no format 'fp7'"):
        element_bytes("fp7", "gradients")
