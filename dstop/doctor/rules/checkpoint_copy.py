"""A checkpoint puts a second copy on the card

What it means
    At load, tensors go back to the device they were saved from: all ranks onto GPU 0, or beside the model that is there already.
    At save, a sharded model is gathered whole on a rank, or copied before it is written.

Evidence
    The frames are those of a save (`save_checkpoint`, `state_dict`, `save_16bit_model`, `FULL_STATE_DICT`) or of `torch.load` and
    a resume, while training itself fitted.

Fix
    `map_location="cpu"`; gather on the host and on rank 0 alone; sharded checkpoints; drop the loaded object after use.

When it is wrong
    If loading the model for the first time fails, the weights are too large (DS102).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.asking import failure_lines, rank_lines
from dstop.doctor.questions.frameworks import ENGINES
from dstop.doctor.rule import FITS, SUGGESTS, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case

_LOAD = r"torch\.load\(|serialization\.py|_cuda_deserialize|restore_location|load_checkpoint|_load_optimizer|load_optimizer|resume_from|_load_from_checkpoint|optimizer\.load_state_dict|load_state\b"
_RESUME = r"(?i)\bresum(?:e|ing)\b|from checkpoint|load(?:ing)? (?:checkpoint|optimizer)|latest checkpoint"


def _examine(case: Case) -> Assessment | None:
    failure = case.failure
    if failure is None or failure.is_absurd or case.framework in ENGINES:
        return None
    evidence = [*failure_lines(case), *rank_lines(case)]
    if case.phase == "save":
        evidence.append(Evidence(source=str(failure.place), says="training fitted; the failure is in saving"))
        fixes = prescribe(case, "offload_state_dict_cpu", "sharded_state_dict", "reduce_batch", "empty_cache")
        return Assessment(
            strength=FITS + 6,
            evidence=tuple(evidence),
            at=failure.place,
            subcause="checkpoint_save_gather",
            fixes=fixes,
        )
    frame = case.in_frames(_LOAD)
    resumes = case.says(_RESUME)
    if frame is None and not (resumes and case.phase == "load"):
        return None
    if (
        case.in_frames(r"from_pretrained|_load_pretrained_model|load_weights|create_weights") is not None
        and not resumes
    ):
        return None
    if frame is not None:
        says = f"{frame.function} puts what was saved on a device ({frame.file}:{frame.line})"
        evidence.append(Evidence(source=str(failure.place), says=says))
    is_optimizer = case.in_frames(r"optimizer") is not None
    strength = (
        FITS + 7
        if frame is not None
        and (resumes or case.in_frames(r"torch\.load\(|serialization\.py|optimizer|resume") is not None)
        else SUGGESTS + 5
    )
    first = (
        ("load_optimizer_on_cpu", "map_location_cpu", "skip_optimizer_load")
        if is_optimizer
        else ("map_location_cpu", "free_checkpoint_after_load", "upgrade_version")
    )
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        at=failure.place,
        subcause="checkpoint_load_duplicate",
        fixes=prescribe(case, *first, "free_checkpoint_after_load", "reduce_batch"),
    )


RULE = Rule(
    id="DS303",
    name="checkpoint-copy",
    cause="checkpoint_duplicate",
    title="A checkpoint puts a second copy on the card",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """Resuming from /ckpt/last.pt
  File "/home/u/train.py", line 61, in main
    state = torch.load(path)
  File "/opt/venv/lib/python3.11/site-packages/torch/serialization.py", line 1495, in restore_location
    return default_restore_location(storage, str(map_location))
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 224.00 MiB. GPU 0 has a total capacity of 39.39 GiB of which 60.00 MiB is free. Including non-PyTorch memory, this process has 39.32 GiB memory in use. Of the allocated memory 38.80 GiB is allocated by PyTorch, and 10.10 MiB is reserved by PyTorch but unallocated.
""",
    ),
    near_miss=(
        """  File "/home/u/train.py", line 75, in main
    loss.backward()
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 224.00 MiB. GPU 0 has a total capacity of 39.39 GiB of which 60.00 MiB is free. Including non-PyTorch memory, this process has 39.32 GiB memory in use. Of the allocated memory 38.80 GiB is allocated by PyTorch, and 10.10 MiB is reserved by PyTorch but unallocated.
""",
    ),
)
