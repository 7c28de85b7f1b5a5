"""What a process is, rung by rung: from its command line and files to what it should hold, or why that is not known."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dstop.footprint.live.clues import Clues
from dstop.footprint.live.recognise import recognise
from dstop.model.footprint import PARTS


def test_a_vllm_server_of_a_local_folder_is_known_by_its_config(build):
    """The folder's config.json is read where the process would find it, and the options are the SPEC's fields."""
    files = build.files()
    witness = build.witness(
        "/usr/bin/vllm", "serve", "/models/llama", "--gpu-memory-utilization", "0.5",
        framework="vLLM", read=files,
    )  # fmt: skip
    known = recognise(witness)
    assert files.asked == ["/models/llama/config.json"]
    assert known.model == "llama"
    assert known.footprint.total_parameters == 8_030_261_248
    assert known.footprint.phase == "inference"
    assert {
        "model": "config.json",
        "gpu_memory_utilization": "command line",
        "gpu": "driver",
    }.items() <= known.sources.items()
    assert known.unknown == {}
    assert known.low_bytes <= known.expected_bytes <= known.high_bytes


def test_a_worker_with_a_title_has_its_servers_options(build):
    """A tensor-parallel worker only has a name: its parent's command line says the rest."""
    parent = ("/usr/bin/vllm", "serve", "/models/llama", "-tp", "4")
    witness = build.witness(
        "VLLM::Worker_TP3", framework="vLLM", cmdlines=(parent,), read=build.files(), rank=3
    )
    known = recognise(witness)
    assert known.footprint.gpus == 4
    assert known.sources["parallel.tp"] == "command line"


def test_a_process_that_names_no_model_is_not_known_with_the_reason(build):
    """Nothing is guessed from a framework alone."""
    why = recognise(build.witness("python", "train.py", "--lr", "1e-4"))
    assert (
        why
        == "what model this is, is not known: its command line names none, and dstop is not attached to it"
    )


def test_training_without_a_batch_size_has_a_floor_and_says_which_parts_are_unknown(build):
    """Weights, gradients and states are known, activations are not: then the expected total is only a floor."""
    witness = build.witness(
        "python", "train.py", "--model", "/models/llama", "--dtype", "bfloat16", "--optim", "adamw_torch",
        read=build.files(),
    )  # fmt: skip
    known = recognise(witness)
    assert set(known.unknown) == {"activations", "logits"}
    assert known.unknown["activations"] == "batch and sequence are not known"
    assert known.high_bytes is None
    told = sum(known.rank.parts.by_part()[part] for part in PARTS if part not in known.unknown)
    assert known.expected_bytes == told


def test_an_unknown_architecture_is_refused_by_its_name(build):
    """What dstop cannot compute, it says; the file's own word is the reason."""
    files = build.files({"model_type": "rwkv", "architectures": ["RwkvForCausalLM"]})
    why = recognise(build.witness("vllm", "serve", "/models/llama", framework="vLLM", read=files))
    assert why.startswith("what model this is, is not known: ")
    assert "rwkv" in why


JUNK = (
    st.none()
    | st.booleans()
    | st.integers(-5, 2**63)
    | st.floats()
    | st.text(max_size=5)
    | st.just([])
    | st.just({})
)
WORDS = st.sampled_from(
    [
        "--batch-size",
        "--max-length",
        "--dtype",
        "--lora-r",
        "--optim",
        "--fsdp",
        "-tp",
        "-pp",
        "-dp",
        "--gpu-memory-utilization",
        "--max-model-len",
        "--kv-cache-dtype",
        "--bf16",
        "--gradient-checkpointing",
        "--per_device_train_batch_size",
        "1",
        "8",
        "0",
        "-1",
        "1k",
        "99999999999",
        "bf16",
        "x",
    ]
)


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_configuration_and_no_command_line_breaks_it(build, data):
    """Whatever a stranger's files and words say: an expectation whose band is in order, or a printable reason."""
    base = data.draw(st.sampled_from([build.llama, build.v2_lite]))
    config = base | data.draw(st.dictionaries(st.sampled_from(sorted(base)), JUNK, max_size=3))
    start = data.draw(
        st.sampled_from(
            [("vllm", "serve", "/models/llama"), ("python", "train.py", "--model", "/models/llama")]
        )
    )
    witness = build.witness(
        *start,
        *data.draw(st.lists(WORDS, max_size=6)),
        framework=data.draw(st.sampled_from(["vLLM", "SGLang", "pytorch", "DeepSpeed", "Megatron"])),
        rank=data.draw(st.none() | st.integers(0, 9)),
        world_size=data.draw(st.none() | st.integers(0, 9)),
        gpu_bytes=data.draw(st.none() | st.sampled_from([0, 1, 2**34, 2**37])),
        read=build.files(config),
    )
    known = recognise(witness)
    if isinstance(known, str):
        assert known.isprintable()
        assert len(known) <= 200
    else:
        assert known.low_bytes >= 0
        assert known.high_bytes is None or known.low_bytes <= known.expected_bytes <= known.high_bytes


