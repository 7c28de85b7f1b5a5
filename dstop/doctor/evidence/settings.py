"""What the job was told, as far as its log repeats it: batch, sequence, accumulation, precision, model, card."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dstop.doctor.evidence.facts import Setting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.doctor.evidence.facts import Figure
    from dstop.doctor.evidence.stream import Stream

_SEP = r"[\"']?\s{0,3}[=: ]\s{0,3}[\"']?"

_COUNTS = {
    "batch": r"(?:per_device_train_batch_size|train_micro_batch_size_per_gpu|micro[_-]batch[_-]size|batch[_ -]?size(?: per device)?|"
    r"samples_per_gpu|local_batch_size|batch_per_gpu)",
    "eval_batch": r"(?:per_device_eval_batch_size|eval[_-]batch[_-]size|val[_-]batch[_-]size)",
    "accumulation": r"(?:gradient[_ -]accumulation[_ -]steps|accumulate_grad_batches|grad_accum\w{0,8})",
    "sequence": r"(?:max_seq(?:uence)?_len(?:gth)?|seq[_-]len(?:gth)?|model_max_length|cutoff_len|max_length|block_size|sequence_len)",
    "vocabulary": r"(?:vocab(?:ulary)?_size|padded_vocab_size|n_vocab)",
    "hidden": r"(?:hidden_size|hidden_dim|d_model|n_embd)",
    "layers": r"(?:num_hidden_layers|n_layers?|num_layers)",
    "heads": r"(?:num_attention_heads|n_heads?|num_heads)",
    "workers": r"(?:num_workers|dataloader_num_workers|n_workers)",
    "zero_stage": r"(?:zero[_ ]?(?:optimization)?[_ ]?stage|zero_stage|ZeRO[- ]|\"stage\")",
    "world_size": r"(?:world[_ ]size|WORLD_SIZE|nproc[-_]per[-_]node)",
    "max_num_seqs": r"(?:max[_-]num[_-]seqs)",
    "max_model_len": r"(?:max[_-]model[_-]len|context[_-]length|num_ctx|ctx[_-]size|n_ctx)",
    "tensor_parallel": r"(?:tensor[_-]parallel[_-]size|tp[_-]size)",
    "max_jobs": r"(?:MAX_JOBS)",
}
_HF_BATCH = re.compile(r"Instantaneous batch size per device\s{0,3}=\s{0,3}(\d{1,9})")
_NUMBER_NEEDLES = {
    "batch": ("batch", "samples_per_gpu"),
    "eval_batch": ("eval", "val"),
    "accumulation": ("accum",),
    "sequence": ("seq", "max_length", "cutoff_len", "block_size", "model_max_length"),
    "vocabulary": ("vocab",),
    "hidden": ("hidden", "d_model", "n_embd"),
    "layers": ("layer",),
    "heads": ("head",),
    "workers": ("workers",),
    "zero_stage": ("stage", "ZeRO"),
    "world_size": ("world", "WORLD_SIZE", "nproc"),
    "max_num_seqs": ("num_seqs", "num-seqs"),
    "max_model_len": ("model_len", "model-len", "context", "ctx"),
    "tensor_parallel": ("tensor", "tp"),
    "max_jobs": ("MAX_JOBS",),
}
_FLAGS = {
    "bf16": r"\bbf16\b|bfloat16|torch\.bfloat16",
    "fp16": r"\bfp16\b|float16|torch\.float16|--half\b",
    "gradient_checkpointing": r"gradient_checkpointing[\"']?\s{0,2}[=:]\s{0,2}(?:True|true)|gradient_checkpointing_enable|--gradient_checkpointing",
    "lora": r"\b(?:lora|qlora|peft)\b|trainable params: [\d,]{1,20} \|\|",
    "deepspeed": r"\bdeepspeed\b",
    "fsdp": r"\bfsdp\b|fully_sharded_data_parallel|FullyShardedDataParallel",
    "offload": r"offload_optimizer|offload_param|cpu_offload",
    "quantized": r"load_in_(?:4|8)bit[\"']?\s{0,2}[=:]\s{0,2}True|\b(?:awq|gptq|int4|nf4)\b",
    "torch_compile": r"torch[._]compile|torch\._dynamo|_inductor",
    "adam": r"\badamw?\b",
}
_PARAMETERS = re.compile(r"(?<![\w.])(\d{1,4}(?:\.\d{1,2})?)\s?[bB](?=[-_/ .,)\"'\]:\n]|$)(?!ytes|it|/s)")
_TOTAL_PARAMETERS = re.compile(
    r"(?:all params|[Tt]otal params(?:eters)?|Number of (?:trainable )?parameters)\s{0,2}[:=]\s{0,3}([\d,]{4,20})"
)
_CARD = re.compile(
    r"\b(?:NVIDIA |GeForce |Tesla |Quadro )?((?:RTX|GTX) ?(?:A?\d{3,4}|PRO \d{4})(?: Ti| SUPER|M)?|A100|H100|H200|B200|GB200|L40S?|L4|A10G?|A6000|A5000|A40|V100|T4|P100|P4|K80|MI\d{3}X?)\b"
)


def settings_in(stream: Stream) -> Iterator[Setting]:
    """Give each setting once a value, the first place of it."""
    text = stream.text
    lowered = text.lower()
    for name, words in _COUNTS.items():
        if not any(needle.lower() in lowered for needle in _NUMBER_NEEDLES[name]):
            continue
        expression = re.compile(rf"(?<!\w){words}{_SEP}(\d{{1,12}})\b", re.IGNORECASE)
        yield from _first(stream, name, expression, int)
    if "Instantaneous" in text:
        yield from _first(stream, "batch", _HF_BATCH, int)
    for name, words in _FLAGS.items():
        found = re.search(words, text, re.IGNORECASE)
        if found is not None:
            yield Setting(name=name, value=1, place=stream.place(stream.index_at(found.start())))
    yield from _first(stream, "parameters", _TOTAL_PARAMETERS, lambda digits: int(digits.replace(",", "")))
    yield from _first(stream, "parameters", _PARAMETERS, lambda billions: int(float(billions) * 1e9))
    yield from _first(stream, "card", _CARD, str)


def _first(stream: Stream, name: str, expression: re.Pattern[str], read: object) -> Iterator[Setting]:
    found = expression.search(stream.text)
    if found is None:
        return
    value: Figure = read(found[1])  # type: ignore[operator]
    yield Setting(name=name, value=value, place=stream.place(stream.index_at(found.start())))
