"""The widest moment of a layer in a pass without gradients."""

from __future__ import annotations

import pytest

from dstop.footprint.inference.passes import engine_pass, prompt_peak
from dstop.footprint.spec.values import Parallel
from dstop.footprint.stages import stages_of

HIDDEN, WIDTH = 256, 512
TABLE = 2 * 32
"""Cosines and sines of one token: of one sequence, for all."""


def _stage(spec):
    return stages_of(spec)[0]


def test_transformers_at_the_mlp(dense, serve):
    """Embeddings, input, residual, normed; gate, up and their product."""
    spec = serve(dense(), attention="flash")
    assert prompt_peak(spec, _stage(spec), 100, 100) == 100 * 2 * (4 * HIDDEN + 3 * WIDTH + TABLE)


def test_fp32_is_twice_as_wide(dense, serve):
    """What is computed in fp32 takes 4 bytes an element."""
    spec = serve(dense(), attention="flash", weights="fp32")
    assert prompt_peak(spec, _stage(spec), 100, 100) == 100 * 4 * (4 * HIDDEN + 3 * WIDTH + TABLE)


def test_eager_attention_grows_with_the_square(dense, serve):
    """8 heads x sequence scores: in bf16, copied to fp32, their softmax in fp32; and one mask."""
    eager = serve(dense(), attention="eager")
    base = 100 * 2 * (3 * HIDDEN + 3 * 8 * 32 + TABLE)
    assert prompt_peak(eager, _stage(eager), 100, 100) == base + 100 * 100 * (8 * 10 + 2)
    batch = serve(dense(), attention="eager", batch=2)
    base = 100 * 2 * (3 * HIDDEN + 3 * 8 * 32 + TABLE // 2)
    assert prompt_peak(batch, _stage(batch), 100, 50) == base + 100 * 50 * (8 * 10 + 2)


@pytest.mark.parametrize(("weights", "each"), [("bf16", 10), ("fp16", 8), ("fp32", 8)], ids=str)
def test_a_score_is_widest_in_bf16(dense, serve, weights, each):
    """In fp16 it is read by the softmax as it is, in fp32 it needs no cast."""
    spec = serve(dense(), attention="eager", weights=weights)
    size = 4 if weights == "fp32" else 2
    one, two = (prompt_peak(spec, _stage(spec), 1000, length) for length in (1000, 2000))
    assert two - one == 1000 * 1000 * (8 * each + size)


def test_a_matrix_is_unpacked_beside_the_product_alone(dense, serve):
    """A small one is in the shadow of gate and up, a large one is not."""
    spec = serve(dense(), attention="flash")
    without = prompt_peak(spec, _stage(spec), 100, 100)
    assert prompt_peak(spec, _stage(spec), 100, 100, unpacked=1000) == without
    beside = 100 * 2 * (5 * HIDDEN + WIDTH + TABLE / 3)
    assert prompt_peak(spec, _stage(spec), 100, 100, unpacked=10**6) == int(beside + 10**6)


@pytest.mark.parametrize("ways", [1, 2, 4], ids=str)
def test_engines_divide_the_width_alone(dense, serve, ways):
    """Residual, normed and output are whole on each rank."""
    spec = serve(dense(), framework="vllm", parallel=Parallel(tp=ways))
    assert engine_pass(spec, _stage(spec), 1000) == 1000 * 2 * (3 * HIDDEN + 3 * WIDTH // ways)


def test_engines_keep_two_buffers_for_the_chosen_pairs(latent, serve):
    """2 of 16 experts a token: gate and up with the last product in one, the first product in the other."""
    spec = serve(latent(), framework="vllm")
    moe = 2 * (3 * HIDDEN + 2 * (max(2 * 128, HIDDEN) + 128)) + 16 * (2 + 4)
    attention = 2 * (3 * HIDDEN + 4 * 8 * 24 + 8 * (16 + 16))
    assert engine_pass(spec, _stage(spec), 1000) == 1000 * max(moe, attention)
