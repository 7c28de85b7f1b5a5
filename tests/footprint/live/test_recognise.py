"""What a process is, rung by rung: from its command line and files to what it should hold, or why that is not known."""

from __future__ import annotations

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
