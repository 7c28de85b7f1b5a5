"""Verdicts about cards: by the band, for the largest rank, and how far each card goes is what the estimate says."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dstop.footprint.catalog.hardware import find_gpu
from dstop.footprint.catalog.models import find_model
from dstop.footprint.estimate import estimate
from dstop.footprint.fit import best_of, fits_of, judged, on_card, usual_gpus
from dstop.footprint.reach import GRAIN
from dstop.footprint.spec.parse import parse_spec

CASES = {
    "serve": {"phase": "inference", "batch": 4, "sequence": 2048},
    "train": {
        "phase": "training",
        "batch": 2,
        "sequence": 1024,
        "checkpointing": "full",
        "parallel": {"dp": 8, "zero": 3},
    },
    "pipeline": {"phase": "training", "sequence": 512, "parallel": {"pp": 3, "tp": 2}},
    "eager": {"phase": "inference", "attention": "eager", "sequence": 512},
}


def spec_of(name, **more):
    """Give the spec of a catalogued model."""
    return parse_spec(more, architecture=find_model(name))


def most(footprint):
    """Give the total of the largest rank."""
    return max(rank.parts.total_bytes for rank in footprint.ranks)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", ["L4", "A100-80", "B200"])
def test_a_card_goes_as_far_as_the_estimate_on_it(case, name):
    """The largest batch and the longest sequence fit when they are computed on the card, and one more does not."""
    spec, gpu = spec_of("qwen3-4b", **CASES[case]), find_gpu(name)
    (fit,) = fits_of(spec, [gpu])

    def total(**changed):
        return most(estimate(on_card(replace(spec, **changed), gpu)))

    if fit.max_batch:
        assert total(batch=fit.max_batch) <= gpu.usable_bytes
    assert total(batch=fit.max_batch + 1) > gpu.usable_bytes
    if fit.max_tokens:
        assert total(sequence=fit.max_tokens) <= gpu.usable_bytes
    if fit.max_tokens < spec.architecture.positions:
        assert total(sequence=fit.max_tokens + GRAIN) > gpu.usable_bytes


@pytest.mark.parametrize("case", CASES)
def test_more_never_takes_less(case):
    """The estimate grows with batch and sequence: a search for the most that fits has a meaning."""
    spec = spec_of("qwen3-4b", **CASES[case])
    batches = [most(estimate(replace(spec, batch=batch))) for batch in (1, 2, 3, 4, 7, 8, 16, 31, 64)]
    tokens = [
        most(estimate(replace(spec, sequence=count))) for count in (64, 100, 128, 500, 1024, 4096, 10_000)
    ]
    assert batches == sorted(batches)
    assert tokens == sorted(tokens)


def test_verdicts_follow_the_band():
    """Fits is the high end, tight the expected value alone, and headroom is what the card has less what is expected."""
    spec = spec_of("qwen3-4b")
    footprint = estimate(spec)
    for fit in fits_of(spec, usual_gpus()):
        expected = most(estimate(on_card(spec, find_gpu(fit.gpu))))
        high = footprint.per_gpu.high_bytes - footprint.per_gpu.parts.total_bytes + expected
        wanted = (
            "fits"
            if high <= fit.usable_bytes
            else "tight"
            if expected <= fit.usable_bytes
            else "does not fit"
        )
        assert fit.verdict == wanted
        assert fit.headroom_bytes == fit.usable_bytes - expected
        assert fit.usable_bytes < find_gpu(fit.gpu).memory_bytes


def test_the_largest_rank_decides_whichever_is_asked_about():
    """A plan of the first stage is no better a fit than that of the largest one."""
    asked = {"phase": "training", "sequence": 4096}
    first = spec_of("llama-3-8b", **asked, parallel={"pp": 4, "stage": "first"})
    largest = spec_of("llama-3-8b", **asked, parallel={"pp": 4})
    cards = [find_gpu("A100-80")]
    assert fits_of(first, cards) == fits_of(largest, cards)


def test_the_sequence_ends_at_the_models_positions():
    """A card with room for more does not promise a context that the model has not learned."""
    fits = fits_of(spec_of("llama-3-8b"), [find_gpu("B200")])
    assert fits[0].max_tokens == 8192


def test_what_holds_not_even_one_is_said_so():
    """A model whose weights are beyond the card has a largest batch and a longest sequence of nought."""
    (fit,) = fits_of(spec_of("deepseek-v3"), [find_gpu("H100-80")])
    assert (fit.fits, fit.max_batch, fit.max_tokens) == (False, 0, 0)
    assert fit.headroom_bytes < 0


@pytest.mark.parametrize("framework", ["vllm", "sglang"])
def test_an_engine_is_judged_by_its_pool(framework):
    """The most sequences at once times what each takes is within the pool of the card, and one more is beyond it."""
    spec = spec_of("llama-3-8b", framework=framework, batch=8, sequence=4096)
    gpu = find_gpu("A100-40")
    (fit,) = fits_of(spec, [gpu])
    pool = estimate(replace(on_card(spec, gpu), max_model_len=4096)).per_gpu.parts.kv_cache_bytes

    def taken(batch):
        return estimate(replace(spec, batch=batch)).per_gpu.parts.kv_cache_bytes

    assert taken(fit.max_batch) <= pool < taken(fit.max_batch + 1)
    assert fit.headroom_bytes == pool - taken(8)
    assert fit.verdict == "fits"


def test_an_engine_that_cannot_hold_one_sequence_does_not_start():
    """Where weights fit and the longest sequence does not, the verdict is that of the engine: it does not fit."""
    spec = spec_of("llama-3.1-8b", framework="vllm", sequence=4096, max_model_len=131072)
    fits = {fit.gpu: fit for fit in fits_of(spec, [find_gpu("L4"), find_gpu("H100-80")])}
    assert fits["L4"].verdict == "does not fit"
    assert 4096 <= fits["L4"].max_tokens < 131072
    assert fits["H100-80"].fits


def test_an_engine_whose_weights_are_beyond_the_card_has_no_pool():
    """It is short of at least what its weights are beyond the card."""
    (fit,) = fits_of(spec_of("llama-3-70b", framework="vllm"), [find_gpu("A100-80")])
    assert (fit.verdict, fit.max_batch, fit.max_tokens) == ("does not fit", 0, 0)
    assert fit.headroom_bytes < 0


def test_prices_are_of_servers_that_hold_what_tensor_parallelism_joins():
    """Eight cards under TP 8 are not priced as eight instances of one; without any price there is none."""
    spec = spec_of("llama-3-70b", parallel={"tp": 8})
    fits = {fit.gpu: fit for fit in judged(spec, [find_gpu("A100-80"), find_gpu("RTX 4090")])[1]}
    one = fits_of(spec_of("llama-3-8b"), [find_gpu("A100-80")])[0]
    assert fits["A100-80"].price_per_hour > one.price_per_hour
    assert fits["RTX 4090"].price_per_hour is None
    own = fits_of(spec, [find_gpu("RTX 4090")], {"RTX 4090": 0.5})
    assert own[0].price_per_hour == pytest.approx(4.0)


def test_the_best_card_is_the_smallest_that_fits():
    """Where none fits it is the one that is short of least."""
    fits = fits_of(spec_of("llama-3-8b"), usual_gpus())
    best = best_of(fits)
    assert best.verdict == "fits"
    assert all(best.usable_bytes <= fit.usable_bytes for fit in fits if fit.verdict == "fits")
    short = fits_of(spec_of("deepseek-v3"), usual_gpus())
    assert best_of(short).headroom_bytes == max(fit.headroom_bytes for fit in short)
    assert best_of(()) is None
