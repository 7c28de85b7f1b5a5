"""What cards cost an hour: the user's price wins, whole instances are rented, and what nobody has said is not known."""

from __future__ import annotations

import pytest

from dstop.errors import PlanError
from dstop.footprint.catalog.hardware import find_gpu, find_server, servers
from dstop.footprint.catalog.prices import own_prices, price_of


def test_the_users_price_of_a_card_counts_per_card():
    """`"A100-80" = 1.8` makes four of them 7.20, whatever instances cost."""
    price = price_of(find_gpu("A100-80"), 4, own_prices({"a100": 1.8}))
    assert price is not None
    assert price.per_hour == pytest.approx(7.2)
    assert price.source == "your price of one A100-80"


def test_whole_instances_are_rented():
    """Nine H100 take two instances of eight, and the price says which."""
    gpu = find_gpu("H100-80")
    one, nine = price_of(gpu, 8), price_of(gpu, 9)
    assert one is not None
    assert nine is not None
    assert nine.per_hour > one.per_hour
    assert "x " in nine.source


def test_the_cheapest_offer_is_taken():
    """No instance with enough of these cards costs less than the answer."""
    for server in servers():
        if server.price is None:
            continue
        price = price_of(find_gpu(server.gpu), server.count)
        assert price is not None
        assert price.per_hour <= server.price.per_hour + 1e-9


def test_the_users_price_of_an_instance_replaces_the_public_one():
    """A negotiated price of one instance is used for that one alone."""
    own = own_prices({"p5.48xlarge": 1.0})
    price = price_of(find_gpu("H100-80"), 8, own)
    assert price is not None
    assert price.per_hour == pytest.approx(1.0)
    assert price.source.startswith("p5.48xlarge, your price")


def test_a_card_without_a_price_has_none():
    """No price is invented for a card that no checked list has."""
    priced = {server.gpu for server in servers() if server.price is not None}
    for name in ("RTX 4090", "H20", "H800"):
        assert name not in priced
        assert price_of(find_gpu(name), 1) is None


def test_a_price_keeps_its_day():
    """What is shown says how old it is."""
    price = price_of(find_gpu("H100-80"), 1)
    assert price is not None
    assert price.as_of
    assert find_server("p5.4xlarge").price is not None


@pytest.mark.parametrize("value", ["1.8", None, True, -1, float("nan"), float("inf"), 1e9, [], {}])
def test_a_price_that_is_no_number_is_refused(value: object):
    """A price in quotes or below nought is a mistake, and the name is said."""
    with pytest.raises(PlanError, match="A100-80"):
        own_prices({"A100-80": value})


def test_a_price_of_something_unknown_is_refused():
    """A misspelt card would be a price that is silently not used."""
    with pytest.raises(PlanError, match="did you mean"):
        own_prices({"A100-81": 1.0})


def test_what_tensor_parallelism_joins_is_in_one_instance():
    """Four cards under TP 4 are no four instances of one card; TP 16 joins the largest that there are."""
    gpu = find_gpu("L4")
    single = find_server("g6.xlarge").price.per_hour
    assert price_of(gpu, 4, together=4).per_hour > 4 * single
    assert price_of(gpu, 2).per_hour > 2 * single
    assert price_of(find_gpu("H100-80"), 16, together=16) == price_of(find_gpu("H100-80"), 16, together=8)
