"""What an out-of-memory error leaves behind: on a simulated device, with PyTorch's real allocator and error."""

from __future__ import annotations

import gzip
import json
import os
import pickle
import re
import stat
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from pathlib import Path

NAME = re.compile(r"\d{8}T\d{6}\.\d{3}-\d+(-r\d+)?-oom")
TOO_MUCH = "torch.empty(1 << 40, device='cuda')"


class Plain(pickle.Unpickler):
    """Reads a pickle that names no global."""

    def find_class(self, module: str, name: str) -> NoReturn:
        """Refuse."""
        raise pickle.UnpicklingError(f"{module}.{name}")


def started(
    hosts: Any, cudasim: Any, first: str = "x = torch.zeros(1000, device='cuda')", **more: str
) -> Any:
    """Start a process with torch and the hook, armed."""
    host = hosts.start(cudasim.python, **cudasim.environment(**more))
    host.take_hook(how="run")
    host.do("import torch")
    host.do(first)
    host.wire = hosts.talk(host.value("hook['start']()"))
    hosts.wait_until(lambda: host.wire.ask("hello")["black_box"])
    return host


def left(host: Any) -> list[Path]:
    """Give the incidents that a host has left, oldest first."""
    found = host.directory / "found"
    return sorted(found.iterdir()) if found.exists() else []


def test_an_error_leaves_everything_that_explains_it(hosts: Any, cudasim: Any) -> None:
    """The request, the counters, the whole card, every stack, torch's table and a snapshot, for the user alone."""
    host = started(hosts, cudasim, RANK="2", WORLD_SIZE="4", LOCAL_RANK="2", DSTOP_RUN="r-1")
    host.do("import os; os.environ['RANK'] = '2'")
    host.do(
        "import threading\nthreading.Thread(target=threading.Event().wait, name='a worker', daemon=True).start()"
    )
    with pytest.raises(hosts.error, match="OutOfMemoryError"):
        host.do(f"def careless():\n    return {TOO_MUCH}\ncareless()")
    (folder,) = left(host)
    assert NAME.fullmatch(folder.name)
    assert f"-{host.pid}-r2-oom" in folder.name
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}
    told = json.loads((folder / "incident.json").read_text())
    assert (told["schema"], told["kind"], told["pid"], told["run"]) == (1, "oom", host.pid, "r-1")
    assert told["rank"] == 2
    assert told["unavailable"] == {}
    assert told["request"] == {
        "gpu_uuid": told["devices"][0]["uuid"],
        "device": 0,
        "segment_bytes": 4 << 40,
        "total_bytes": 8 << 30,
        "free_bytes": told["card"]["free_bytes"],
    }
    assert told["devices"][0]["stats"]["num_ooms"] == 1
    assert told["card"]["total_bytes"] == 8 << 30
    assert [row["pid"] for row in told["card"]["processes"]] == [host.pid]
    assert told["versions"]["torch"] == host.value("str(torch.__version__)")
    assert told["executable"] == host.value("__import__('sys').executable")
    assert told["backend"] == "native"
    assert told["history"] is False
    assert told["took_ms"] > 0
    first = told["threads"][0]
    assert first["current"] is True
    assert told["thread"] == {"id": first["id"], "name": "MainThread"}
    assert first["frames"][0][2] == "careless"
    assert "a worker" in [thread["name"] for thread in told["threads"]]
    assert "hook" not in str([thread["frames"] for thread in told["threads"]])
    assert "careless" in (folder / "stacks.txt").read_text()
    assert "PyTorch CUDA memory summary" in (folder / "memory_summary.txt").read_text()
    with gzip.open(folder / "snapshot.pickle.gz") as file:
        snapshot = Plain(file).load()
    assert len(snapshot["segments"]) == 1
    assert host.wire.ask("stats")["incidents"] == {"count": 1, "directory": str(folder)}


