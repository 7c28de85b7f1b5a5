"""Shapes, batches and growth: the arithmetic behind fixes."""

from __future__ import annotations

import pytest

from dstop.doctor.case import Case
from dstop.doctor.diagnose import diagnose_logs
from dstop.doctor.evidence.collect import facts_of
from dstop.doctor.questions.arithmetic import (
    batch_that_fits,
    checkpointing_recovers_bytes,
    training_state_bytes,
    weights_bytes,
)
from dstop.doctor.questions.series import growth_in
from dstop.doctor.questions.shapes import attention_shape, logits_shape
from dstop.doctor.text.read import log_of_text
from dstop.units import GIB

FULL = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate {tried}. GPU 0 has a total capacity of 79.00 GiB of which"
    " {free} is free. Including non-PyTorch memory, this process has 78.00 GiB memory in use. Of the allocated memory"
    " {allocated} is allocated by PyTorch, and 100.00 MiB is reserved by PyTorch but unallocated.\n"
)


def case_of(text):
    """Make a case of a log."""
    return Case([facts_of(log_of_text(text, "x.log"))])


def test_logits_are_solved_with_the_figures_of_the_log():
    """4 x 4096 tokens x 128256 x 4 bytes are 7.83 GiB, and no other shape is claimed."""
    settings = "per_device_train_batch_size=4 max_seq_length=4096 vocab_size=128256\n"
    case = case_of(settings + FULL.format(tried="7.83 GiB", free="1.00 GiB", allocated="70.00 GiB"))
    assert logits_shape(case) == "4 x 4,096 tokens x 128,256 vocabulary x 4 bytes (float32)"
    other = case_of(settings + FULL.format(tried="7.10 GiB", free="1.00 GiB", allocated="70.00 GiB"))
    assert logits_shape(other) is None
    assert (
        logits_shape(case_of(FULL.format(tried="7.83 GiB", free="1.00 GiB", allocated="70.00 GiB"))) is None
    )


def test_a_score_matrix_is_solved():
    """2 x 32 heads x 8192 x 8192 x 2 bytes are 8 GiB."""
    settings = "batch_size=2 seq_len=8192 num_attention_heads=32\n"
    case = case_of(settings + FULL.format(tried="8.00 GiB", free="1.00 GiB", allocated="70.00 GiB"))
    assert "an attention matrix" in attention_shape(case)


def test_the_batch_that_fits():
    """Of 64 GiB of activations at batch 16, 1 GiB short lets about 15 fit: the step may not have been at its peak."""
    settings = "Qwen-7b lora batch_size=16 step loss training\n"
    case = case_of(settings + FULL.format(tried="2.00 GiB", free="1.00 GiB", allocated="75.04 GiB"))
    assert weights_bytes(case) == 14 * 10**9
    fits = batch_that_fits(case)
    assert fits is not None
    assert (fits.surely, fits.likely) == (0, 15)
    assert fits.claim(16) == "about 15, by a linear model of what was live when it failed"


@pytest.mark.parametrize(
    ("words", "per_parameter"),
    [
        ("", 16.0),
        ("zero_stage: 1 world_size=8", 5.5),
        ("zero_stage: 2 world_size=8", 3.75),
        ("zero_stage: 3 world_size=8", 2.0),
    ],
)
def test_states_of_a_full_fine_tune(words, per_parameter):
    """2 + 2 + 12 bytes a parameter, of which each ZeRO stage shards more."""
    assert training_state_bytes(case_of(f"model 7b train {words}\n")) == int(7e9 * per_parameter)


def test_adapters_have_hardly_any_states():
    """With LoRA the sum for all parameters is not given."""
    assert training_state_bytes(case_of("model 7b train lora\n")) is None


def test_checkpointing_saves_all_but_the_inputs_and_one_layer():
    """34sbh a layer become 2sbh, and one layer is made again."""
    case = case_of("batch_size=1 seq_len=1000 hidden_size=1000 num_hidden_layers=10\n")
    assert checkpointing_recovers_bytes(case) == (340 - 20 - 34) * 10**6


@pytest.mark.parametrize(
    ("readings", "grows"),
    [
        ([10, 11, 12, 13, 14], True),
        ([2, 10, 10.1, 10, 10.1, 10], False),
        ([10, 14, 9, 15, 10, 16], False),
        ([10, 11, 12], False),
        ([10.0, 10.01, 10.02, 10.03, 10.04], False),
    ],
)
def test_growth_is_steady_or_it_is_none(readings, grows):
    """Warm-up, noise and saws are no leak."""
    text = "\n".join(f"step {step} loss 1.0 mem {size}GiB" for step, size in enumerate(readings))
    found = growth_in(text)
    assert (found is not None) is grows
    if found is not None:
        assert found.last_bytes == 14 * GIB


def test_a_batch_is_named_in_the_fix():
    """The report says which value, and what it recovers against what is short."""
    settings = "Qwen-7b lora per_device_train_batch_size=16 gradient_accumulation_steps=2 transformers step=0 training\n"
    report = diagnose_logs(
        [log_of_text(settings + FULL.format(tried="2.00 GiB", free="1.00 GiB", allocated="75.04 GiB"))]
    )
    fix = next(fix for fix in report.diagnoses[0].fixes if fix.id == "reduce_batch")
    assert "Smaller batch: about 15" in fix.title
    assert fix.command == "--per_device_train_batch_size 8 --gradient_accumulation_steps 4"
    assert fix.short_bytes == GIB
    assert fix.is_enough
