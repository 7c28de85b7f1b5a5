"""vLLM's and SGLang's budgets."""

from __future__ import annotations

import pytest

from dstop.footprint.estimate import estimate
from dstop.footprint.inference.cache import kv_demand
from dstop.footprint.inference.defaults import batched_tokens, most_sequences, static_share, usable_bytes
from dstop.footprint.inference.overheads import communicators, non_torch, outside
from dstop.footprint.inference.serving import pool_bytes, profile
from dstop.footprint.spec.values import Parallel
from dstop.footprint.stages import stages_of
from dstop.units import GIB, MIB

CARD = {"gpu": "no card of the catalog", "gpu_bytes": 24 * GIB}


def test_the_pool_of_vllm_is_what_its_budget_leaves(dense, serve):
    """Utilization x card less weights, the profile and what it took outside the allocator; context comes on top."""
    spec = serve(dense(), framework="vllm", gpu_memory_utilization=0.8, **CARD)
    stage = stages_of(spec)[0]
    rank = estimate(spec).per_gpu
    budget = int(0.8 * 24 * GIB)
    expected = budget - rank.parts.weights_bytes - profile(spec, stage).total_bytes - non_torch(spec)
    assert rank.parts.kv_cache_bytes == expected
    assert rank.parts.reserved_bytes + non_torch(spec) == budget


def test_the_pool_of_sglang_is_a_share_of_what_is_free(dense, serve):
    """Weights and pool together are `mem_fraction_static` of the card without the context."""
    spec = serve(dense(), framework="sglang", gpu_memory_utilization=0.8, **CARD)
    rank = estimate(spec).per_gpu
    before = 24 * GIB - outside(spec, stages_of(spec)[0], with_graphs=False).expected_bytes
    assert rank.parts.weights_bytes + rank.parts.kv_cache_bytes == int(0.8 * before)


def test_without_a_card_the_cache_is_the_demand(dense, serve):
    """An engine would take its whole budget; which, nobody has said."""
    spec = serve(dense(), framework="vllm", batch=3, sequence=1000)
    footprint = estimate(spec)
    assert footprint.per_gpu.parts.kv_cache_bytes == kv_demand(spec, stages_of(spec)[0])
    assert any("name a gpu" in assumption.says for assumption in footprint.assumptions)


def test_what_the_pool_holds_is_said(dense, serve):
    """How many sequences, or that not even one fits."""
    roomy = estimate(serve(dense(), framework="vllm", sequence=4096, **CARD))
    assert any("room for" in assumption.says for assumption in roomy.assumptions)
    long = estimate(serve(dense(), framework="vllm", sequence=40_000_000, **CARD))
    assert any("refuse to start" in assumption.says for assumption in long.assumptions)


def test_a_padded_vocabulary_is_said(dense, serve):
    """1000 is no multiple of 64; in transformers nothing is padded."""
    said = [assumption.says for assumption in estimate(serve(dense(), framework="sglang")).assumptions]
    assert any("padded to a multiple of 64" in one for one in said)
    said = [assumption.says for assumption in estimate(serve(dense())).assumptions]
    assert not any("padded" in one for one in said)


def test_the_driver_keeps_part_of_a_card_of_the_catalog(dense, serve):
    """Engines take their share of what CUDA calls total, not of NVML's."""
    card = 81_559 * MIB
    spec = serve(dense(), framework="vllm", gpu="H100-80", gpu_bytes=card)
    assert 0 < card - usable_bytes(spec) < 2 * GIB
    assert usable_bytes(serve(dense(), framework="vllm", **CARD)) == 24 * GIB
    assert usable_bytes(serve(dense(), framework="vllm")) is None


def test_the_profile_is_the_widest_layer_or_the_sampler(dense, serve):
    """Many tokens: the MLP; few: the logits of all sequences while they are sampled, beside the hidden states."""
    many = serve(dense(), framework="vllm", max_num_batched_tokens=100_000)
    few = serve(dense(), framework="vllm", max_num_batched_tokens=2048, max_num_seqs=256)
    assert profile(many, stages_of(many)[0]).logits_bytes == 0
    assert profile(few, stages_of(few)[0]).logits_bytes == 256 * 1000 * 38
    assert profile(few, stages_of(few)[0]).activations_bytes == 2048 * 256 * 2


