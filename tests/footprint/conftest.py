"""Architectures that are small enough to be counted by hand, built from values: no reader of configs is in between."""

from __future__ import annotations

import pytest

from dstop.footprint.architecture.values import Architecture, Attention, Experts, Indexer, Layer, Mlp, Tensor
from dstop.footprint.spec.settle import settle
from dstop.footprint.spec.values import Spec

HIDDEN, WIDTH, VOCAB = 256, 512, 1000


def _matrix(name, out, into, role, split="none", **more):
    return Tensor(name=name, shape=(out, into), role=role, split=split, **more)


def _mlp(width=WIDTH):
    return (
        _matrix("gate_proj", width, HIDDEN, "mlp", "column"),
        _matrix("up_proj", width, HIDDEN, "mlp", "column"),
        _matrix("down_proj", HIDDEN, width, "mlp", "row"),
    )


def _around(*, tied=False):
    embedding = (_matrix("embed_tokens", VOCAB, HIDDEN, "embedding", "vocab"),)
    head = () if tied else (_matrix("lm_head", VOCAB, HIDDEN, "head", "vocab"),)
    return {"embedding": embedding, "output": (Tensor(name="norm", shape=(HIDDEN,), role="norm"), *head)}


def _architecture(layers, **more):
    return Architecture(
        **{
            "name": "small",
            "family": "llama",
            "hidden": HIDDEN,
            "vocab": VOCAB,
            "layers": tuple(layers),
            **_around(tied=more.get("tied", False)),
            **more,
        }
    )


def _dense(window=None):
    heads, kv, size = 8, 2, 32
    tensors = (
        _matrix("q_proj", heads * size, HIDDEN, "attention", "column"),
        _matrix("k_proj", kv * size, HIDDEN, "attention", "kv", heads=kv),
        _matrix("v_proj", kv * size, HIDDEN, "attention", "kv", heads=kv),
        _matrix("o_proj", HIDDEN, heads * size, "attention", "row"),
        *_mlp(),
        Tensor(name="input_layernorm", shape=(HIDDEN,), role="norm"),
    )
    attention = Attention(kind="gqa", heads=heads, kv_heads=kv, head_dim=size, value_dim=size, window=window)
    return Layer(attention=attention, feed_forward=Mlp(width=WIDTH), tensors=tensors)


def _latent(*, indexer=False):
    heads, rank, nope, rope = 8, 64, 16, 8
    tensors = (
        _matrix("q_proj", heads * (nope + rope), HIDDEN, "attention", "column"),
        _matrix("kv_a_proj_with_mqa", rank + rope, HIDDEN, "attention"),
        _matrix("kv_b_proj", heads * (nope + 16), rank, "attention", "column"),
        _matrix("o_proj", HIDDEN, heads * 16, "attention", "row"),
        _matrix("gate", 16, HIDDEN, "router"),
        _matrix("experts.gate_proj", 128, HIDDEN, "expert", "column", count=16),
        _matrix("experts.up_proj", 128, HIDDEN, "expert", "column", count=16),
        _matrix("experts.down_proj", HIDDEN, 128, "expert", "row", count=16),
    )
    attention = Attention(
        kind="mla",
        heads=heads,
        kv_heads=heads,
        head_dim=nope + rope,
        value_dim=16,
        kv_rank=rank,
        rope_dim=rope,
        indexer=Indexer(heads=4, head_dim=128, top_k=32) if indexer else None,
    )
    return Layer(
        attention=attention, feed_forward=Experts(routed=16, per_token=2, width=128), tensors=tensors
    )


@pytest.fixture(scope="session")
def dense():
    """Give what makes a Llama of 4 layers: 8 heads of 32, 2 of them for keys and values."""

    def make(**more):
        return _architecture((_dense(),) * 4, **more)

    return make


@pytest.fixture(scope="session")
def windowed():
    """Give what makes 4 layers of which so many have a window of 100 tokens."""

    def make(many, **more):
        return _architecture((_dense(window=100),) * many + (_dense(),) * (4 - many), **more)

    return make


@pytest.fixture(scope="session")
def latent():
    """Give what makes a DeepSeek of 3 layers: latents of 64 + 8, 16 experts of which 2 are chosen."""

    def make(*, indexer=False, **more):
        return _architecture((_latent(indexer=indexer),) * 3, **more)

    return make


@pytest.fixture(scope="session")
def compressed():
    """Give what makes a DeepSeek-V4 of three layers: its window alone, one entry for 4 tokens, one for 128."""

    def layer(ratio, *, indexer=False):
        attention = Attention(
            kind="compressed",
            heads=64,
            kv_heads=1,
            head_dim=512,
            value_dim=512,
            rope_dim=64,
            window=128,
            compress_ratio=ratio,
            indexer=Indexer(heads=64, head_dim=128, top_k=512) if indexer else None,
        )
        return Layer(attention=attention, feed_forward=Mlp(width=WIDTH), tensors=_mlp())

    def make(**more):
        return _architecture((layer(0), layer(4, indexer=True), layer(128)), **more)

    return make


@pytest.fixture(scope="session")
def serve():
    """Give what makes a settled spec of inference."""

    def make(architecture, **fields):
        settled, _ = settle(Spec(**{"architecture": architecture, "phase": "inference", **fields}))
        return settled

    return make
