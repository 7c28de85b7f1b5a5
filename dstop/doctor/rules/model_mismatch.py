"""Weights, tokenizer and configuration do not belong together

What it means
    The checkpoint has tensors of other shapes or names than the model that was built, or the tokenizer has other tokens:
    another base model, other added tokens, an older program for a newer model.

Evidence
    `size mismatch for`, missing or unexpected keys, a vocabulary size mismatch, a tokenizer that cannot be loaded, an
    architecture that is not known.

Fix
    Use the tokenizer and configuration that came with the weights, and resize embeddings only as the checkpoint has them.
    An architecture that is not known needs a newer version.

When it is wrong
    With DeepSpeed ZeRO-3 a shape of torch.Size([0]) means a sharded parameter: gather it, or load before sharding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.questions.innocent import not_memory
from dstop.doctor.rule import PROVEN, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.rule import Assessment


def _examine(case: Case) -> Assessment | None:
    unknown = case.first("other.unsupported_model")
    sign = case.first("other.model_mismatch", "other.tokenizer") or case.first("fault.index_cpu")
    if unknown is not None and (sign is None or unknown.place.order < sign.place.order):
        known = ("upgrade_version", "change_config", "pin_version")
        return not_memory(case, unknown, PROVEN, known, title="This version does not know this model")
    if sign is None:
        return None
    if sign.kind == "fault.index_cpu":
        fixes = ("check_labels_indices", "match_tokenizer_model", "reduce_seq_len", "change_config")
        if sign.text.startswith("index out of range in self"):
            fixes = ("match_tokenizer_model", "check_labels_indices", "reduce_seq_len", "change_config")
        return not_memory(case, sign, PROVEN, fixes, title="A label or token id is out of range")
    return not_memory(
        case, sign, PROVEN, ("match_tokenizer_model", "change_config", "upgrade_version", "pin_version")
    )


RULE = Rule(
    id="DS916",
    name="model-mismatch",
    cause="not_memory",
    title="Weights, tokenizer and configuration do not belong together",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """RuntimeError: Error(s) in loading state_dict for LlamaForCausalLM:
	size mismatch for model.embed_tokens.weight: copying a param with shape torch.Size([32003, 4096]) from checkpoint, the shape in current model is torch.Size([32000, 4096]).
""",
        "IndexError: index out of range in self\n",
        "ValueError: Model architectures ['FooForCausalLM'] are not supported for now.\n",
    ),
    near_miss=(
        "RuntimeError: The size of tensor a (512) must match the size of tensor b (514) at non-singleton dimension 1\n",
    ),
)
