"""The catalog of models: totals are the published ones, and names are found as people write them."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal

import pytest

from dstop.errors import PlanError
from dstop.footprint.catalog.models import find_model, model_names

ENTRIES = {entry.name: entry for entry in model_names()}
PLANNED = [name for name, entry in ENTRIES.items() if not entry.refused]
MIXTURES = [name for name in PLANNED if ENTRIES[name].published_active]
UNITS = {"M": 10**6, "B": 10**9, "T": 10**12}

COMPUTED = {
    "DeepSeek-LLM-7B": "6.910",
    "DeepSeek-LLM-67B": "67.425",
    "DeepSeek-Coder-1.3B": "1.3465",
    "DeepSeek-Coder-6.7B": "6.7405",
    "DeepSeek-Coder-33B": "33.343",
    "DeepSeek-MoE-16B": "16.376",
    "DeepSeek-V2-Lite": "15.706",
    "DeepSeek-Coder-V2-Lite": "15.706",
    "DeepSeek-V2": "235.741",
    "DeepSeek-V2.5": "235.741",
    "DeepSeek-V3": "671.026",
    "DeepSeek-R1": "671.026",
    "DeepSeek-V3.2": "671.878",
    "DeepSeek-R1-Distill-Qwen-1.5B": "1.777",
    "DeepSeek-R1-Distill-Qwen-7B": "7.616",
    "DeepSeek-R1-Distill-Qwen-14B": "14.770",
    "DeepSeek-R1-Distill-Qwen-32B": "32.764",
    "DeepSeek-R1-Distill-Llama-8B": "8.030",
    "DeepSeek-R1-Distill-Llama-70B": "70.554",
    "DeepSeek-R1-0528-Qwen3-8B": "8.191",
    "DeepSeek-V4-Flash": "284.332",
    "DeepSeek-V4-Pro": "1572.997",
    "Moonlight-16B-A3B": "15.960",
    "Kimi-K2": "1026.4",
}
"""Billions, computed from shapes apart from this program."""


def as_published(value: int, published: str) -> bool:
    """Whether a count rounds, or is cut, to the digits that were published."""
    said = Decimal(published[:-1])
    size = Decimal(value) / UNITS[published[-1]]
    return said in {size.quantize(said, rounding=how) for how in (ROUND_HALF_EVEN, ROUND_DOWN)}


@pytest.mark.parametrize("name", PLANNED)
def test_total_is_the_published_one(name: str) -> None:
    """The total parameters of each model are the published ones, to the digits that were published."""
    assert as_published(ENTRIES[name].total_parameters, ENTRIES[name].published)


@pytest.mark.parametrize("name", COMPUTED)
def test_total_is_that_of_the_research(name: str) -> None:
    """Totals that were computed from shapes elsewhere are met to each of their digits."""
    assert as_published(ENTRIES[name].total_parameters, f"{COMPUTED[name]}B")


@pytest.mark.parametrize("name", MIXTURES)
def test_active_parameters_are_the_published_ones(name: str) -> None:
    """Active parameters are the published ones in one of three counts: all, without embedding, without head too."""
    entry, model = ENTRIES[name], find_model(name)
    embedding = sum(tensor.parameters for tensor in model.embedding)
    head = sum(tensor.parameters for tensor in model.output)
    active = entry.active_parameters
    counts = (active, active - embedding, active - embedding - head)
    assert any(as_published(count, entry.published_active) for count in counts)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_entry_says_where_it_is_from(name: str) -> None:
    """Each entry has a source, and a refused one the reason."""
    assert ENTRIES[name].source
    if ENTRIES[name].refused:
        with pytest.raises(PlanError, match=ENTRIES[name].refused.split("(")[0]):
            find_model(name)


def test_no_two_entries_have_a_name_in_common() -> None:
    """A name or an alias is that of one entry."""
    names = [
        name.casefold() for entry in ENTRIES.values() for name in {entry.name.casefold(), *entry.aliases}
    ]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("deepseek-ai/DeepSeek-V3", "DeepSeek-V3"),
        ("deepseek-r1-distill-qwen-7b", "DeepSeek-R1-Distill-Qwen-7B"),
        ("meta-llama/Meta-Llama-3.1-8B-Instruct", "Llama-3.1-8B"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "Qwen3-30B-A3B"),
        ("llama3.1:8b", "Llama-3.1-8B"),
        ("GPT2-XL", "GPT-2-XL"),
        ("deepseek-ai/deepseek-llm-7b-chat", "DeepSeek-LLM-7B"),
        ("deepseek-ai/DeepSeek-V3.1-Base", "DeepSeek-V3.1"),
        ("mistralai/Mistral-Small-24B-Instruct-2501", "Mistral-Small-24B"),
    ],
)
def test_names_are_found_as_people_write_them(asked: str, found: str) -> None:
    """Organizations, case, and ends that change no shape do not matter."""
    assert find_model(asked).name == found


@pytest.mark.parametrize(
    "asked", ["", "/", "zzz", "deepseek-v9", "x" * 10_000, "\x1b[2J", "]]", '"', "-chat-chat"]
)
def test_unknown_names_are_refused(asked: str) -> None:
    """A name that is not there is refused on one line without control characters."""
    with pytest.raises(PlanError) as caught:
        find_model(asked)
    assert str(caught.value).isprintable()


def test_nearest_names_are_given() -> None:
    """A misspelt name is answered with what it may have been."""
    with pytest.raises(PlanError, match=r"did you mean .*DeepSeek-V3"):
        find_model("deepsek-v3")


def test_what_is_not_verified_is_said() -> None:
    """The catalog's doubts about V4-Pro go with the architecture."""
    assert "not verified" in find_model("deepseek-v4-pro").notes[0]
