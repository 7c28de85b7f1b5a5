"""Weights on a rank and in files, counted by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dstop.footprint.architecture.values import Quantization, Tensor
from dstop.footprint.gguf import WORD_BYTES
from dstop.footprint.inference.engine import absorbed, rotary_table
from dstop.footprint.spec.values import Parallel
from dstop.footprint.stages import stages_of
from dstop.footprint.weights import checkpoint_bytes, weights_bytes

LAYER = 2 * 256 * 256 + 2 * 64 * 256 + 3 * 512 * 256 + 256
WHOLE = 4 * LAYER + 2 * 1000 * 256 + 256
WORDS = 1000 * WORD_BYTES
FP8 = Quantization(method="fp8", bits=8, block=(128, 128))


def _weights(spec, index=0):
    return weights_bytes(spec, stages_of(spec)[index])


def test_one_gpu_holds_two_bytes_a_parameter(dense, serve):
    """In transformers nothing is added: these matrices are too small for ends of segments."""
    spec = serve(dense())
    assert _weights(spec) == 2 * WHOLE == 2 * spec.architecture.total_parameters
    assert checkpoint_bytes(spec) == 2 * WHOLE


def test_tensor_parallelism_divides_all_but_the_norms(dense, serve):
    """Two ranks: each has half of every matrix and all of the norms."""
    norms = 5 * 256
    assert _weights(serve(dense(), parallel=Parallel(tp=2))) == WHOLE - norms + 2 * norms


def test_a_pipeline_divides_the_layers(dense, serve):
    """The embedding is on the first stage, norm and head on the last."""
    spec = serve(dense(), parallel=Parallel(pp=2))
    assert _weights(spec, 0) == 2 * (2 * LAYER + 1000 * 256)
    assert _weights(spec, 1) == 2 * (2 * LAYER + 1000 * 256 + 256)


def test_a_tied_head_is_one_tensor(dense, serve):
    """On one GPU and in the file; the last stage of a pipeline has a copy."""
    spec = serve(dense(tied=True))
    assert _weights(spec) == checkpoint_bytes(spec) == 2 * (WHOLE - 1000 * 256)
    split = serve(dense(tied=True), parallel=Parallel(pp=2))
    assert _weights(split, 0) + _weights(split, 1) == 2 * WHOLE


def test_engines_pad_the_vocabulary_and_keep_a_table_of_rotations(dense, serve):
    """1000 words become 1024, embedding and head; 4096 positions x 32 x 2 bytes."""
    spec = serve(dense(positions=4096), framework="vllm")
    assert _weights(spec) == 2 * (WHOLE + 2 * 24 * 256) + 4096 * 32 * 2
    assert checkpoint_bytes(spec) == 2 * WHOLE


def test_learned_positions_need_no_table(dense):
    """GPT-2 has an embedding of positions instead."""
    position = Tensor(name="wpe", shape=(64, 256), role="position")
    architecture = dense(positions=64)
    assert rotary_table(architecture) == 64 * 32 * 2
    assert rotary_table(dense(positions=64, embedding=(*architecture.embedding, position))) == 0


@pytest.mark.parametrize(
    ("framework", "weights", "copies"),
    [
        ("vllm", "bf16", 0),
        ("vllm", "native", 1),
        ("sglang", "bf16", 1),
        ("sglang", "native", 1),
        ("hf", "native", 0),
    ],
    ids=["vllm 16 bits", "vllm fp8", "sglang 16 bits", "sglang fp8", "transformers"],
)
def test_absorbed_matrices_of_latent_attention(latent, serve, framework, weights, copies):
    """In vLLM there are 16-bit copies of a quantized kv_b alone, in SGLang always, in transformers never."""
    architecture = latent(quantization=FP8)
    layer = architecture.layers[0].attention
    assert absorbed(layer) == 2 * 64 * 8 * (16 + 16)
    spec = serve(architecture, framework=framework, weights=weights)
    expanded = serve(architecture, framework=framework, weights=weights, mla_cache="expanded")
    assert _weights(spec) - _weights(expanded) == copies * 3 * absorbed(layer)


def test_fp8_of_deepseek_counts_each_shard_s_scales(latent, serve):
    """A matrix that is cut through a block has a scale for the rest of it."""
    whole = serve(latent(quantization=FP8), weights="native")
    half = serve(latent(quantization=FP8), weights="native", parallel=Parallel(tp=2))
    plain = 2 * (2 * 1000 * 256 + 256) + 3 * 2 * 16 * 256
    matrices = {"q": (192, 256), "kv_a": (72, 256), "kv_b": (256, 64), "o": (256, 128)}
    experts = 16 * 3 * (128 * 256 + 4 * 2)
    layer = experts + sum(
        rows * columns + 4 * -(-rows // 128) * -(-columns // 128) for rows, columns in matrices.values()
    )
    assert _weights(whole) == plain + 3 * layer
    assert _weights(half) > (plain + 3 * layer) / 2


def test_files_have_the_next_token_layers_with_their_own_embedding_and_head(latent, serve):
    """DeepSeek-V3's do; an engine loads them only when told to."""
    layer = latent().layers[0]
    spec = serve(latent(next_token=(layer,)))
    more = 2 * (sum(tensor.parameters for tensor in layer.tensors) + 2 * 1000 * 256)
    assert checkpoint_bytes(spec) - checkpoint_bytes(serve(latent())) == more
    assert _weights(spec) == _weights(serve(latent()))
    told = serve(latent(next_token=(layer,)), speculative="mtp")
    assert _weights(told) - _weights(spec) == more - 2 * 2 * 1000 * 256


