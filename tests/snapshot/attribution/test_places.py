"""A line of a stack is read for what kind of code it is."""

from __future__ import annotations

import pytest

from dstop.model.segment import Place
from dstop.snapshot.attribution.places import LONGEST_NAME, Mark, marks_of

TORCH = "/opt/venv/lib/python3.12/site-packages/torch"


@pytest.mark.parametrize(
    ("file", "function", "mark"),
    [
        (f"{TORCH}/optim/adamw.py", "_init_group", Mark.OPTIMIZER | Mark.STATE),
        (f"{TORCH}/optim/lr_scheduler.py", "wrapper", 0),
        (f"{TORCH}/optim/optimizer.py", "load_state_dict", Mark.OPTIMIZER | Mark.LOAD),
        (f"{TORCH}/nn/utils/clip_grad.py", "_clip_grads_with_norm_", Mark.OPTIMIZER),
        (f"{TORCH}/amp/grad_scaler.py", "unscale_", Mark.OPTIMIZER),
        (f"{TORCH}/amp/grad_scaler.py", "scale", 0),
        (f"{TORCH}/nn/modules/module.py", "_call_impl", Mark.FORWARD),
        (f"{TORCH}/nn/modules/module.py", "_apply", Mark.LOAD),
        (f"{TORCH}/nn/modules/linear.py", "__init__", Mark.LOAD),
        (f"{TORCH}/nn/modules/linear.py", "forward", Mark.FORWARD),
        (f"{TORCH}/nn/modules/loss.py", "forward", Mark.LOSS),
        (f"{TORCH}/nn/functional.py", "gelu", Mark.FORWARD),
        (f"{TORCH}/nn/functional.py", "cross_entropy", Mark.LOSS),
        (f"{TORCH}/utils/checkpoint.py", "unpack_hook", Mark.RECOMPUTE),
        (f"{TORCH}/utils/checkpoint.py", "forward", Mark.FORWARD),
        (f"{TORCH}/utils/data/_utils/fetch.py", "fetch", Mark.INPUT),
        (
            f"{TORCH}/distributed/fsdp/_fully_shard/_fsdp_collectives.py",
            "foreach_all_gather",
            Mark.COMMUNICATION,
        ),
        (f"{TORCH}/distributed/fsdp/_fully_shard/_fsdp_param.py", "_init_sharded_param", Mark.LOAD),
        (f"{TORCH}/distributed/fsdp/fully_sharded_data_parallel.py", "forward", Mark.FORWARD),
        (f"{TORCH}/distributed/elastic/multiprocessing/errors/__init__.py", "wrapper", 0),
        (f"{TORCH}/_tensor.py", "backward", Mark.BACKWARD),
        ("C:\\venv\\Lib\\site-packages\\torch\\optim\\sgd.py", "step", Mark.OPTIMIZER),
        ("/home/ann/optim/train.py", "main", 0),
        ("/home/ann/model.py", "__init__", Mark.INIT),
        ("/home/ann/train.py", "evaluate", Mark.EVALUATION),
        ("/home/ann/train.py", "validated", 0),
        (
            "",
            "torch::autograd::Engine::thread_main(std::shared_ptr<torch::autograd::GraphTask> const&)",
            Mark.BACKWARD,
        ),
        ("x.cpp", "torch::autograd::VariableType::(anonymous namespace)::addmm()", 0),
        ("x.cpp", "at::_ops::nll_loss_forward::call(at::Tensor const&)", Mark.LOSS),
        ("x.cpp", "at::native::_softmax_backward(at::Tensor const&)", 0),
    ],
)
def test_marks(file: str, function: str, mark: Mark) -> None:
    """The file and the function say what kind of code a line is; most lines are nothing in particular."""
    assert marks_of([Place(file, 3, function)]) == [mark]


def test_a_name_of_any_length_costs_little() -> None:
    """C++ has names of many thousands of characters: only their beginning is looked at."""
    far = "x" * LONGEST_NAME + "::nll_loss"
    assert marks_of([Place("x.cpp", 0, "a::" + far), Place("x.py", 0, far)]) == [0, 0]
