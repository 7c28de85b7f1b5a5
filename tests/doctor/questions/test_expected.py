"""What a job was, in the terms of a plan: read from printed configurations, command lines and settings, never guessed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.doctor.case import Case
from dstop.doctor.diagnose import diagnose_logs
from dstop.doctor.evidence.collect import facts_of
from dstop.doctor.questions.arithmetic import (
    BatchFit,
    activation_bytes,
    batch_that_fits,
    checkpointing_recovers_bytes,
    counted,
    planned,
    trained_bytes,
    training_state_bytes,
    weights_bytes,
    weights_of_card_bytes,
)
from dstop.doctor.text.read import log_of_text
from dstop.units import GIB

CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 2048,
    "intermediate_size": 8192,
    "max_position_embeddings": 131072,
    "model_type": "llama",
    "num_attention_heads": 32,
    "num_hidden_layers": 16,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "rope_scaling": {"factor": 32.0, "rope_type": "llama3"},
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "vocab_size": 128256,
}
PARAMETERS = 1_235_814_400
"""Of Llama-3.2-1B, as its model card's files have it."""
PRINTED = f"[INFO|configuration_utils.py:728] >> Model config LlamaConfig {json.dumps(CONFIG, indent=2)}\n"
SETTINGS = "per_device_train_batch_size={batch} max_seq_length=4096 gradient_accumulation_steps=1 bf16=True\n"
STEP = '  File "/home/u/train.py", line 88, in training_step\n    loss.backward()\n'
FAILED = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of {total} GiB of"
    " which 1.00 GiB is free. Including non-PyTorch memory, this process has {held} GiB memory in use. Of the allocated"
    " memory {held} GiB is allocated by PyTorch, and 100.00 MiB is reserved by PyTorch but unallocated.\n"
)


def case_of(text):
    """Make a case of a log."""
    return Case([facts_of(log_of_text(text, "x.log"))])


def training(batch=16, total="79.00", held="77.00", printed=PRINTED):
    """Give the log of a training that failed in backward."""
    return printed + SETTINGS.format(batch=batch) + STEP + FAILED.format(total=total, held=held)


def test_a_printed_configuration_is_the_model():
    """Transformers prints the whole config.json: the parameters are counted from it."""
    case = case_of(training())
    assert case.expected is not None
    assert case.expected.architecture.total_parameters == PARAMETERS
    assert weights_bytes(case) == 2 * PARAMETERS


def test_the_job_is_read_from_the_settings():
    """Batch, sequence, phase and precision are those of the log."""
    spec = case_of(training(batch=16)).expected.spec
    assert (spec.phase, spec.batch, spec.sequence) == ("training", 16, 4096)
    assert (spec.weights, spec.autocast) == ("fp32", "bf16")
    assert case_of(training()).expected.knows_step


def test_a_size_alone_is_no_model():
    """`7b` says how many parameters there are, and nothing of layers: no plan is made of it."""
    assert case_of(training(printed="model 7b\n")).expected is None


def test_an_unknown_configuration_is_no_model():
    """An architecture that dstop does not know is not taken for one that it does."""
    printed = PRINTED.replace('"llama"', '"abacus"')
    assert case_of(training(printed=printed)).expected is None


def test_a_broken_configuration_is_no_model():
    """A configuration that is cut off in the log is not completed."""
    assert case_of(training(printed=PRINTED[:300])).expected is None


def test_all_dimensions_and_a_matching_count_are_a_model():
    """Hidden size, layers, heads, MLP width and vocabulary with the parameters that they make."""
    words = "hidden_size=4096 num_hidden_layers=32 num_attention_heads=32 intermediate_size=11008 vocab_size=32000\n"
    assert case_of(words + "Number of parameters: 6,738,415,616\n").expected is not None
    assert case_of(words + "Number of parameters: 13,000,000,000\n").expected is None
    assert case_of(words).expected is None


@pytest.mark.parametrize(
    ("words", "stage", "ranks"),
    [
        ("zero_stage: 3 world_size=8 deepspeed", 3, 8),
        ("zero_stage: 2 world_size=4 deepspeed", 2, 4),
        ("", 0, 1),
    ],
)
def test_states_are_those_of_the_plan(words, stage, ranks):
    """With the model known, states come from the same arithmetic as `dstop plan`: 16 bytes a parameter over its ranks."""
    case = case_of(f"{words}\n" + training())
    assert case.expected.spec.parallel.zero == stage
    assert case.expected.spec.parallel.dp == ranks
    assert training_state_bytes(case) == planned(case).per_gpu.parts.static_bytes


