"""`dstop plan` as it is typed: names, files, pipes, flags, and every mistake in one line with its field."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

LLAMA = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 512,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "intermediate_size": 1024,
    "vocab_size": 32000,
    "max_position_embeddings": 2048,
    "torch_dtype": "bfloat16",
}
CONTRACT = {
    "schema",
    "model",
    "parameters",
    "phase",
    "per_gpu",
    "kv_bytes_per_token",
    "checkpoint_bytes",
    "fits",
    "assumptions",
}
PARTS = {
    "weights_bytes",
    "gradients_bytes",
    "optimizer_bytes",
    "activations_bytes",
    "logits_bytes",
    "kv_cache_bytes",
    "workspace_bytes",
    "reserved_unallocated_bytes",
    "context_bytes",
}
FIT = {"gpu", "count", "fits", "headroom_bytes", "max_batch", "max_tokens", "price_per_hour"}


@pytest.fixture
def files(tmp_path):
    """Write a config.json in a directory of its own, and a SPEC.json beside it."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA))
    spec = {"model": LLAMA, "phase": "training", "batch": 2, "sequence": 256, "parallel": {"pp": 2}}
    (tmp_path / "SPEC.json").write_text(json.dumps(spec))
    return tmp_path


def _json(said):
    assert (said.code, said.err) == (0, "")
    assert said.out.count("\n") == 1
    return json.loads(said.out)


def _refused(said, *words):
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("dstop: ")
    assert said.err.count("\n") == 1
    assert said.err.strip().isprintable()
    for word in words:
        assert word in said.err


def test_the_contract_of_json(dstop, files):
    """Every field of the contract is there, the parts add up, and the band encloses the total."""
    told = _json(dstop("plan", str(files / "SPEC.json"), "--json"))
    assert told.keys() >= CONTRACT
    gpu = told["per_gpu"]
    assert gpu.keys() >= PARTS | {"total_bytes", "low_bytes", "high_bytes"}
    assert sum(gpu[part] for part in PARTS) == gpu["total_bytes"]
    assert 0 < gpu["low_bytes"] <= gpu["total_bytes"] <= gpu["high_bytes"]
    assert [rank["stage"] for rank in told["ranks"]] == [0, 1]
    assert gpu in told["ranks"]
    assert told["parameters"]["total"] == told["parameters"]["active"] > 0
    for fit in told["fits"]:
        assert fit.keys() >= FIT
        assert (fit["price_per_hour"] is None) == ("price_per_hour" in fit["unavailable"])
    assert told["assumptions"]
    assert all(isinstance(each, str) for each in told["assumptions"])
    assert (told["spec"]["batch"], told["spec"]["parallel"]["pp"]) == (2, 2)


def test_a_file_a_directory_and_a_pipe_are_one(dstop, files, monkeypatch):
    """The same config as a file, by its directory and through a pipe gives the same plan; the directory names it."""
    by_file = _json(dstop("plan", str(files / "tiny/config.json"), "--json"))
    by_folder = _json(dstop("plan", str(files / "tiny"), "--json"))
    with (files / "tiny/config.json").open() as pipe:
        monkeypatch.setattr(sys, "stdin", pipe)
        by_pipe = _json(dstop("plan", "-", "--json"))
    assert by_file == by_folder
    assert by_file["model"] == "tiny"
    assert by_pipe["model"] == "LlamaForCausalLM"
    assert by_pipe["per_gpu"] == by_file["per_gpu"]


def test_names_of_the_catalog(dstop):
    """A model is found by its name in any case, or as its files are called on the hub."""
    one = _json(dstop("plan", "llama-3-8b", "--json"))
    two = _json(dstop("plan", "meta-llama/Meta-Llama-3-8B", "--json"))
    assert one == two
    assert one["parameters"]["total"] == 8_030_261_248


def test_a_tier_is_the_guides_claim_beside_arithmetic(dstop):
    """A tier is planned as a dense Llama of its size, and says what the guide says and what cannot be."""
    told = _json(dstop("plan", "deepseek-pro", "--training", "--json"))
    assert (told["phase"], told["gpus"]) == ("training", 4)
    assert told["tier"]["guide"]["training_low_bytes"] == 24 * 10**9
    assert told["tier"]["contradictions"]
    said = dstop("plan", "deepseek-pro", "--training")
    assert "the guide" in said.out
    assert "cannot be" in said.out


