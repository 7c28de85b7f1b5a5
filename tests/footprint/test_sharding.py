"""One rank's part of a tensor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.footprint.architecture.values import Tensor
from dstop.footprint.sharding import held, shard
from dstop.footprint.spec.values import Parallel


@pytest.mark.parametrize(
    ("split", "shape", "local"),
    [
        ("column", (64, 32), (16, 32)),
        ("row", (64, 32), (64, 8)),
        ("vocab", (1001, 32), (251, 32)),
        ("none", (64, 32), (64, 32)),
        ("row", (64,), (64,)),
        ("column", (64,), (16,)),
    ],
    ids=["column", "row", "vocab", "none", "row bias", "column bias"],
)
def test_four_ranks(split, shape, local):
    """Columns divide the output, rows the input; a bias after a row split is whole."""
    tensor = Tensor(name="x", shape=shape, role="mlp", split=split)
    assert held(tensor, Parallel(tp=4)) == (1, local)


@pytest.mark.parametrize(("ways", "rows"), [(1, 256), (2, 128), (4, 64), (8, 64)], ids=str)
def test_each_rank_has_at_least_one_key_value_head(ways, rows):
    """4 heads over 8 ranks: each head is on two of them."""
    tensor = Tensor(name="k_proj", shape=(256, 512), role="attention", split="kv", heads=4)
    assert held(tensor, Parallel(tp=ways)) == (1, (rows, 512))


def test_experts_are_divided_by_count_and_their_matrices_by_etp():
    """16 experts over ep 4 and etp 2."""
    tensor = Tensor(name="up_proj", shape=(128, 64), role="expert", split="column", count=16)
    assert held(tensor, Parallel(tp=2, dp=4, ep=4, etp=2)) == (4, (64, 64))
    assert held(tensor, Parallel(tp=2)) == (16, (64, 64))


def test_a_whole_tensor_is_not_copied():
    """The same object, so that a search does not make thousands."""
    tensor = Tensor(name="norm", shape=(64,), role="norm")
    assert shard(tensor, Parallel(tp=8)) is tensor


@given(
    st.sampled_from(["column", "row", "vocab"]), st.integers(1, 16), st.integers(1, 500), st.integers(1, 500)
)
def test_ranks_together_hold_the_whole(split, ways, rows, columns):
    """No split loses an element: so many times the largest part is at least the whole."""
    tensor = Tensor(name="x", shape=(rows, columns), role="mlp", split=split)
    assert ways * shard(tensor, Parallel(tp=ways)).parameters >= tensor.parameters