def test_the_batch_is_tried_in_the_plan():
    """What fits is on the card also at the high end of the band, what may by the expected value: one more does not."""
    case = case_of(training(batch=64))
    fits = batch_that_fits(case)
    room = 79 * GIB
    assert fits is not None
    assert "the plan of" in fits.says
    assert 0 < fits.surely <= fits.likely < 64
    assert planned(case, batch=fits.surely).per_gpu.high_bytes <= room
    assert planned(case, batch=fits.surely + 1).per_gpu.high_bytes > room
    assert planned(case, batch=fits.likely).per_gpu.parts.total_bytes <= room
    assert fits.likely == 63 or planned(case, batch=fits.likely + 1).per_gpu.parts.total_bytes > room


def test_a_plan_that_disagrees_with_the_failure_is_not_used():
    """Batch 1 of a 1 B model fits into 79 GiB: what filled the card is something else, and the plan is not about it."""
    fits = batch_that_fits(case_of(training(batch=2)))
    assert fits is None or fits.says.startswith("a linear model")


def test_where_no_batch_fits_that_is_said_and_none_is_named():
    """On a card of 8 GiB the states alone do not fit: a smaller batch is no fix, and the report says so."""
    text = training(batch=4, total="8.00", held="6.80")
    fits = batch_that_fits(case_of(text))
    assert fits is not None
    assert fits.likely == 0
    (first, *_others) = diagnose_logs([log_of_text(text)]).diagnoses
    titles = [fix.title for fix in first.fixes if fix.id == "reduce_batch"]
    assert not any("fits" in title for title in titles)


def test_the_fix_says_its_arithmetic():
    """The report names the batch, and that it is the plan's."""
    report = diagnose_logs([log_of_text(training(batch=64))])
    titles = [fix.title for one in report.diagnoses for fix in one.fixes if fix.id == "reduce_batch"]
    assert any("64 does not, by the plan of" in title for title in titles)


def test_checkpointing_is_the_difference_of_two_plans():
    """What full recomputation saves is the plan without less the plan with it."""
    case = case_of(training(batch=16))
    saved = (
        planned(case, checkpointing="none").per_gpu.parts.total_bytes
        - planned(case, checkpointing="full").per_gpu.parts.total_bytes
    )
    assert checkpointing_recovers_bytes(case) == min(saved, activation_bytes(case))
    small = case_of(training(batch=4))
    saved = (
        planned(small, checkpointing="none").per_gpu.parts.total_bytes
        - planned(small, checkpointing="full").per_gpu.parts.total_bytes
    )
    assert checkpointing_recovers_bytes(small) == saved


def test_a_job_that_does_not_say_how_it_shards_is_not_charged_with_all_states():
    """Eight ranks may share their states or not: nothing is claimed of a rank, and nothing recovers more than was live."""
    case = case_of(training(batch=16) + "\n--nproc_per_node=8\n")
    assert case.number("world_size") == 8
    assert training_state_bytes(case) is None
    assert checkpointing_recovers_bytes(case) <= case.failure.allocated_bytes


def test_adapters_without_a_count_are_no_training_plan():
    """How much LoRA trains is not guessed; what its own line says is used."""
    assert case_of("peft lora\n" + training()).expected.spec is None
    told = "trainable params: 12,358,144 || all params: 1,235,814,400 || trainable%: 1.0\n"
    spec = case_of(told + training()).expected.spec
    assert spec is not None
    assert spec.trainable_fraction == pytest.approx(0.01, rel=1e-3)


@given(st.text(alphabet='{}":model_typelama,0123456789[] \n', max_size=300))
def test_any_text_around_a_configuration_is_survived(text):
    """Braces without end are no model and no crash."""
    case = case_of(f'"model_type": {text} {{"model_type": {text}\n' + STEP)
    assert case.expected is None or case.expected.architecture.total_parameters >= 0


