"""What a process is called."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.sources.procfs.command import LONGEST, SPAWN_WORKER, command_name, launcher_of
from dstop.sources.procfs.launch import parse_launch

SPAWN = "from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5, pipe_handle=7)"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("python -u train.py --x", "train.py"),
        ("/usr/bin/python3.11 -X dev -W ignore /home/me/exp/train.py -c conf", "train.py"),
        ("python -uBm pkg.module --x", "module"),
        ("python -mpkg.module", "module"),
        ("python -m pkg.__main__", "pkg"),
        ("python /srv/app/__main__.py", "app"),
        ("python -", "python"),
        ("python", "python"),
        ("vllm serve deepseek-ai/DeepSeek-V3", "vllm serve"),
        ("/opt/v/bin/python3 /opt/v/bin/vllm serve X --tp 8", "vllm serve"),
        ("python -m vllm.entrypoints.openai.api_server --model X", "vllm api_server"),
        ("python -m sglang.launch_server --model-path X", "sglang launch_server"),
        ("VLLM::EngineCore_0", "VLLM::EngineCore_0"),
        ("VLLM::Worker_TP3", "VLLM::Worker_TP3"),
        ("torchrun --nproc_per_node 8 train.py --x", "torchrun train.py"),
        ("/usr/bin/python /usr/local/bin/torchrun --nproc_per_node=8 -m pkg.train", "torchrun train"),
        ("python -m torch.distributed.run --nproc_per_node 8 /w/train.py", "torchrun train.py"),
        ("accelerate launch --num_processes 8 /w/run.py", "accelerate run.py"),
        ("/usr/bin/python /usr/local/bin/jupyter-lab --port 8888", "jupyter-lab"),
        ("python -m ipykernel_launcher -f /run/k.json", "ipykernel"),
        ("/opt/llama.cpp/llama-server -m x.gguf", "llama-server"),
        ("ollama runner --model /x/sha256-aa", "ollama runner"),
        ("bash ./run.sh 8", "run.sh"),
        ("-bash", "bash"),
        ("/usr/bin/Xorg :0", "Xorg"),
        ("ray::RolloutWorker.sample()", "ray::RolloutWorker.sample()"),
    ],
)
def test_a_command_line_has_a_readable_name(line: str, name: str) -> None:
    """What ran is named, and not the interpreter that ran it."""
    assert command_name(parse_launch(line.split()), "comm") == name


@pytest.mark.parametrize(
    ("cmdline", "name"),
    [
        (("python", "-c", SPAWN, "--multiprocessing-fork"), SPAWN_WORKER),
        (("python", "-c", "from multiprocessing.resource_tracker import main;main(5)"), "resource_tracker"),
        (("python", "-c", "import x"), "python -c"),
        (("bash", "-lc", "python train.py"), "bash -c"),
        (("nginx: master process /usr/sbin/nginx",), "nginx: master process /usr/sbin/nginx"),
        (("/opt/my app/server",), "server"),
        ((), "kworker/0:1"),
        (("",), "kworker/0:1"),
    ],
)
def test_what_is_no_simple_line_has_a_name_too(cmdline: tuple[str, ...], name: str) -> None:
    """Code, titles with spaces and processes without a line are named."""
    assert command_name(parse_launch(cmdline), "kworker/0:1") == name


@given(st.lists(st.text(max_size=80), max_size=8), st.text(max_size=15))
def test_a_name_is_never_empty_and_never_long(cmdline: list[str], comm: str) -> None:
    """Any command line gives a name that fits."""
    name = command_name(parse_launch(cmdline), comm)
    assert 0 < len(name) <= LONGEST


def test_options_of_python_that_take_a_value_hide_no_script() -> None:
    """`-X` and `-W` swallow the word after them, and only that."""
    launch = parse_launch(["python3", "-X", "importtime", "-W", "error", "a.py", "-m", "b"])
    assert (launch.script, launch.module, launch.arguments) == ("a.py", None, ("-m", "b"))


def test_launchers_are_known_from_what_they_launch() -> None:
    """A torchrun is a launcher, the script it starts is none."""
    assert launcher_of(parse_launch(["python", "/bin/torchrun", "train.py"])) == "torchrun"
    assert launcher_of(parse_launch(["python", "train.py"])) is None
