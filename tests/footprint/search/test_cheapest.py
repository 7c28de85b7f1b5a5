"""What a search gives fits, is the cheapest of what it looked at, and is the same each time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dstop.footprint.catalog.hardware import find_gpu
from dstop.footprint.catalog.models import find_model
from dstop.footprint.estimate import estimate
from dstop.footprint.fit import fits_of, on_card, usual_gpus
from dstop.footprint.search.cheapest import KEPT, search
from dstop.footprint.search.layouts import layouts
from dstop.footprint.spec.parse import parse_spec

CASES = {
    "serve": ("llama-3-70b", {"sequence": 8192}),
    "engine": ("llama-3-8b", {"framework": "vllm", "batch": 16}),
    "train": ("llama-3-8b", {"phase": "training"}),
    "mixture": ("qwen3-30b-a3b", {"phase": "training"}),
    "adapters": ("llama-3-70b", {"phase": "training", "lora": {"rank": 16, "base": "nf4"}}),
}


def spec_of(name, **more):
    """Give the spec of a catalogued model."""
    return parse_spec(more, architecture=find_model(name))


@pytest.mark.parametrize("case", CASES)
def test_what_is_found_fits_on_its_card(case):
    """Each answer, judged by itself on its card, fits up to the high end of its band."""
    name, more = CASES[case]
    searched = search(spec_of(name, **more), usual_gpus())
    assert 0 < len(searched.found) <= KEPT
    for found in searched.found:
        (fit,) = fits_of(found.spec, [find_gpu(found.gpu)])
        assert fit.verdict == "fits"
        assert (fit.count, fit.price_per_hour) == (found.count, found.fit.price_per_hour)


@pytest.mark.parametrize("case", CASES)
def test_the_cheapest_comes_first(case):
    """Prices rise, and those that nobody knows come last, by their count."""
    name, more = CASES[case]
    found = search(spec_of(name, **more), usual_gpus()).found
    prices = [one.price.per_hour for one in found if one.price is not None]
    assert prices == sorted(prices)
    unpriced = [one.count for one in found if one.price is None]
    assert [one.price is None for one in found] == [False] * len(prices) + [True] * len(unpriced)
    assert unpriced == sorted(unpriced)


def test_it_is_the_same_each_time():
    """Two searches give the same answers in the same order, after the same work."""
    spec = spec_of("qwen3-30b-a3b", phase="training")
    assert search(spec, usual_gpus()) == search(spec, usual_gpus())


@pytest.mark.parametrize("model", ["llama-3-8b", "qwen3-30b-a3b", "llama-3-70b"])
@pytest.mark.parametrize("name", ["A100-80", "L40S"])
@pytest.mark.parametrize(
    "more", [{"phase": "training", "batch": 2}, {"phase": "inference", "weights": "bf16"}]
)
def test_nothing_less_would_have_done(model, name, more):
    """Every layout of fewer cards, and every less intrusive one of as many, is computed: none of them fits."""
    spec, gpu = spec_of(model, **more), find_gpu(name)
    (found,) = search(spec, [gpu], said={"weights"}).found
    count = 1
    while count < found.count:
        assert not any(_fits(each.of(spec), gpu) for each in layouts(spec, count, 8, ()))
        count *= 2
    for each in layouts(spec, count, 8, ()):
        laid = each.of(spec)
        if (laid.parallel, laid.checkpointing) == (found.spec.parallel, found.spec.checkpointing):
            return
        assert not _fits(laid, gpu)
    pytest.fail("the layout that was found is none of those that there are")


def _fits(spec, gpu):
    footprint = estimate(on_card(replace(spec, gpu=None, gpu_bytes=None), gpu))
    return max(rank.high_bytes for rank in footprint.ranks) <= gpu.usable_bytes


def test_a_card_without_fp8_is_not_offered_fp8():
    """A100 and A10 compute nothing in 8-bit floats."""
    searched = search(spec_of("llama-3-70b"), [find_gpu("A100-80"), find_gpu("A10"), find_gpu("H100-80")])
    for found in searched.found:
        if found.spec.weights == "fp8":
            assert found.gpu == "H100-80"
    assert any(found.spec.weights != "native" for found in searched.found)


def test_weights_that_were_asked_for_stay():
    """Who says bf16 gets no int4, however much cheaper."""
    searched = search(spec_of("llama-3-70b", weights="bf16"), usual_gpus(), said={"weights"})
    assert {found.spec.weights for found in searched.found} == {"bf16"}


@pytest.mark.parametrize("count", [4, 6])
def test_who_has_so_many_cards_is_answered_for_those(count):
    """With a number of cards each answer takes all of them, and the sentence says so."""
    searched = search(spec_of("llama-3-8b", phase="training"), usual_gpus(), count=count)
    assert searched.found
    assert (
        {one.count for one in searched.found} == {one.spec.parallel.gpus for one in searched.found} == {count}
    )
    assert f"{count} of each" in searched.says


def test_the_users_price_decides():
    """A card that costs the user nearly nothing is the answer."""
    own = {"H200": 0.001}
    searched = search(spec_of("llama-3-8b"), usual_gpus(), own)
    assert searched.found[0].gpu == "H200"


def test_what_no_card_holds_is_not_found():
    """A sequence that 1024 cards cannot serve gives no answer, and says what was looked at."""
    spec = spec_of("llama-3-70b", sequence=900_000_000, attention="eager")
    searched = search(spec, [find_gpu("L4")], said={"weights"})
    assert searched.found == ()
    assert "1 kind" in searched.says


def test_one_answer_leaves_the_weights_as_they_are():
    """However much cheaper lighter weights are, who wants none of them is answered too."""
    found = search(spec_of("llama-3-70b", framework="vllm"), usual_gpus()).found
    assert found[0].changes
    assert [one.changes for one in found].count(()) >= 1
    prices = [one.price.per_hour for one in found]
    assert prices == sorted(prices)


def test_no_card_is_listed_for_weights_that_lose_more_at_the_same_price():
    """Of one card and price there is one answer: the format that loses least."""
    found = search(spec_of("llama-3-70b", framework="vllm"), usual_gpus()).found
    offers = [(one.gpu, one.price.per_hour) for one in found]
    assert len(set(offers)) == len(offers)


def test_cards_that_do_not_compute_in_bf16_are_left_out():
    """A T4 and a V100 have no bf16: a model in it is not planned on them, in fp16 it is."""
    cards = [find_gpu("T4"), find_gpu("V100-32")]
    assert search(spec_of("qwen3-0.6b"), cards).found == ()
    assert search(spec_of("qwen3-0.6b", weights="fp16"), cards, said={"weights"}).found
