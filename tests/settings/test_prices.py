"""Prices of the user: a table in the file, a list in a variable; what is no price is told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.errors import SettingsError
from dstop.settings import Settings, load, save

NAMES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=20)


def written(tmp_path, text):
    """Give the path of a configuration file."""
    path = tmp_path / "config.toml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_a_table_of_prices_is_read(tmp_path):
    """Cards with blanks in their names stand in quotes; whole numbers are prices too."""
    path = written(tmp_path, '[prices]\n"A100-80" = 1.8\n"RTX 4090" = 1\n')
    assert load(path, environ={}).prices == (("A100-80", 1.8), ("RTX 4090", 1.0))


def test_a_variable_names_prices():
    """DSTOP_PRICES has them as a list."""
    assert load(environ={"DSTOP_PRICES": "A100-80=1.8, H100=2.5"}).prices == (("A100-80", 1.8), ("H100", 2.5))


@pytest.mark.parametrize(
    "line",
    [
        "prices = 3",
        'prices = ["A100"]',
        'prices = {"A100" = "1.8"}',
        'prices = {"A100" = true}',
        'prices = {"A100" = -1}',
        'prices = {"A100" = nan}',
        'prices = {"A100" = 1e9}',
        'prices = {"" = 1}',
    ],
)
def test_what_is_no_price_is_told(tmp_path, line):
    """The complaint names the setting, and says what it must be."""
    with pytest.raises(SettingsError, match=r"prices must"):
        load(written(tmp_path, line), environ={})


@pytest.mark.parametrize("text", ["A100", "A100=", "A100=x", "=1"])
def test_a_variable_without_prices_is_told(text):
    """A list that is none names its variable."""
    with pytest.raises(SettingsError, match="DSTOP_PRICES"):
        load(environ={"DSTOP_PRICES": text})


@given(st.dictionaries(NAMES, st.floats(0, 100_000), max_size=5))
def test_prices_survive_being_saved(tmp_path_factory, prices):
    """Names with quotes, equal signs and dots come back as they were."""
    path = str(tmp_path_factory.getbasetemp() / "prices" / "config.toml")
    settings = Settings(prices=tuple(sorted(prices.items())))
    save(settings, path)
    assert load(path, environ={}) == settings