def test_the_first_allocation_of_all_is_covered(hosts: Any, cudasim: Any) -> None:
    """Where the hook waits for torch, it is armed once CUDA is up, with nobody asking."""
    host = hosts.start(cudasim.python, **cudasim.environment())
    host.take_hook(how="run")
    host.do("import torch; torch.cuda.init()")
    hosts.wait_until(lambda: host.value("__import__('sys').modules['_dstop_hook'].hook.black_box.armed"))
    assert host.value("[torch._C._cuda_hasPrimaryContext(0)]") == [False]
    with pytest.raises(hosts.error, match="OutOfMemoryError"):
        host.do(TOO_MUCH)
    assert len(left(host)) == 1


def test_the_very_first_allocation_is_covered(hosts: Any, cudasim: Any) -> None:
    """An error in the statement that brings CUDA up leaves an incident; a recording that was asked for is on."""
    host = hosts.start(cudasim.python, **cudasim.environment(DSTOP_HISTORY="5000"))
    host.take_hook(how="run")
    with pytest.raises(hosts.error, match="OutOfMemoryError"):
        host.do(f"import torch\n{TOO_MUCH}")
    (folder,) = left(host)
    assert json.loads((folder / "incident.json").read_text())["history"] is True
    assert host.value("torch._C._cuda_isHistoryEnabled()") is True


def test_errors_that_the_program_catches_are_bounded(hosts: Any, cudasim: Any) -> None:
    """A search for the largest batch runs out of memory on purpose: three incidents, the error is torch's own."""
    host = started(hosts, cudasim)
    host.do(f"""
caught = []
for _ in range(30):
    try:
        {TOO_MUCH}
    except Exception as reason:
        caught.append(type(reason).__name__ + str(reason)[:18])
""")
    assert host.value("set(caught) == {'OutOfMemoryErrorCUDA out of memory'} and len(caught) == 30")
    assert len(left(host)) == 3
    assert host.wire.ask("hello")["errors"] == 0


def test_an_error_in_backward_is_covered(hosts: Any, cudasim: Any) -> None:
    """Autograd runs in a thread of its own, which has no name in Python; every other stack is there."""
    host = started(
        hosts,
        cudasim,
        """
class Greedy(torch.autograd.Function):
    @staticmethod
    def forward(context, x): return x * 1
    @staticmethod
    def backward(context, gradient): return gradient + torch.empty(1 << 40, device="cuda").sum()
w = torch.zeros(3, device="cuda", requires_grad=True)
""",
    )
    with pytest.raises(hosts.error, match="OutOfMemoryError"):
        host.do("Greedy.apply(w).sum().backward()")
    (folder,) = left(host)
    told = json.loads((folder / "incident.json").read_text())
    assert told["thread"]["name"] != "MainThread"
    assert told["threads"][0]["frames"][0][2].endswith("backward")
    assert any(thread["name"] == "MainThread" and thread["frames"] for thread in told["threads"])
    host.do("import time; time.sleep(0.2)")


def test_events_are_in_the_snapshot_where_they_are_recorded(hosts: Any, cudasim: Any) -> None:
    """With history on, the snapshot tells what led to the error."""
    host = started(hosts, cudasim)
    host.wire.ask("history", enabled=True)
    host.do("y = [torch.zeros(1000, device='cuda') for _ in range(50)]")
    with pytest.raises(hosts.error, match="OutOfMemoryError"):
        host.do(TOO_MUCH)
    (folder,) = left(host)
    with gzip.open(folder / "snapshot.pickle.gz") as file:
        snapshot = Plain(file).load()
    assert "oom" in [event["action"] for event in snapshot["device_traces"][0]]
    assert json.loads((folder / "incident.json").read_text())["history"] is True