def test_the_last_stage_alone_samples(dense, serve):
    """The first has no logits."""
    spec = serve(dense(), framework="vllm", max_num_batched_tokens=256, parallel=Parallel(pp=2))
    first, last = stages_of(spec)
    assert profile(spec, first).logits_bytes == 0
    assert profile(spec, last).logits_bytes > 0


def test_latent_attention_of_vllm_has_room_for_earlier_chunks(latent, serve):
    """64k tokens of latents in a buffer, and their expanded keys and values for the time of a pass."""
    spec = serve(latent(positions=163_840), framework="vllm", max_num_batched_tokens=64)
    found = profile(spec, stages_of(spec)[0])
    assert found.workspace_bytes == 8_519_680 + 2 * 65_536 * 72
    assert found.activations_bytes == 2 * 65_536 * 8 * (16 + 16)


@pytest.mark.parametrize(
    ("fields", "tokens", "sequences"),
    [
        ({"framework": "vllm"}, 8192, 256),
        ({"framework": "vllm", "gpu": "H100-80", "gpu_bytes": 80 * GIB}, 8192, 1024),
        ({"framework": "vllm", "gpu": "A100-80", "gpu_bytes": 80 * GIB}, 2048, 256),
        ({"framework": "vllm", "gpu": "RTX 4090", "gpu_bytes": 24 * GIB}, 2048, 256),
        ({"framework": "sglang", "gpu": "RTX 4090", "gpu_bytes": 24 * GIB}, 2048, 256),
        ({"framework": "sglang", "gpu": "L40S", "gpu_bytes": 45 * GIB}, 4096, 256),
        ({"framework": "llama.cpp"}, 512, 3),
        ({"framework": "hf"}, 3000, 3),
    ],
    ids=["vllm", "H100", "A100", "4090", "sglang 4090", "sglang L40S", "llama.cpp", "transformers"],
)
def test_what_engines_choose_themselves(dense, serve, fields, tokens, sequences):
    """By the memory of the card, as their code does."""
    spec = serve(dense(), batch=3, sequence=1000, **fields)
    assert (batched_tokens(spec), most_sequences(spec)) == (tokens, sequences)


def test_sglang_keeps_ten_gib_of_a_large_card(dense, serve):
    """0.875 of 80 GiB with small chunks; of a small one what its chunks and graphs take."""
    large = serve(dense(), framework="sglang", gpu="H100-80", gpu_bytes=80 * GIB, max_num_batched_tokens=4096)
    small = serve(dense(), framework="sglang", gpu="RTX 4090", gpu_bytes=24 * GIB)
    assert static_share(large, 80 * GIB) == 0.875
    assert static_share(small, 24 * GIB) == pytest.approx(1 - (512 + 3072 + 48 + 128) / 24_576)


@pytest.mark.parametrize(
    ("parallel", "groups"),
    [(Parallel(), 0), (Parallel(tp=8), 1), (Parallel(tp=4, pp=2), 2), (Parallel(tp=2, pp=2, dp=2), 3)],
    ids=["one GPU", "tp", "tp pp", "tp pp dp"],
)
def test_each_way_of_dividing_work_has_a_communicator(dense, serve, parallel, groups):
    """They are outside the allocator, in `context`."""
    spec = serve(dense(), framework="vllm", parallel=parallel)
    alone = serve(dense(), framework="vllm")
    assert communicators(spec) == groups
    more = non_torch(spec) - non_torch(alone)
    assert more == groups * 250 * MIB


def test_a_pool_without_room_is_negative(dense, serve):
    """No card, no pool; a card smaller than the weights, less than none."""
    spec = serve(dense(), framework="vllm")
    assert pool_bytes(spec, stages_of(spec)[0]) is None
    small = serve(dense(), framework="vllm", gpu="tiny", gpu_bytes=MIB)
    assert pool_bytes(small, stages_of(small)[0]) < 0
    assert estimate(small).per_gpu.parts.kv_cache_bytes == kv_demand(small, stages_of(small)[0])
