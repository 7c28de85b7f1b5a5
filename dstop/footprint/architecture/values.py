"""What memory needs to know of a model: every tensor with its shape, and every layer with its attention and its MLP."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import Literal

from dstop.model.value import Value

Split = Literal["none", "column", "row", "kv", "vocab"]
"""What tensor parallelism does to a tensor: `none` keeps a copy on each rank, `column` divides the output
(dimension 0), `row` the input (dimension 1), `kv` the output by whole key/value heads of which each rank keeps at least
one, `vocab` the vocabulary. Source: Shoeybi et al., arXiv 1909.08053, section 3."""

Role = Literal[
    "embedding",
    "position",
    "attention",
    "indexer",
    "mlp",
    "expert",
    "shared_expert",
    "router",
    "norm",
    "head",
    "other",
]
"""What a tensor is for. Quantization formats, LoRA targets and optimizers choose by it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Tensor(Value):
    """One weight, or `count` alike (the routed experts of a layer)."""

    name: str
    """As the checkpoint of the family calls the module: `q_proj`, `kv_a_proj_with_mqa`, `experts.up_proj`, `norm`."""
    shape: tuple[int, ...]
    """(out, in) of a matrix; (n,) of a vector: a norm, a bias."""
    role: Role
    split: Split = "none"
    count: int = 1
    heads: int = 0
    """Key/value heads of a `kv` tensor: what is divided."""
    dtype: str | None = None
    """Where it differs from the model's own: the fp32 router bias of DeepSeek-V3."""

    @property
    def parameters(self) -> int:
        """All its elements, over all ranks and experts."""
        return self.count * prod(self.shape)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Indexer(Value):
    """The lightning indexer of DeepSeek Sparse Attention (V3.2): it has a small cache of its own."""

    heads: int
    head_dim: int
    top_k: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Attention(Value):
    """The attention of one layer, as its cache and its activations see it."""

    kind: Literal["gqa", "mla", "compressed"]
    """`gqa` also stands for MHA and MQA; `compressed` is DeepSeek-V4's shared-KV attention."""
    heads: int
    kv_heads: int
    head_dim: int
    """Of queries and keys: for MLA nope + rope."""
    value_dim: int
    """Of values; equals head_dim except for MLA."""
    window: int | None = None
    """Tokens that a sliding-window layer keeps; None keeps all."""
    q_rank: int | None = None
    """MLA: of the compressed query; None where the query is not compressed."""
    kv_rank: int = 0
    """MLA: of the latent that is cached."""
    rope_dim: int = 0
    """MLA: of the decoupled key that is cached beside the latent."""
    indexer: Indexer | None = None
    """Only where this layer has its own (GLM shares them between layers)."""
    compress_ratio: int = 0
    """DeepSeek-V4: tokens per compressed entry; 0 where the layer has its sliding window alone."""
    qk_norm: bool = False
    """Whether queries and keys are normed per head (Qwen3)."""
    dropout: float = 0.0
    bias: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Mlp(Value):
    """A dense feed-forward block."""

    width: int
    gated: bool = True
    """gate, up, down; False: up, down (GPT-2)."""
    activation: str = "silu"
    bias: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Experts(Value):
    """A mixture-of-experts block; always gated."""

    routed: int
    per_token: int
    width: int
    """Of one routed expert."""
    shared_width: int = 0
    """Of all shared experts together; 0 where there are none."""
    activation: str = "silu"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Layer(Value):
    """One transformer block. Layers that are alike are the same object: work can be done once for each."""

    attention: Attention
    feed_forward: Mlp | Experts
    tensors: tuple[Tensor, ...]
    fused: tuple[str, ...] = ()
    """Names of matrices that hold several projections in one (`qkv_proj`, `gate_up_proj`, `c_attn`)."""


def alike(layers: tuple[Layer, ...]) -> tuple[tuple[Layer, int], ...]:
    """Give each kind of layer once, with how many there are: work per layer is done once for each kind."""
    by_id = dict(zip(map(id, layers), layers, strict=True))
    return tuple((by_id[key], many) for key, many in Counter(map(id, layers)).items())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Quantization(Value):
    """What `quantization_config` of the checkpoint says."""

    method: str
    """`fp8`, `gptq`, `awq`, `mxfp4`, `compressed-tensors`, `bitsandbytes`, ..."""
    bits: float
    group: int = 0
    """Weights that share one scale along the input; 0: one scale a channel or tensor."""
    block: tuple[int, int] | None = None
    """Rows and columns that share a scale (DeepSeek: 128 x 128)."""
    zero_points: bool = False
    """Asymmetric: a zero point is kept beside each scale."""
    twice: bool = False
    """bitsandbytes: the scales are quantized too (`bnb_4bit_use_double_quant`)."""
    experts_only: bool = False
    """Only routed experts are in this format (gpt-oss, DeepSeek-V4); the rest is in `rest`."""
    rest: str = ""
    """Weights format of the other matrices where `experts_only`."""
    skipped: tuple[str, ...] = ()
    """Names of modules that keep the model's dtype."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Architecture(Value):
    """One model. Sums over `embedding`, `layers` and `output` are its parameters; `next_token` layers are apart."""

    name: str
    """What the user or the catalog calls it; else its `architectures` entry."""
    family: str
    """`model_type`: `llama`, `qwen3`, `deepseek_v3`, ..."""
    hidden: int
    vocab: int
    layers: tuple[Layer, ...]
    embedding: tuple[Tensor, ...]
    """Before the first layer: token and position embeddings."""
    output: tuple[Tensor, ...]
    """After the last layer: final norm, and the head unless it is tied."""
    tied: bool = False
    """The head is the embedding: it has no tensor in `output`."""
    next_token: tuple[Layer, ...] = ()
    """Multi-token-prediction modules (DeepSeek-V3); their tensors include eh_proj and their norms, not the copies of
    embedding and head that checkpoints carry."""
    positions: int | None = None
    """max_position_embeddings."""
    dtype: str = "bf16"
    """Of the checkpoint: `bf16`, `fp16`, `fp32`."""
    quantization: Quantization | None = None
    norm: Literal["rms", "layer"] = "rms"
    residual_dropout: float = 0.0
    embedding_dropout: float = 0.0
    notes: tuple[str, ...] = ()
    """What is not verified of it, from the catalog: assumptions of every plan of this model."""

    @property
    def total_parameters(self) -> int:
        """As published: without the multi-token-prediction modules."""
        around = sum(tensor.parameters for tensor in (*self.embedding, *self.output))
        return around + sum(
            many * sum(tensor.parameters for tensor in layer.tensors) for layer, many in alike(self.layers)
        )

    @property
    def active_parameters(self) -> int:
        """What one token passes through: all but the experts that it is not routed to."""
        idle = 0
        for layer, many in alike(self.layers):
            if isinstance(layer.feed_forward, Experts):
                experts = layer.feed_forward
                held = sum(tensor.parameters for tensor in layer.tensors if tensor.role == "expert")
                idle += many * (held - held * experts.per_token // experts.routed)
        return self.total_parameters - idle
