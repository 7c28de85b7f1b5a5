"""The weights alone do not fit on the card

What it means
    The card was full before any work began: the model in this precision, on this many cards, is larger than the card.

Evidence
    The failure is in loading: `from_pretrained`, `load_state_dict`, `.to(device)`. What is allocated is about what parameters x
    bytes a parameter predict. A smaller batch changes nothing here.

Fix
    Fewer bytes a parameter (8-bit, 4-bit, fp8), more cards (tensor parallel, sharded loading), or a smaller model.

When it is wrong
    If another process holds much of the card, ending it may be enough (DS401). In a serving engine it is DS509. If a checkpoint
    is loaded onto the card beside the model, it is the copy (DS306).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import counted, gib, weights_bytes
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.questions.engines import is_engine
from dstop.doctor.questions.frameworks import IMAGE_GENERATORS
from dstop.doctor.rule import DEFAULT, FITS, PROVEN, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_MOSTLY = 0.6
"""From this share of the card on, what is allocated while loading is weights and no accident."""


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    dispatched = case.first("transformers.dispatched")
    if failure is None and dispatched is None:
        return None
    if dispatched is not None and (failure is None or dispatched.place.order < failure.place.order):
        return Assessment(
            strength=FITS + 5,
            evidence=(Evidence(source=str(dispatched.place), says=dispatched.text),),
            at=dispatched.place,
            fixes=prescribe(
                case, "cpu_offload_layers", "use_smaller_model", "bigger_gpu", "quantize", "shard_more_gpus"
            ),
        )
    if failure is None or failure.is_absurd or is_engine(case):
        return None
    strength = _strength(case)
    if strength is None:
        return None
    evidence = [*failure_lines(case), *rank_lines(case)]
    weights, total = weights_bytes(case), failure.total_bytes
    if weights is not None and total is not None and weights > total:
        says = f"{counted(case)} take {gib(weights)}; the card has {gib(total)}"
        setting = case.setting("parameters") or failure
        evidence.append(Evidence(source=str(setting.place), says=says, value=weights))
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        at=failure.place,
        fixes=prescribe(case, *_fixes(case)),
    )


def _strength(case: Case) -> int | None:
    failure = case.failure
    assert failure is not None  # noqa: S101 - the caller has looked
    allocated, total = failure.allocated_bytes, failure.total_bytes
    is_most = allocated is not None and total is not None and allocated >= _MOSTLY * total
    weights = weights_bytes(case)
    if case.phase == "load":
        if weights is not None and total is not None and weights > total and is_most:
            return PROVEN + 2
        return FITS + 4 if is_most else FITS - 8
    if case.phase in {"inference", "unknown"} and is_most:
        return SUGGESTS - 1 if case.phase == "inference" else DEFAULT
    return None


def _fixes(case: Case) -> tuple[str, ...]:
    if case.framework in IMAGE_GENERATORS:
        return ("lowvram_mode", "mixed_precision", "quantize", "use_smaller_model")
    if case.flag("quantized"):
        return ("cpu_offload_layers", "use_smaller_model", "shard_more_gpus", "bigger_gpu")
    return (
        "quantize",
        "shard_more_gpus",
        "use_smaller_model",
        "cpu_offload_layers",
        "bigger_gpu",
        "mixed_precision",
    )


RULE = Rule(
    id="DS102",
    name="weights-too-large",
    cause="capacity_weights",
    title="The weights alone do not fit on the card",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """Loading checkpoint shards:  63%|██████▎   | 19/30 [00:41<00:24,  2.20s/it]
  File "/opt/venv/lib/python3.11/site-packages/transformers/modeling_utils.py", line 4245, in from_pretrained
    ) = cls._load_pretrained_model(
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 448.00 MiB. GPU 0 has a total capacity of 79.15 GiB of which 201.38 MiB is free. Including non-PyTorch memory, this process has 78.94 GiB memory in use. Of the allocated memory 78.40 GiB is allocated by PyTorch, and 1.62 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """Loading checkpoint shards: 100%|██████████| 30/30 [00:41<00:00,  2.20s/it]
  File "/home/u/train.py", line 12, in training_step
    loss.backward()
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 448.00 MiB. GPU 0 has a total capacity of 79.15 GiB of which 201.38 MiB is free. Including non-PyTorch memory, this process has 78.94 GiB memory in use. Of the allocated memory 78.40 GiB is allocated by PyTorch, and 1.62 MiB is reserved by PyTorch but unallocated.
""",
    ),
)
