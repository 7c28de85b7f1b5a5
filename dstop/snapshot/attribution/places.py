"""What one line of a stack tells of the allocation above it: marks, read off the names of its file and its function.

The names are those of PyTorch's own files (torch/optim, torch/nn/modules, torch/utils/checkpoint.py, torch/distributed)
and of the libraries that train with it. A mark says only what kind of code the line is; what that means for a stack,
`stacks` decides by which mark stands innermost.
"""

from __future__ import annotations

import re
from enum import IntFlag
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.model.segment import Place


class Mark(IntFlag):
    """Kinds of code."""

    OPTIMIZER = 1
    """Between backward and the next step: optimizers, gradient scalers, clipping."""
    STATE = 2
    """Where an optimizer makes its state."""
    BACKWARD = 4
    """The autograd engine, and functions that it calls."""
    RECOMPUTE = 8
    """Activation checkpointing, on its second way through the forward pass."""
    FORWARD = 16
    """A module's call, or a functional operation."""
    LOSS = 32
    LOAD = 64
    """Modules being made, moved or filled."""
    INIT = 128
    """Anybody's `__init__`: it may be a module."""
    INPUT = 256
    """Data loaders, collation, and the usual names of moving a batch."""
    COMMUNICATION = 512
    COMPILED = 1024
    EVALUATION = 2048
    NO_GRAD = 4096
    """A decorator that switches gradients off (or on: it is the same line)."""


LONGEST_NAME = 512
"""Of a name, so many characters are looked at: C++ has some of many thousands."""

_Table = tuple[tuple[Mark, re.Pattern[str]], ...]


def _table(alternatives: dict[Mark, tuple[str, ...]]) -> _Table:
    return tuple((mark, re.compile("|".join(patterns))) for mark, patterns in alternatives.items())


_IN_FILES = _table(
    {
        Mark.OPTIMIZER: (
            r"torch/optim/(?!lr_scheduler|swa_utils)",
            r"torch/distributed/optim/",
            r"nn/utils/clip_grad\.py$",
            r"(apex/optimizers|bitsandbytes/optim|torchao/optim|deepspeed/ops/(adam|lion|lamb))/",
            r"(transformer_engine/pytorch/optimizers|megatron/core/optimizer)/",
            r"transformers/optimization\.py$",
            r"-packages/(galore_torch|lion_pytorch|pytorch_optimizer|schedulefree|prodigyopt|muon)/",
        ),
        Mark.FORWARD: (r"torch/nn/functional\.py$",),
        Mark.LOSS: (r"torch/nn/modules/loss\.py$", r"transformers/loss/", r"cross_entropy\.py$"),
        Mark.LOAD: (
            r"torch/nn/(parameter|init)\.py$",
            r"torch/serialization\.py$",
            r"/safetensors/",
            r"transformers/(core_model_loading|modeling_utils|initialization)\.py$",
            r"accelerate/utils/modeling\.py$",
            r"/peft/(mapping|peft_model)",
        ),
        Mark.INPUT: (r"torch/utils/data/", r"transformers/data/", r"-packages/datasets/"),
        Mark.COMMUNICATION: (
            r"torch/distributed/(fsdp|_composable|_symmetric_memory)/",
            r"torch/distributed/(distributed_c10d|_functional_collectives|nn/functional)\.py$",
            r"torch/distributed/tensor/_(redistribute|collective_utils)\.py$",
            r"torch/nn/parallel/comm\.py$",
            r"deepspeed/(comm|runtime/comm|runtime/zero)/",
        ),
        Mark.COMPILED: (r"torchinductor_", r"torch/_inductor/", r"torch/_functorch/"),
    }
)