def test_no_secret_is_in_it(hosts: Any, cudasim: Any) -> None:
    """Values of secrets, wherever they were given, appear in no file of the incident; their names do."""
    host = started(
        hosts,
        cudasim,
        HF_TOKEN="hf_" + "a" * 30,
        WANDB_API_KEY="c0ffee" * 6,
        NCCL_AUTH_SECRET="nccl-sesame",  # noqa: S106 - to be found nowhere
        MASTER_ADDR="10.0.0.1",
        VLLM_API_KEY="vllm-sesame",
        CUDA_URL="https://me:hunter22@example.org/x",
    )
    with pytest.raises(hosts.error, match="OutOfMemoryError"):
        host.do(TOO_MUCH)
    (folder,) = left(host)
    everything = b"".join(
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for path in folder.iterdir()
    )
    for secret in (b"a" * 30, b"c0ffee", b"sesame", b"hunter22"):
        assert secret not in everything
    told = json.loads((folder / "incident.json").read_text())
    assert told["environment"]["MASTER_ADDR"] == "10.0.0.1"
    assert told["environment"]["CUDA_URL"] == "https://***@example.org/x"
    assert {"HF_TOKEN", "WANDB_API_KEY", "NCCL_AUTH_SECRET", "VLLM_API_KEY"} <= set(told["environment_names"])


def test_the_command_line_is_redacted(hosts: Any) -> None:
    """`--hf-token X`, `--token=X` and `KEY=X` lose X; what only sounds alike keeps it."""
    host = hosts.start()
    host.take_hook()
    given = [
        "train.py",
        "--hf-token",
        "abc",
        "--api_key=abc",
        "WANDB_API_KEY=abc",
        "--max-tokens",
        "512",
        "--tokenizer=gpt2",
        "--max-num-batched-tokens=8192",
        "--password",
        "abc",
        "--lr",
        "1e-4",
        "hf_" + "b" * 20,
        "--author",
        "me",
        "http://u:p@host/x",
        "--model=meta/llama",
        "--auth-token",
        "--verbose",
    ]
    assert host.value(f"hook['redact_arguments']({given!r})") == [
        "train.py",
        "--hf-token",
        "***",
        "--api_key=***",
        "WANDB_API_KEY=***",
        "--max-tokens",
        "512",
        "--tokenizer=gpt2",
        "--max-num-batched-tokens=8192",
        "--password",
        "***",
        "--lr",
        "1e-4",
        "***",
        "--author",
        "me",
        "http://***@host/x",
        "--model=meta/llama",
        "--auth-token",
        "--verbose",
    ]


def test_twenty_incidents_stay_and_nothing_else_is_touched(hosts: Any, cudasim: Any) -> None:
    """The oldest go; what does not bear the exact name, or is a link, is not ours to remove."""
    host = started(hosts, cudasim)
    found = host.directory / "found"
    old = [f"20200101T0000{n:02}.000-1-oom" for n in range(25)]
    others = ["20200101T000000.000-1-exit", "20200101T000000.000-1-oom.kept", "mine"]
    for name in (*old, *others, ".20200101T000000.000-1-oom"):
        (found / name).mkdir(parents=True)
        (found / name / "incident.json").write_text("{}")
    (host.directory / "elsewhere").mkdir()
    (host.directory / "elsewhere" / "file").touch()
    (found / "20190101T000000.000-1-oom").symlink_to(host.directory / "elsewhere")
    with pytest.raises(hosts.error, match="OutOfMemoryError"):
        host.do(TOO_MUCH)
    names = sorted(path.name for path in left(host))
    assert [name for name in names if NAME.fullmatch(name) and not (found / name).is_symlink()][:-1] == old[
        6:
    ]
    assert set(others) <= set(names)
    assert ".20200101T000000.000-1-oom" not in names
    assert (host.directory / "elsewhere" / "file").exists()


def test_where_the_place_cannot_be_written_the_sockets_directory_serves(hosts: Any, cudasim: Any) -> None:
    """A home directory that is a file, or not there, loses no evidence."""
    host = started(hosts, cudasim)
    (host.directory / "found").write_text("not a directory")
    with pytest.raises(hosts.error, match="OutOfMemoryError"):
        host.do(TOO_MUCH)
    (folder,) = (host.directory / "sock" / "incidents").iterdir()
    assert (folder / "incident.json").exists()


