"""ZeRO-3 is configured, but was not active when the model was made

What it means
    Stage 3 shards parameters only if it is active while the model is constructed: `zero.Init`, or a HfDeepSpeedConfig that lives
    before `from_pretrained`. Otherwise every rank first builds the whole model on its card.

Evidence
    The configuration says stage 3, loading fails with the whole model's weights on one card, and the line that announces
    `zero.init()` for this model is missing.

Fix
    Make `HfDeepSpeedConfig(config)` (and keep it), or TrainingArguments, before `from_pretrained`; no `device_map` with ZeRO-3.
    Recovers weights x (1 - 1 / ranks).

When it is wrong
    With `zero.Init` active the largest layer is gathered whole: then it is the layer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.arithmetic import gib, weights_bytes
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.rule import FITS, PROVEN, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_STAGE = 3
_ACTIVE = r"Detected DeepSpeed ZeRO-3|activating zero\.init|zero\.Init|partition_parameters\.py"
_MAKES = r"from_pretrained|_load_pretrained_model|from_config|:__init__:|\.to\(|\.cuda\("


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    setting = case.setting("zero_stage")
    if failure is None or setting is None or case.number("zero_stage") != _STAGE or failure.is_absurd:
        return None
    if case.says(_ACTIVE) or case.phase != "load" or case.in_frames(_MAKES) is None:
        return None
    weights, world = weights_bytes(case), case.number("world_size")
    evidence = [*failure_lines(case), *rank_lines(case)]
    evidence.append(
        Evidence(
            source=str(setting.place),
            says="ZeRO stage 3 is configured, and nothing says that it shards the model as it is made",
        )
    )
    recovers = None
    if weights is not None and world is not None and world > 1:
        recovers = weights * (world - 1) // world
        says = f"a rank's share of {gib(weights)} would be {gib(weights // world)}"
        evidence.append(Evidence(source=str(setting.place), says=says, value=weights // world))
    is_whole = weights is not None and (failure.allocated_bytes or 0) > weights // 2
    return Assessment(
        strength=PROVEN + 3 if is_whole else FITS + 6,
        evidence=tuple(evidence),
        at=failure.place,
        fixes=prescribe(
            case,
            "zero3_offload",
            "shard_more_gpus",
            "quantize",
            "lora",
            recovers={"zero3_offload": recovers},
            commands={
                "zero3_offload": "dschf = HfDeepSpeedConfig(ds_config)  # before from_pretrained, and kept; no device_map"
            },
            titles={"zero3_offload": "Activate ZeRO-3 before the model is made"},
        ),
    )


RULE = Rule(
    id="DS609",
    name="zero3-inactive",
    cause="capacity_weights",
    title="ZeRO-3 is configured, but was not active when the model was made",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """deepspeed config: {"zero_optimization": {"stage": 3}} world_size: 8
Loading checkpoint shards:  63%|██████▎   | 19/30 [00:41<00:24,  2.20s/it]
  File "/home/u/train.py", line 20, in main
    model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-2-70b-hf")
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 448.00 MiB. GPU 0 has a total capacity of 79.15 GiB of which 201.38 MiB is free. Including non-PyTorch memory, this process has 78.94 GiB memory in use. Of the allocated memory 78.40 GiB is allocated by PyTorch, and 1.62 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """deepspeed config: {"zero_optimization": {"stage": 2}} world_size: 8
Loading checkpoint shards:  63%|██████▎   | 19/30 [00:41<00:24,  2.20s/it]
  File "/home/u/train.py", line 20, in main
    model = AutoModelForCausalLM.from_pretrained("meta-llama/Llama-2-70b-hf")
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 448.00 MiB. GPU 0 has a total capacity of 79.15 GiB of which 201.38 MiB is free. Including non-PyTorch memory, this process has 78.94 GiB memory in use. Of the allocated memory 78.40 GiB is allocated by PyTorch, and 1.62 MiB is reserved by PyTorch but unallocated.
""",
    ),
)