@pytest.mark.parametrize(
    ("flags", "field", "value"),
    [
        (["--training"], "phase", "training"),
        (["--phase", "train"], "phase", "training"),
        (["--weights", "fp8"], "weights", "fp8"),
        (["--kv-cache", "fp8"], "kv_cache", "fp8"),
        (["-b", "7"], "batch", 7),
        (["-s", "512"], "sequence", 512),
        (["--context", "128"], "sequence", 128),
        (["--training", "--optimizer", "sgd"], "optimizer", "sgd"),
        (["--training", "--checkpointing", "full"], "checkpointing", "full"),
        (["--attention", "eager"], "attention", "eager"),
        (["--framework", "vllm"], "framework", "vllm"),
        (["--training", "--master-weights"], "master_weights", True),
        (["--gpu", "h100"], "gpu", "H100-80"),
    ],
)
def test_flags_lie_over_the_spec(dstop, files, flags, field, value):
    """What is typed wins over the file and over defaults."""
    told = _json(dstop("plan", str(files / "tiny"), *flags, "--json"))
    assert told["spec"][field] == value


def test_flags_of_the_layout(dstop, files):
    """Degrees are laid over those of the file; the others of the file stay."""
    words = ["--tp", "2", "--dp", "4", "--zero", "1", "--sequence-parallel"]
    told = _json(dstop("plan", str(files / "SPEC.json"), *words, "--json"))
    layout = told["spec"]["parallel"]
    assert (layout["tp"], layout["pp"], layout["dp"], layout["zero"]) == (2, 2, 4, 1)
    assert layout["sequence_parallel"] is True
    assert told["gpus"] == 16


def test_a_rank_of_adapters_is_training(dstop, files):
    """--lora alone plans the training of adapters; in a file that has some it changes the rank alone."""
    told = _json(dstop("plan", str(files / "tiny"), "--lora", "8", "--json"))
    assert (told["phase"], told["spec"]["lora"]["rank"]) == ("training", 8)
    path = files / "lora.json"
    path.write_text(json.dumps({"model": LLAMA, "phase": "training", "lora": {"rank": 4, "base": "nf4"}}))
    told = _json(dstop("plan", str(path), "--lora", "32", "--json"))
    assert (told["spec"]["lora"]["rank"], told["spec"]["lora"]["base"]) == (32, "nf4")


def test_gpus_are_laid_out(dstop, files):
    """Eight GPUs are ZeRO 3 over data parallelism in training, and what is said is completed; to serve, TP."""
    layout = _json(dstop("plan", str(files / "tiny"), "--training", "--gpus", "8", "--json"))["spec"][
        "parallel"
    ]
    assert (layout["dp"], layout["zero"]) == (8, 3)
    words = ["--training", "--gpus", "8", "--tp", "2", "--zero", "1", "--json"]
    layout = _json(dstop("plan", str(files / "tiny"), *words))["spec"]["parallel"]
    assert (layout["tp"], layout["dp"], layout["zero"]) == (2, 4, 1)
    layout = _json(dstop("plan", str(files / "tiny"), "--gpus", "4", "--json"))["spec"]["parallel"]
    assert (layout["tp"], layout["dp"]) == (4, 1)


def test_cards_are_those_that_are_named(dstop, files):
    """-g may be repeated, in any spelling; without it there are cards of all sizes, with --all every one."""
    told = _json(
        dstop("plan", str(files / "tiny"), "-g", "NVIDIA A100-SXM4-80GB", "-g", "rtx 4090", "--json")
    )
    assert [fit["gpu"] for fit in told["fits"]] == ["A100-80", "RTX 4090"]
    few = _json(dstop("plan", str(files / "tiny"), "--json"))["fits"]
    every = _json(dstop("plan", str(files / "tiny"), "--all", "--json"))["fits"]
    assert 5 < len(few) < len(every)


def test_a_price_and_a_run(dstop, files):
    """--price replaces the list, --hours and --tokens cost a run, and the assumptions are printed."""
    words = ["plan", str(files / "SPEC.json"), "-g", "A100-80", "--price", "A100-80=2"]
    told = _json(dstop(*words, "--hours", "10", "--json"))
    assert told["fits"][0]["price_per_hour"] == told["cost"][0]["price_per_hour"] == 4
    assert told["cost"][0]["price"] == 40
    assert told["cost"][0]["assumptions"]
    told = _json(dstop(*words, "--tokens", "1B", "--mfu", "0.5", "--json"))
    assert told["cost"][0]["tokens"] == 1e9
    assert "50%" in dstop(*words, "--tokens", "1B", "--mfu", "0.5").out


def test_a_search(dstop):
    """--search gives layouts, the cheapest first, and says what it looked at."""
    told = _json(dstop("plan", "llama-3-8b", "--training", "--search", "--json"))
    prices = [found["price_per_hour"] for found in told["search"]["found"]]
    assert prices == sorted(prices)
    assert told["search"]["configurations"] > 0
    said = dstop("plan", "llama-3-8b", "--training", "--search")
    assert "the cheapest that fits" in said.out
    assert "searched: " in said.out