def test_a_full_disk_costs_the_snapshot_alone(hosts: Any, cudasim: Any) -> None:
    """Below 64 MiB the small files are written, and the snapshot is said to be missing."""
    host = started(hosts, cudasim)
    host.do("hook['LEAST_FREE_BYTES'] = 1 << 60")
    with pytest.raises(hosts.error, match="OutOfMemoryError"):
        host.do(TOO_MUCH)
    (folder,) = left(host)
    told = json.loads((folder / "incident.json").read_text())
    assert told["files"] == {"snapshot": None, "summary": "memory_summary.txt", "stacks": "stacks.txt"}
    assert "64 MiB" in told["unavailable"]["snapshot"]
    assert not (folder / "snapshot.pickle.gz").exists()


def test_a_snapshot_beyond_its_bound_is_dropped(hosts: Any, cudasim: Any) -> None:
    """A recording of a million events is not written in full while other ranks wait."""
    host = started(hosts, cudasim)
    host.do("hook['MOST_INCIDENT_SNAPSHOT_BYTES'] = 100")
    with pytest.raises(hosts.error, match="OutOfMemoryError"):
        host.do(TOO_MUCH)
    (folder,) = left(host)
    assert "larger than" in json.loads((folder / "incident.json").read_text())["unavailable"]["snapshot"]
    assert not (folder / "snapshot.pickle.gz").exists()


def test_whatever_goes_wrong_the_error_is_torchs(hosts: Any, cudasim: Any) -> None:
    """Nothing that the black box meets replaces the program's own error, or takes its turn from the next."""
    host = started(hosts, cudasim)
    host.do("hook['all_stacks'] = hook['ranks'] = None")
    with pytest.raises(hosts.error, match="OutOfMemoryError: CUDA out of memory"):
        host.do(TOO_MUCH)
    assert left(host) == []
    assert host.wire.ask("ping")["ok"]


def test_a_driver_that_does_not_answer_costs_a_moment(hosts: Any, cudasim: Any) -> None:
    """NVML is asked by a thread of its own: where it hangs, the card is null, and it is not asked again."""
    host = started(hosts, cudasim)
    host.do("import _thread\nhang = _thread.allocate_lock(); hang.acquire()")
    host.do("hook['ask_nvml'] = lambda uuid: hang.acquire()")
    for _ in range(2):
        with pytest.raises(hosts.error, match="OutOfMemoryError"):
            host.do(TOO_MUCH)
    reasons = [
        json.loads((folder / "incident.json").read_text())["unavailable"]["card"] for folder in left(host)
    ]
    assert "did not answer in 0.3 s" in reasons[0]
    assert "before" in reasons[1]


def test_it_can_be_switched_off(hosts: Any, cudasim: Any) -> None:
    """DSTOP_BLACK_BOX=0 leaves the figures and takes the black box."""
    host = hosts.start(cudasim.python, **cudasim.environment(DSTOP_BLACK_BOX="0"))
    wire = hosts.talk(host.take_hook())
    host.do("import torch; x = torch.zeros(1, device='cuda')")
    hello = wire.ask("hello")
    assert hello["black_box"] is False
    assert "DSTOP_BLACK_BOX" in hello["unavailable"]["black_box"]
    with pytest.raises(hosts.error, match="OutOfMemoryError"):
        host.do(TOO_MUCH)
    assert left(host) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to own a directory that others can write")
def test_a_place_that_others_can_write_is_not_used(hosts: Any, cudasim: Any) -> None:
    """Who can write there could put a link in the way."""
    host = started(hosts, cudasim)
    (host.directory / "found").mkdir()
    (host.directory / "found").chmod(0o777)
    with pytest.raises(hosts.error, match="OutOfMemoryError"):
        host.do(TOO_MUCH)
    assert left(host) == []
    assert len(list((host.directory / "sock" / "incidents").iterdir())) == 1


def test_looking_at_the_stacks_keeps_nothing_alive() -> None:
    """A step that failed is freed when its program lets go of it, and not at the next collection of cycles."""
    program = """
import gc, weakref
from dstop.pytorch import hook

class Held:
    pass

def failed_step():
    held = Held()
    assert any("failed_step" in place[2] for place in hook.all_stacks()[0]["frames"])
    return weakref.ref(held)

gc.disable()
assert failed_step()() is None
"""
    environment = os.environ | {"DSTOP_HOOK": "0"}  # it is looked at here, and does not begin
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
