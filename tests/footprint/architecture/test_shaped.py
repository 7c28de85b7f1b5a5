"""A size alone becomes a dense Llama of that size, and says that it was assumed."""

from __future__ import annotations

from math import log10

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.errors import PlanError
from dstop.footprint.architecture.shaped import llama_shaped, size_of
from dstop.footprint.architecture.values import Mlp


@given(st.floats(min_value=log10(20e6), max_value=13))
def test_it_has_the_parameters_that_were_asked_for(power: float):
    """Over six orders of magnitude the count is within 1 %."""
    parameters = 10**power
    assert llama_shaped(parameters).total_parameters == pytest.approx(parameters, rel=0.01)


@given(st.floats(min_value=8, max_value=12.5))
def test_it_is_shaped_like_a_llama(power: float):
    """Heads divide the hidden size, layers and hidden size grow together, the MLP is about 8/3 of the hidden size."""
    model = llama_shaped(10**power)
    layer = model.layers[0]
    assert layer.attention.heads * layer.attention.head_dim == model.hidden
    assert layer.attention.heads % layer.attention.kv_heads == 0
    assert isinstance(layer.feed_forward, Mlp)
    assert 1.5 < layer.feed_forward.width / model.hidden < 4
    assert 50 < model.hidden / len(model.layers) < 200


def test_larger_models_can_be_split_over_eight_cards():
    """Heads and key/value heads of the sizes that need it divide by 8."""
    for parameters in (7e9, 10e9, 34e9, 70e9, 100e9, 175e9, 671e9):
        attention = llama_shaped(parameters).layers[0].attention
        assert attention.heads % 8 == 0
        assert attention.kv_heads % 8 == 0


def test_it_says_what_it_is():
    """Nobody should take it for a model that exists."""
    assert llama_shaped(10e9).name == "Llama-shaped 10B"


@pytest.mark.parametrize("parameters", [0, -1, 1e6, 1e14, float("nan"), float("inf")])
def test_an_absurd_size_is_refused(parameters: float):
    """No model has 0 parameters, and none has 100 T."""
    with pytest.raises(PlanError, match="out of bounds"):
        llama_shaped(parameters)


@pytest.mark.parametrize(
    ("parameters", "text"), [(0.5e9, "500M"), (10e9, "10B"), (1.6e12, "1.6T"), (12, "12")]
)
def test_a_size_is_written_as_people_do(parameters: float, text: str):
    """500M, 10B, 1.6T."""
    assert size_of(parameters) == text