_IN_FUNCTIONS = _table(
    {
        Mark.STATE: (r"^_?(init|initialize)_(group|state\w*|optim\w*)$",),
        Mark.OPTIMIZER: (r"^_?(clip_grad|single_tensor|multi_tensor|fused_adam)\w*$",),
        Mark.BACKWARD: (r"^(backward|_engine_run_backward)$",),
        Mark.FORWARD: (r"^forward$",),
        Mark.LOSS: (
            r"(cross_entropy|nll_loss|log_softmax|mse_loss|l1_loss|ctc_loss|kl_div|hinge_loss|LMLoss)",
            r"^(loss_function|loss_fn|criterion)$",
        ),
        Mark.LOAD: (
            r"^(from_pretrained|to_empty|reset_parameters|get_peft_model|fully_shard|flatten_tensors)$",
            r"^_?load_(state_dict|checkpoint|model|weights|file|from_state_dict)$",
            r"^_?(init(ialize)?_weights|materialize\w*|init_sharded_param|init_flat_param\w*)$",
        ),
        Mark.INIT: (r"^__init__$",),
        Mark.INPUT: (
            r"collate",
            r"^(send_to_device|_prepare_inputs?|preload|prefetch)$",
            r"^_?(batch_|move_|move_data_|transfer_batch_|move_batch_)?to_device$",
            r"^_?(get|next|load|prefetch)_batch$",
        ),
        Mark.COMMUNICATION: (r"all_?gather|reduce_?scatter|all_?reduce|all_to_all",),
        Mark.COMPILED: (r"^Torch-Compiled Region",),
        Mark.EVALUATION: (
            r"^(evaluate|validate|predict|generate|test)$",
            r"^(eval|evaluation|val|validation|test|predict|prediction)_(step|loop|epoch|batch)$",
        ),
    }
)

_IN_CPP = _table(
    {
        Mark.BACKWARD: (r"torch::autograd::(Engine|python::PythonEngine)::",),
        Mark.LOSS: (r"nll_loss|log_softmax|cross_entropy",),
        Mark.COMMUNICATION: (r"c10d::|nccl",),
    }
)

_EXACT = tuple(
    (mark, re.compile(in_file), re.compile(in_function))
    for mark, in_file, in_function in (
        (Mark.FORWARD, r"torch/nn/modules/module\.py$", r"^_(call_impl|wrapped_call_impl|slow_forward)$"),
        (
            Mark.LOAD,
            r"torch/nn/modules/",
            r"^(__init__|_apply|convert|to|cuda|half|float|double|bfloat16|type|register_\w+)$",
        ),
        (Mark.LOAD, r"torch/optim/optimizer\.py$", r"^(load_state_dict|_process_value\w*|_cast)$"),
        (Mark.BACKWARD, r"torch/autograd/__init__\.py$", r"^(backward|grad)$"),
        (Mark.OPTIMIZER, r"torch/(amp|cuda/amp)/grad_scaler\.py$", r"^(?!scale$|apply_scale$|__init__$)"),
        (Mark.RECOMPUTE, r"checkpoint(ing)?\.py$", r"^(unpack_hook\w*|recompute_fn|backward)$"),
        (
            Mark.COMMUNICATION,
            r"torch/nn/parallel/distributed\.py$",
            r"^(_ddp_init_helper|_pre_forward|_post_forward)$",
        ),
        (Mark.NO_GRAD, r"torch/utils/_contextlib\.py$", r"^decorate_context$"),
    )
)

_AWAY = (
    # A loss in `functional` is a loss; what encloses a whole forward pass is no communication; loading is no training.
    (Mark.LOSS, Mark.FORWARD),
    (Mark.LOAD, Mark.COMMUNICATION | Mark.INIT),
    (Mark.FORWARD, Mark.COMMUNICATION),
    (Mark.RECOMPUTE, Mark.FORWARD),
)


def marks_of(places: Sequence[Place]) -> list[int]:
    """Give the marks of each place; what has the same file and function is looked at once."""
    known: dict[tuple[str, str], int] = {}
    files: dict[str, int] = {}
    made = []
    for place in places:
        key = (place.file, place.function)
        marks = known.get(key)
        if marks is None:
            marks = known[key] = _marks(place.file, place.function, files)
        made.append(marks)
    return made


def _marks(file: str, function: str, files: dict[str, int]) -> int:
    file, function = file[-LONGEST_NAME:].replace("\\", "/"), function[:LONGEST_NAME]
    if not file.endswith((".py", ">")) and "::" in function:
        return _first(_IN_CPP, function)
    found = files.get(file)
    if found is None:
        found = files[file] = _first(_IN_FILES, file)
    found |= _first(_IN_FUNCTIONS, function)
    for mark, in_file, in_function in _EXACT:
        if in_function.search(function) and in_file.search(file):
            found |= mark
    for strong, weak in _AWAY:
        if found & strong:
            found &= ~weak
    return int(found)


def _first(patterns: Sequence[tuple[Mark, re.Pattern[str]]], text: str) -> int:
    found = 0
    for mark, pattern in patterns:
        if pattern.search(text):
            found |= mark
    return found