def test_two_side_by_side(dstop, files):
    """--compare takes two, and the difference is the second less the first."""
    words = ["plan", "--compare", "llama-3-8b", str(files / "tiny")]
    told = _json(dstop(*words, "--json"))
    first, second = (each["per_gpu"]["weights_bytes"] for each in told["compared"])
    assert told["difference"]["weights_bytes"] == second - first < 0
    said = dstop(*words)
    assert (said.code, said.err) == (0, "")
    assert "tiny" in said.out


def test_the_catalog(dstop):
    """--list gives what can be named, and each name it gives is found."""
    told = _json(dstop("plan", "--list", "--json"))
    assert {each["name"] for each in told["tiers"]} == {
        "DeepSeek-Lite",
        "DeepSeek-Pro",
        "DeepSeek-Enterprise",
    }
    assert len(told["models"]) > 20
    said = dstop("plan", "--list")
    assert (said.code, said.err) == (0, "")
    assert "DeepSeek-V3" in said.out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], ["no model"]),
        (["llama-3-8b", "qwen3-8b"], ["--compare"]),
        (["--compare", "llama-3-8b"], ["--compare", "two"]),
        (["--compare", "-", "-"], ["once"]),
        (["llama-3-8b", "--training", "--inference"], ["--training --inference"]),
        (["llama-3-8b", "--training", "--phase", "inference"], ["phase"]),
        (["llama-3-8b", "--tp", "3"], ["parallel.tp"]),
        (["llama-3-8b", "--ep", "2"], ["parallel.ep"]),
        (["llama-3-8b", "--tp", "0"], ["parallel.tp", "out of bounds"]),
        (["llama-3-8b", "--zero", "4"], ["parallel.zero"]),
        (["llama-3-8b", "--batch", "-1"], ["batch"]),
        (["llama-3-8b", "--gpus", "0"], ["gpus"]),
        (["llama-3-8b", "--training", "--gpus", "6", "--tp", "4"], ["gpus", "tp x pp x dp x cp"]),
        (["llama-3-8b", "--weights", "int4", "--training"], ["weights"]),
        (["llama-3-8b", "--weights", "fp7"], ["weights"]),
        (["llama-3-8b", "--framework", "vllm", "--training"], ["framework"]),
        (["llama-3-8b", "--lora", "8", "--inference"], ["lora"]),
        (["llama-3-8b", "--gpu", "H1000"], ["GPU"]),
        (["llama-3-8b", "--price", "H100-80"], ["price"]),
        (["llama-3-8b", "--price", "H100-80=many"], ["price"]),
        (["llama-3-8b", "--price", "H100-80=-1"], ["price"]),
        (["llama-3-8b", "--tokens", "many"], ["tokens"]),
        (["llama-3-8b", "--hours", "-1"], ["hours"]),
        (["llama-3-8b", "--mfu", "2"], ["mfu"]),
        (["llama-9-8b"], ["model", "did you mean"]),
        (["./nowhere"], ["model", "nowhere"]),
        (["nowhere.json"], ["model", "nowhere.json"]),
        (["bad\x1b[31m\nname"], ["model"]),
        (["x" * 10_000], ["model"]),
    ],
)
def test_mistakes_are_one_line_with_the_field(dstop, words, says):
    """Exit code 2, nothing on standard output, the field and the next step on one line."""
    _refused(dstop("plan", *words), *says)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", ["JSON"]),
        ("{", ["JSON", "line 1"]),
        ("[" * 100_000, ["JSON"]),
        ("[]", ["object"]),
        ("17", ["object"]),
        ("{}", ["model"]),
        ('{"model": 7}', ["model"]),
        ('{"model": "llama-3-8b", "bacth": 2}', ["bacth", "batch"]),
        ('{"model": "llama-3-8b", "parallel": 3}', ["parallel"]),
        ('{"model": "llama-3-8b", "batch": 1e999}', ["batch"]),
        ('{"model": "llama-3-8b", "batch": ' + "9" * 5000 + "}", ["JSON"]),
        ('{"model": {"model_type": "whisper"}}', ["model_type"]),
        ('{"model_type": "llama", "hidden_size": -4}', ["hidden_size"]),
        ("\x00\xff", ["JSON"]),
    ],
)
def test_files_that_are_no_plan_are_refused(dstop, tmp_path, text, says):
    """Whatever a file holds, the answer is one line that names the field."""
    path = tmp_path / "spec.json"
    path.write_bytes(text.encode("latin-1"))
    _refused(dstop("plan", str(path), "--json"), *says)


def test_a_file_beyond_all_bounds_is_refused(dstop, tmp_path):
    """A file of gigabytes is not read: after 16 MiB it is no config."""
    path = tmp_path / "config.json"
    with path.open("wb") as file:
        file.truncate(2**34)
    _refused(dstop("plan", str(path)), "16 MiB")


