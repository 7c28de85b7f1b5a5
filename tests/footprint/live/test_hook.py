"""What a hook's count of modules and optimizers says of a SPEC."""

from __future__ import annotations

import pytest

from dstop.footprint.live.hook import held_of, hook_clues
from dstop.footprint.live.recognise import recognise
from dstop.model.segment import ModelFacts

PARAMETERS = 8_030_261_248


def facts(config=None, *, state=0, optimizer="torch.optim.adamw.AdamW", **model):
    """Give the count of one bf16 model, with an optimizer unless its name is empty."""
    counted = {
        "class": "LlamaForCausalLM", "parameters": PARAMETERS, "local_parameters": PARAMETERS, "trainable": PARAMETERS,
        "parameter_bytes": 2 * PARAMETERS, "gradient_bytes": 0, "buffer_bytes": 256,
        "dtypes": {"bfloat16": 2 * PARAMETERS}, "devices": {"cuda:0": 2 * PARAMETERS}, "checkpointed": 0,
    } | model  # fmt: skip
    states = {
        "class": optimizer,
        "state_bytes": state,
        "state_dtypes": {"bfloat16": state} if state else {},
        "defaults": {},
    }
    return ModelFacts(models=(counted,), optimizers=(states,) if optimizer else (), config=config)


def test_an_optimizer_is_what_only_training_has():
    """With one it trains, in the formats that are counted; without one and without gradients it serves."""
    training = hook_clues(facts(state=4 * PARAMETERS), 1).fields
    assert {
        "phase": "training",
        "optimizer": "adamw",
        "optimizer_state": "bf16",
        "weights": "bf16",
    }.items() <= training.items()
    assert training["checkpointing"] == "none"
    assert "master_weights" not in training
    assert hook_clues(facts(optimizer=""), 1).fields["phase"] == "inference"


def test_a_third_number_in_adams_states_is_the_master_copy():
    """Twelve bytes a parameter are two moments and an fp32 copy."""
    counted = facts(state=12 * PARAMETERS)
    assert hook_clues(counted, 1).fields["master_weights"] is True


@pytest.mark.parametrize(
    ("defaults", "name"),
    [({"momentum": 0.9}, "sgd_momentum"), ({"momentum": 0}, "sgd")],
    ids=["momentum", "plain"],
)
def test_sgd_keeps_a_moment_only_with_momentum(defaults, name):
    """The optimizer's own defaults tell."""
    counted = facts()
    state = {**counted.optimizers[0], "class": "torch.optim.sgd.SGD", "defaults": defaults}
    told = ModelFacts(models=counted.models, optimizers=(state,))
    assert hook_clues(told, 1).fields["optimizer"] == name


def test_a_rank_with_part_of_its_parameters_is_sharded_by_pytorch():
    """FSDP2's tensors know their whole size and what of it is here."""
    assert hook_clues(facts(local_parameters=PARAMETERS // 8), 8).fields["parallel.zero"] == 3
    assert "parallel.zero" not in hook_clues(facts(), 8).fields
    assert "parallel.zero" not in hook_clues(facts(local_parameters=PARAMETERS // 8), None).fields


def test_what_is_held_is_what_is_on_that_device():
    """A model on two devices counts with its share of each; a count that was cut short does not count."""
    counted = facts(devices={"cuda:0": PARAMETERS, "cuda:1": PARAMETERS}, buffer_bytes=0)
    assert held_of(counted, 0).weights_bytes == held_of(counted, 1).weights_bytes == PARAMETERS
    assert held_of(counted, 2).weights_bytes == 0
    cut = ModelFacts(models=counted.models, unavailable={"complete": "counting stopped after 1 of 2 objects"})
    assert held_of(cut, 0) is None
    assert held_of(None, 0) is None


def test_the_configuration_in_the_process_comes_before_its_command_line(build):
    """What is alive in the process is what it is, whatever it was started as."""
    inside = facts(build.llama, state=4 * PARAMETERS)
    words = (
        "python",
        "train.py",
        "--model",
        "deepseek-ai/DeepSeek-V3",
        "--batch_size",
        "1",
        "--max_length",
        "512",
    )
    known = recognise(build.witness(*words, inside=inside, model="DeepSeek-V3"))
    assert known.footprint.total_parameters == PARAMETERS
    assert known.sources["model"] == "hook"
    assert (known.sources["batch"], known.sources["weights"]) == ("command line", "hook")


def test_a_job_whose_ranks_each_hold_the_whole_model_is_known_by_its_count(build):
    """Eight ranks without a word on sharding: the hook counts all parameters in this one, so nothing is sharded."""
    inside = facts(build.llama, state=4 * PARAMETERS)
    known = recognise(build.witness("python", "train.py", inside=inside, rank=0, world_size=8))
    assert known.footprint.gpus == 8
    without = recognise(
        build.witness(
            "python",
            "train.py",
            "--model",
            "/models/llama",
            "--lr",
            "1",
            read=build.files(),
            rank=0,
            world_size=8,
        )
    )
    assert "how its 8 ranks share the model is not known" in without


@pytest.mark.parametrize(
    "junk", [{"dtypes": 3}, {"parameters": "x"}, {"devices": {"cuda:0": "x"}}, {"parameters": True}], ids=str
)
def test_a_lying_hook_is_only_not_believed(junk):
    """Any values of any kind: nothing raises."""
    counted = facts(**junk)
    hook_clues(counted, 8)
    held_of(counted, 0)
