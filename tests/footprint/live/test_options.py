"""The words of a command line, as programs read them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.footprint.live.options import count_of, options_of, share_of, truth_of, whole


def test_every_way_to_write_an_option_is_read():
    """Dashes or underscores, an equals sign or a space, one dash or two, Hydra's pairs, and the last one counts."""
    options = options_of(
        [
            "serve",
            "m",
            "--max-model-len=32k",
            "-tp",
            "8",
            "--gpu_memory_utilization",
            "0.5",
            "-tp",
            "4",
            "++model.path=x",
        ]
    )
    assert options[""] == ("serve", "m")
    assert count_of(options, ("max_model_len",)) == 32_000
    assert count_of(options, ("tensor_parallel_size", "tp")) == 4
    assert share_of(options, ("gpu_memory_utilization",)) == 0.5


def test_a_pair_after_an_option_is_its_value():
    """`--override a=b` is one option with a value, and `a=b` alone is a setting of its own."""
    assert options_of(["--override", "a=b"]) == {"override": ("a=b",)}
    assert options_of(["trainer.batch=2"]) == {"trainer.batch": ("2",)}


@pytest.mark.parametrize(
    ("text", "number"),
    [("8", 8), ("32k", 32_000), ("32K", 32_768), ("1.5K", 1536), ("1M", 2**20), ("25.6k", 25_600)],
    ids=["plain", "decimal", "binary", "fraction", "mega", "decimal-fraction"],
)
def test_counts_have_the_scales_that_vllm_has(text, number):
    """Small letters are decimal and capitals binary."""
    assert whole(text) == number


@pytest.mark.parametrize(
    "text", ["", "0", "-1", "1.5", "nan", "inf", "1e400", "k", "8 x", "x" * 40, "\uff19"],
    ids=["nothing", "nought", "negative", "half", "nan", "infinite", "huge", "scale", "words", "long", "fullwidth"],
)  # fmt: skip
def test_what_is_no_whole_number_above_nought_is_none(text):
    """A hostile number is not a count, and never an error."""
    assert whole(text) is None


def test_flags_say_yes_no_or_nothing():
    """A flag alone is yes, a word may say no, and a flag that is not named says nothing."""
    options = options_of(["--bf16", "--fp16", "False", "--no-sequence-parallel", "--last"])
    assert truth_of(options, ("bf16",)) is True
    assert truth_of(options, ("fp16",)) is False
    assert truth_of(options, ("sequence_parallel",)) is False
    assert truth_of(options, ("last",)) is True
    assert truth_of(options, ("tf32",)) is None


@given(st.lists(st.text(max_size=30), max_size=40))
def test_any_words_are_options_or_loose(words):
    """Nothing that a process may call itself breaks the reading."""
    options = options_of(words)
    assert sum(map(len, options.values())) <= len(words)