def test_a_pipe_by_its_path_is_read(dstop, tmp_path):
    """What a shell gives for <(command) is a pipe with a path."""
    pipe = tmp_path / "63"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=(json.dumps(LLAMA),))
    writer.start()
    told = _json(dstop("plan", str(pipe), "--json"))
    writer.join()
    assert told["model"] == "LlamaForCausalLM"


def test_a_device_without_an_end_is_refused(dstop):
    """Nothing is read beyond 16 MiB, wherever it is from."""
    _refused(dstop("plan", "/dev/zero"), "16 MiB")


def test_a_directory_without_a_config_is_said_so(dstop, tmp_path):
    """What is missing in it is named."""
    _refused(dstop("plan", str(tmp_path)), "config.json")


def test_ascii_and_colour(dstop, files):
    """--ascii prints nothing but ASCII, colour is off in a pipe and on where it is asked for."""
    said = dstop("plan", str(files / "SPEC.json"), "--ascii")
    assert said.out.isascii()
    assert "\x1b" not in dstop("plan", str(files / "SPEC.json")).out
    assert "\x1b[" in dstop("plan", str(files / "SPEC.json"), "--color", "always").out


def test_a_plan_needs_neither_torch_nor_textual_nor_numpy(files):
    """What a plan loads is what it needs: a start of hundreds of milliseconds would be for nothing."""
    code = (
        "import sys; sys.argv = ['dstop', 'plan', sys.argv[1], '--json']\n"
        "from dstop.cli.program import run\n"
        "code = run(sys.argv[1:])\n"
        "heavy = {'torch', 'textual', 'numpy', 'rich', 'psutil', 'pynvml', 'multiprocessing'} & sys.modules.keys()\n"
        "sys.exit(f'{code} {heavy}' if code or heavy else 0)\n"
    )
    for words in (files / "SPEC.json", files / "tiny", "llama-3-8b"):
        found = subprocess.run(
            [sys.executable, "-c", code, str(words)],
            capture_output=True,
            check=False,
            cwd=Path(__file__).parents[2],
        )
        assert found.returncode == 0, found.stderr.decode()


def test_a_sequence_beyond_the_models_positions_is_said(dstop, files):
    """It is computed, for ropes can be stretched, and stands among the assumptions."""
    told = _json(dstop("plan", str(files / "tiny"), "-s", "4096", "--json"))
    assert any(each.startswith("sequence") and "2,048 positions" in each for each in told["assumptions"])
    told = _json(dstop("plan", str(files / "tiny"), "-s", "2048", "--json"))
    assert not any("positions" in each for each in told["assumptions"])


def test_training_says_nothing_of_a_cache(dstop, files):
    """Assumptions are about what was computed."""
    told = _json(dstop("plan", str(files / "tiny"), "--training", "--json"))
    assert not any(each.startswith("kv_cache") for each in told["assumptions"])


def test_the_format_below_adapters_is_typed_once(dstop, files):
    """--lora with --weights nf4 is QLoRA: four bits are below the adapters."""
    told = _json(dstop("plan", str(files / "tiny"), "--lora", "8", "--weights", "nf4", "--json"))
    plain = _json(dstop("plan", str(files / "tiny"), "--lora", "8", "--json"))
    assert told["spec"]["lora"]["base"] == "nf4"
    assert told["per_gpu"]["weights_bytes"] < plain["per_gpu"]["weights_bytes"]


def test_prices_of_the_configuration_file(dstop, files):
    """[prices] of the file is used, and --price wins over it."""
    path = files / "dstop.toml"
    path.write_text('[prices]\n"A100-80" = 1.5\n')
    words = ["plan", str(files / "tiny"), "-g", "A100-80", "--config", str(path), "--json"]
    assert _json(dstop(*words))["fits"][0]["price_per_hour"] == 1.5
    assert _json(dstop(*words, "--price", "a100=2"))["fits"][0]["price_per_hour"] == 2


def test_a_run_of_what_was_found(dstop):
    """With --search a run is costed on the layouts that were found."""
    words = ["plan", "llama-3-8b", "--training", "--search", "--tokens", "1B", "--json"]
    told = _json(dstop(*words))
    found = [(each["gpu"], each["count"]) for each in told["search"]["found"]]
    assert [(each["gpu"], each["count"]) for each in told["cost"]] == found


@pytest.mark.parametrize("width", ["60", "80", "120", "200"])
def test_text_has_the_width_of_the_terminal(dstop, files, width, monkeypatch):
    """Lines are as wide as COLUMNS says, between 60 and 200."""
    monkeypatch.setenv("COLUMNS", width)
    said = dstop("plan", str(files / "SPEC.json"), "--search", "--hours", "2")
    assert said.code == 0
    assert max(len(line) for line in said.out.splitlines()) <= int(width)
