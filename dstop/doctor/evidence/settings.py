"""What the job was told, as far as its log repeats it: batch, sequence, accumulation, precision, model, card."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from dstop.doctor.evidence.facts import Setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dstop.doctor.evidence.facts import Figure
    from dstop.doctor.evidence.stream import Stream

_SEPARATOR = r"[\"']?\s{0,3}[=: ]\s{0,3}[\"']?"


class _Count(NamedTuple):
    """A whole number that goes by one of several names."""

    name: str
    needles: str
    """Words of which one must occur, so that the expression is not compiled for nothing."""
    names: str


_COUNTS = (
    _Count(
        "batch",
        "batch samples_per_gpu",
        r"per_device_train_batch_size|train_micro_batch_size_per_gpu|micro[_-]batch[_-]size"
        r"|batch[_ -]?size(?: per device)?|samples_per_gpu|local_batch_size|batch_per_gpu"
        r"|instantaneous batch size per device",
    ),
    _Count(
        "eval_batch", "eval val", r"per_device_eval_batch_size|eval[_-]batch[_-]size|val[_-]batch[_-]size"
    ),
    _Count(
        "accumulation",
        "accum",
        r"gradient[_ -]accumulation[_ -]steps|accumulate_grad_batches|grad_accum\w{0,8}",
    ),
    _Count(
        "sequence",
        "seq model_max_length cutoff_len block_size",
        r"max_seq(?:uence)?_len(?:gth)?|seq[_-]len(?:gth)?|model_max_length|cutoff_len|block_size|sequence_len",
    ),
    _Count("sequence", "max_length", r"(?<!\")max_length"),
    _Count("vocabulary", "vocab", r"vocab(?:ulary)?_size|padded_vocab_size|n_vocab"),
    _Count("hidden", "hidden d_model n_embd", r"hidden_size|hidden_dim|d_model|n_embd"),
    _Count("layers", "layer", r"num_hidden_layers|n_layers?|num_layers"),
    _Count("heads", "head", r"num_attention_heads|n_heads?|num_heads"),
    _Count("kv_heads", "key_value kv_head", r"num_key_value_heads|n_kv_heads?|num_kv_heads|num_query_groups"),
    _Count(
        "intermediate", "intermediate ffn d_ff", r"intermediate_size|ffn_hidden_size|ffn_dim|d_ff|n_inner"
    ),
    _Count("workers", "workers", r"num_workers|dataloader_num_workers|n_workers"),
    _Count("zero_stage", "stage zero", r"zero[_ ]?(?:optimization)?[_ ]?stage|zero[- ]|\"stage\""),
    _Count("world_size", "world nproc", r"world[_ ]size|nproc[-_]per[-_]node"),
    _Count("max_num_seqs", "num_seqs num-seqs", r"max[_-]num[_-]seqs"),
    _Count(
        "max_model_len",
        "model_len model-len context ctx",
        r"max[_-]model[_-]len|context[_-]length|num_ctx|ctx[_-]size|n_ctx",
    ),
    _Count("tensor_parallel", "tensor tp", r"tensor[_-]parallel[_-]size|tp[_-]size"),
    _Count("max_jobs", "max_jobs", r"max_jobs"),
)
_FLAGS = {
    "bf16": r"\bbf16\b|bfloat16|torch\.bfloat16",
    "fp16": r"\bfp16\b|float16|torch\.float16|--half\b",
    "gradient_checkpointing": r"gradient_checkpointing[\"']?\s{0,2}[=:]\s{0,2}true|gradient_checkpointing_enable"
    r"|--gradient_checkpointing",
    "lora": r"\b(?:lora|qlora|peft)\b|trainable params: [\d,]{1,20} \|\|",
    "deepspeed": r"\bdeepspeed\b",
    "fsdp": r"\bfsdp\b|fully_sharded_data_parallel|FullyShardedDataParallel",
    "offload": r"offload_optimizer|offload_param|cpu_offload",
    "quantized": r"load_in_(?:4|8)bit[\"']?\s{0,2}[=:]\s{0,2}true|\b(?:awq|gptq|int4|nf4)\b",
    "torch_compile": r"torch[._]compile|torch\._dynamo|_inductor",
    "adam": r"\badamw?\b",
}
"""What is on where its word occurs."""

_PARAMETERS = re.compile(r"(?<![\w.])(\d{1,4}(?:\.\d{1,2})?)\s?[bB](?=[-_/ .,)\"'\]:\n]|$)(?!ytes|it|/s)")
"""`7b`, `Llama-2-13b-hf`, `1.5B`: in billions."""
_TOTAL_PARAMETERS = re.compile(
    r"(?:all params|[Tt]otal params(?:eters)?|Number of (?:trainable )?parameters)\s{0,2}[:=]\s{0,3}([\d,]{4,20})"
)
_CARD = re.compile(
    r"\b(?:NVIDIA |GeForce |Tesla |Quadro )?((?:RTX|GTX) ?(?:A?\d{3,4}|PRO \d{4})(?: Ti| SUPER|M)?|[AHV]100|H200|G?B200"
    r"|L40S?|L4|A10G?|A6000|A5000|A40|T4|P100|P4|K80|MI\d{3}X?)\b"
)


def settings_in(stream: Stream) -> Iterator[Setting]:
    """Give each setting once, at its first place."""
    lowered = stream.text.lower()
    for count in _COUNTS:
        if any(needle in lowered for needle in count.needles.split()):
            expression = re.compile(rf"(?<!\w)(?:{count.names}){_SEPARATOR}(\d{{1,12}})\b", re.IGNORECASE)
            yield from _first(stream, count.name, expression, int)
    for name, words in _FLAGS.items():
        found = re.search(words, stream.text, re.IGNORECASE)
        if found is not None:
            yield Setting(name=name, value=1, place=stream.place(stream.index_at(found.start())))
    yield from _first(stream, "parameters", _TOTAL_PARAMETERS, lambda digits: int(digits.replace(",", "")))
    yield from _first(stream, "parameters", _PARAMETERS, lambda billions: int(float(billions) * 1e9))
    yield from _first(stream, "card", _CARD, str)


def _first(
    stream: Stream, name: str, expression: re.Pattern[str], read: Callable[[str], Figure]
) -> Iterator[Setting]:
    found = expression.search(stream.text)
    if found is not None:
        yield Setting(name=name, value=read(found[1]), place=stream.place(stream.index_at(found.start())))