def test_a_command_line_in_the_log_names_the_model():
    """What was typed is read as the monitor reads it of a live process: the catalog's model, its options."""
    typed = (
        "+ torchrun --nproc_per_node 8 finetune.py --model_name_or_path meta-llama/Llama-3.2-1B"
        " --per_device_train_batch_size 64 --max_seq_length 4096 --bf16 True --optim adamw_bnb_8bit\n"
    )
    case = case_of(typed + STEP + FAILED.format(total="79.00", held="77.00"))
    assert case.expected is not None
    assert case.expected.architecture.total_parameters == PARAMETERS
    spec = case.expected.spec
    assert (spec.batch, spec.sequence, spec.optimizer, spec.parallel.dp) == (64, 4096, "adamw8bit", 8)
    assert batch_that_fits(case).likely < 64


def test_a_name_in_the_log_is_looked_up():
    """An engine prints `model='...'`: the exact count of parameters replaces the one of the name."""
    text = "Initializing an LLM engine with config: model='/models/Qwen2.5-0.5B-Instruct', tensor_parallel_size=1\n"
    assert weights_bytes(case_of(text)) == 2 * 494_032_768


def test_what_adapters_do_without_is_gradients_and_states():
    """With the model known, they are the plan's; a size alone has 14 of 16 bytes a parameter."""
    case = case_of(training())
    parts = planned(case).per_gpu.parts
    assert trained_bytes(case) == parts.gradients_bytes + parts.optimizer_bytes
    assert trained_bytes(case_of("model 7b train\n")) == 14 * 7 * 10**9
    assert trained_bytes(case_of("nothing\n")) is None


def test_the_weights_of_a_card_are_the_shards_of_the_plan():
    """Two cards share what can be split; norms are on both, so that half of all is a little too few."""
    text = (
        "INFO [core.py:58] Initializing a V1 LLM engine (v0.9.1) with config: model='meta-llama/Llama-3.2-1B',"
        " tensor_parallel_size=2\nvllm/v1/engine/core.py\n"
    )
    case = case_of(text)
    assert case.framework == "vllm"
    assert 0 <= weights_of_card_bytes(case) - PARAMETERS < 4 * 10**6
    assert weights_of_card_bytes(case_of("model 7b tensor_parallel_size=2\n")) == 7 * 10**9


def test_a_rule_says_whose_parameters_it_counts():
    """The evidence names the model and its exact count, not the rounded size."""
    assert counted(case_of(training())) == "the 1,235,814,400 parameters of LlamaForCausalLM"
    assert counted(case_of("model 7b train\n")) == "7,000,000,000 parameters"


def test_a_command_over_several_lines_is_one():
    """Scripts continue their commands with backslashes, and logs repeat them."""
    typed = (
        "torchrun --nproc_per_node 2 finetune.py \\\n  --model_name_or_path meta-llama/Llama-3.2-1B \\\n"
        "  --per_device_train_batch_size 64 --max_seq_length 4096 --bf16 True\n"
    )
    spec = case_of(typed + STEP + FAILED.format(total="79.00", held="77.00")).expected.spec
    assert (spec.batch, spec.sequence) == (64, 4096)


def test_a_log_of_nothing_but_programs_is_read_in_a_moment():
    """A log of `python` on one line, or on each, is no reason to search for ever: lines are cut and counted."""
    for separator in (" ", " --\n"):
        case = case_of("--model x\n" + ("python" + separator) * 10_000)
        assert case.expected is None


@pytest.mark.parametrize(
    ("surely", "likely", "says"),
    [
        (11, 11, "11 fits, 12 does not, by x"),
        (9, 11, "9 fits, up to 11 may, 12 does not, by x"),
        (0, 11, "about 11, by x"),
    ],
)
def test_a_claim_says_how_sure_it_is(surely, likely, says):
    """A band that is narrow gives one figure, a wide one gives two, a rough model says about."""
    assert BatchFit(surely=surely, likely=likely, says="x").claim(12) == says


def test_the_length_of_a_generation_is_no_sequence():
    """Configurations print `"max_length": 20`: that is of generation, and the training's own length stands elsewhere."""
    assert case_of('{"max_length": 20}\nmax_seq_length=4096\n').number("sequence") == 4096
    assert case_of('{"max_length": 20}\n').number("sequence") is None
    assert case_of("--max_length 512\n").number("sequence") == 512