def test_llama_cpp_keeps_the_embedding_on_the_cpu(dense, serve):
    """Unless it is the head too; the file has both either way."""
    spec = serve(dense(), framework="llama.cpp", weights="q8_0")
    norms = 4 * 5 * 256
    assert checkpoint_bytes(spec) == pytest.approx((WHOLE - 5 * 256) * 1.0625 + norms + WORDS)
    assert checkpoint_bytes(spec) - _weights(spec) == 1000 * 256 * 1.0625 + WORDS
    tied = serve(dense(tied=True), framework="llama.cpp", weights="q8_0")
    assert _weights(tied) == checkpoint_bytes(tied) - WORDS


def test_average_bits_hold_for_the_whole_file(dense, serve):
    """5.5 bits a parameter."""
    assert checkpoint_bytes(serve(dense(), weights="5.5bpw")) == int(WHOLE * 5.5 / 8)


def test_experts_are_divided_and_the_rest_is_replicated(latent, serve):
    """Attention under data parallelism: tp 1, dp 4, ep 4."""
    whole = _weights(serve(latent()))
    spread = _weights(serve(latent(), parallel=Parallel(dp=4, ep=4)))
    assert whole - spread == 2 * 3 * 12 * 3 * 128 * 256


def test_wide_matrices_take_the_end_of_their_segment_with_them(dense, serve):
    """The law of the allocator is applied to the tensors as the framework makes them: gate and up are one in vLLM."""
    wide = Tensor(name="gate_proj", shape=(13824, 5120), role="mlp", split="column")
    up = Tensor(name="up_proj", shape=(13824, 5120), role="mlp", split="column")
    architecture = replace(dense(), layers=(replace(dense().layers[0], tensors=(wide, up)),))
    parameters = 2 * architecture.total_parameters
    assert _weights(serve(architecture)) - parameters == 2 * 2**20
    padded = 2 * 2 * 24 * 256
    assert _weights(serve(architecture, framework="vllm")) - parameters - padded == 0


def test_files_are_counted_anew_for_another_format_or_model(dense, latent, serve):
    """The last answer is remembered, and only given to the same question."""
    first, other = dense(), latent()
    sizes = [
        checkpoint_bytes(serve(model, weights=how)) for model in (first, other) for how in ("bf16", "int8")
    ]
    again = [
        checkpoint_bytes(serve(model, weights=how)) for model in (first, other) for how in ("bf16", "int8")
    ]
    assert sizes == again
    assert len(set(sizes)) == 4