def test_a_name_is_looked_up_in_the_catalog_where_there_is_no_file(build):
    """The last way to a model: by its name, or by that of its folder."""
    known = recognise(build.witness("vllm", "serve", "deepseek-ai/DeepSeek-V3", "-tp", "8", framework="vLLM"))
    assert (known.model, known.sources["model"], known.tier) == (
        "DeepSeek-V3",
        "catalog",
        "DeepSeek-Enterprise",
    )
    folder = recognise(build.witness("vllm", "serve", "/data/Llama-3.1-8B/", framework="vLLM"))
    assert folder.sources["model"] == "catalog, by the folder's name"


@pytest.mark.parametrize(
    ("rank", "stage"),
    [(0, 0), (3, 0), (4, 1), (7, 1), (None, None)],
    ids=["first", "last-of-first", "second", "last", "unknown"],
)
def test_a_rank_has_its_own_stage(build, rank, stage):
    """Megatron-LM's stages are outermost: of eight ranks with two stages the first four are the first."""
    words = (
        "python",
        "pretrain.py",
        "--load",
        "/models/llama",
        "--pipeline-model-parallel-size",
        "2",
        "--bf16",
    )
    more = ("--micro-batch-size", "1", "--seq-length", "2048")
    witness = build.witness(*words, *more, framework="Megatron", rank=rank, world_size=8, read=build.files())
    known = recognise(witness)
    assert known.footprint.gpus == 8
    largest = known.footprint.ranks[known.footprint.chosen].stage
    assert known.rank.stage == (largest if stage is None else stage)


def test_ranks_that_do_not_divide_are_refused(build):
    """Six ranks are no whole number of groups of four."""
    words = (
        "python",
        "pretrain.py",
        "--load",
        "/models/llama",
        "--tensor-model-parallel-size",
        "4",
        "--bf16",
    )
    why = recognise(build.witness(*words, framework="Megatron", rank=0, world_size=6, read=build.files()))
    assert "its 6 ranks do not divide into tensor, pipeline and context parallel groups of 4" in why


def test_what_a_higher_rung_says_a_lower_one_does_not_change(build):
    """The user's entry fills what is missing, and nothing else."""
    said = Clues(
        rung="user",
        model="meta-llama/Llama-2-7b",
        fields={"batch": 64, "sequence": 512, "phase": "inference"},
    )
    words = ("python", "train.py", "--model", "/models/llama", "--batch-size", "2", "--optim", "adamw_torch")
    known = recognise(build.witness(*words, read=build.files()), [said])
    assert known.footprint.total_parameters == 8_030_261_248
    assert (known.sources["batch"], known.sources["sequence"]) == ("command line", "user")
    assert known.footprint.phase == "training"


def test_a_wrong_field_of_the_users_is_a_reason_with_its_name(build):
    """An entry with a misspelt field is told where the expectation would be."""
    said = Clues(rung="user", fields={"bacth": 2})
    words = ("python", "train.py", "--model", "/models/llama", "--optim", "adamw_torch")
    assert "bacth" in recognise(build.witness(*words, read=build.files()), [said])


def test_a_deepspeed_configuration_is_read(build):
    """Its stage, precision and micro-batch stand in a file of their own."""
    files = build.files()
    files.put(
        "ds.json",
        {"zero_optimization": {"stage": 2}, "bf16": {"enabled": True}, "train_micro_batch_size_per_gpu": 4},
    )
    words = (
        "python",
        "train.py",
        "--model",
        "/models/llama",
        "--deepspeed",
        "ds.json",
        "--max_length",
        "512",
    )
    known = recognise(build.witness(*words, framework="DeepSpeed", rank=0, world_size=8, read=files))
    assert known.unknown == {}
    assert known.sources["batch"] == "command line"
    parts = known.rank.parts
    assert parts.weights_bytes >= 2 * 8_030_261_248 > 4 * parts.gradients_bytes


def test_what_an_engine_cannot_be_reckoned_with_says_so(build):
    """A GGUF server is named, and not guessed."""
    why = recognise(build.witness("llama-server", "-m", "x.gguf", framework="llama.cpp", model="x.gguf"))
    assert why == "its model is a GGUF file, whose header is not read"
