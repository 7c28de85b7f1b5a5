"""The widest moment of a layer in a pass without gradients."""

from __future__ import annotations

import pytest

from dstop.footprint.inference.passes import engine_pass, transformers_pass
from dstop.footprint.spec.values import Parallel
from dstop.footprint.stages import stages_of

HIDDEN, WIDTH = 256, 512


def _stage(spec):
    return stages_of(spec)[0]


def test_transformers_at_the_mlp(dense, serve):
    """Embeddings, input, residual, normed; gate, up and their product."""
    spec = serve(dense(), attention="flash")
    assert transformers_pass(spec, _stage(spec), 100, 100) == 100 * 2 * (4 * HIDDEN + 3 * WIDTH)


def test_fp32_is_twice_as_wide(dense, serve):
    """What is computed in fp32 takes 4 bytes an element."""
    spec = serve(dense(), attention="flash", weights="fp32")
    assert transformers_pass(spec, _stage(spec), 100, 100) == 100 * 4 * (4 * HIDDEN + 3 * WIDTH)


def test_eager_attention_grows_with_the_square(dense, serve):
    """8 heads x sequence scores in 16 bits, in fp32, and in 16 bits again; each sequence has its own."""
    eager = serve(dense(), attention="eager")
    base = 100 * 2 * (3 * HIDDEN + 8 * 32 + 4 * 32 + 8 * 32 * 3)
    assert transformers_pass(eager, _stage(eager), 100, 100) == base + 100 * 8 * 100 * 8
    assert transformers_pass(eager, _stage(eager), 100, 50) == max(
        base + 100 * 8 * 50 * 8, 100 * 2 * (4 * HIDDEN + 3 * WIDTH)
    )


def test_a_matrix_is_unpacked_beside_the_product_alone(dense, serve):
    """A small one is in the shadow of gate and up, a large one is not."""
    spec = serve(dense(), attention="flash")
    without = transformers_pass(spec, _stage(spec), 100, 100)
    assert transformers_pass(spec, _stage(spec), 100, 100, unpacked=1000) == without
    beside = 100 * 2 * (5 * HIDDEN + WIDTH)
    assert transformers_pass(spec, _stage(spec), 100, 100, unpacked=10**6) == beside + 10**6


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
