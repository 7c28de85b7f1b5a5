"""What the hook says of PyTorch's real allocator, on a simulated device."""

from __future__ import annotations

import gzip
import json
import pickle
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

if TYPE_CHECKING:
    from pathlib import Path


class Plain(pickle.Unpickler):
    """Reads a pickle that names no global."""

    def find_class(self, module: str, name: str) -> NoReturn:
        """Refuse."""
        raise pickle.UnpicklingError(f"{module}.{name}")


def started(hosts: Any, cudasim: Any, first: str = "", **more: str) -> Any:
    """Start a process with torch on a simulated device; the hook is there before torch, as `dstop run` has it."""
    host = hosts.start(cudasim.python, **cudasim.environment(**more))
    host.take_hook(how="run")
    host.do("import torch")
    if first:
        host.do(first)
    host.wire = hosts.talk(host.value("hook['start']()"))
    return host


def contexts(host: Any) -> list[bool]:
    """Say on which devices the process has a context."""
    found: list[bool] = host.value("[torch._C._cuda_hasPrimaryContext(i) for i in range(2)]")
    return found


def test_the_counters_are_those_of_torch(hosts: Any, cudasim: Any) -> None:
    """`stats`, flattened, is `torch.cuda.memory_stats`; `summary` is its text; the device has the driver's name."""
    host = started(
        hosts, cudasim, "x = [torch.zeros(n * 1000, device='cuda') for n in range(1, 900, 7)]; del x[::2]"
    )
    stats = host.wire.ask("stats")
    (device,) = stats["devices"]
    host.do(
        "def flat(d, at=''): return {k2: v2 for k, v in d.items() for k2, v2 in (flat(v, at + k + '.').items()"
        " if isinstance(v, dict) else [(at + k, v)])}"
    )
    host.do(f"theirs = dict(torch.cuda.memory_stats(0)); ours = flat({device['stats']!r})")
    assert host.value("sorted(set(ours) ^ set(theirs))") == []
    assert host.value("ours == theirs")
    assert device["stats"]["allocated_bytes"]["all"]["current"] > 0
    assert stats["host"] is not None
    assert host.wire.ask("summary", device=0)["text"] == host.value("torch.cuda.memory_summary(0)")
    hello = host.wire.ask("hello")
    assert hello["devices"][0]["uuid"] == device["uuid"]
    assert device["uuid"] == "GPU-" + host.value("str(torch.cuda.get_device_properties(0).uuid)")
    assert hello["backend"] == "native"
    assert hello["black_box"] is True
    assert hello["errors"] == 0


def test_nothing_is_initialized_by_asking(hosts: Any, cudasim: Any) -> None:
    """Before the program uses CUDA, no question makes it do so."""
    host = started(hosts, cudasim)
    for op in ("hello", "stats", "facts"):
        assert host.wire.ask(op)["ok"], op
    for op in ("segments", "sites", "summary", "history"):
        reply = host.wire.ask(op, enabled=True)
        assert reply == {"ok": False, "error": "the process has not used CUDA yet"}, op
    assert host.value("torch.cuda.is_initialized()") is False
    host.do("torch.zeros(1, device='cuda')")
    hosts.wait_until(lambda: host.wire.ask("hello")["black_box"])


def test_no_context_appears_on_a_device_that_is_not_used(hosts: Any, cudasim: Any, tmp_path: Path) -> None:
    """A context costs half a gigabyte: whatever is asked, the process keeps to the device that it chose."""
    host = started(hosts, cudasim, "x = torch.zeros(1000, device='cuda:1')", CUDASIM_DEVICES="2")
    assert contexts(host) == [False, True]
    hello = host.wire.ask("hello")
    assert [device["index"] for device in hello["devices"]] == [1]
    with (tmp_path / "s").open("wb") as file:
        for op, fields in (
            ("stats", {}),
            ("segments", {}),
            ("history", {"enabled": True}),
            ("sites", {}),
            ("facts", {}),
            ("summary", {"device": 1}),
            ("snapshot", {"traces": True}),
            ("history", {"enabled": False}),
        ):
            files = [file.fileno()] if op == "snapshot" else []
            assert host.wire.ask(op, files, **fields)["ok"], op
            host.do("y = torch.zeros(1000, device='cuda:1')")  # so that there are stacks to look up
            assert contexts(host) == [False, True], op
    assert host.wire.ask("summary", device=0)["ok"] is False
    with pytest.raises(hosts.error, match="OutOfMemoryError"):
        host.do("torch.empty(1 << 40, device='cuda:1')")
    assert host.wire.ask("hello")["incidents"]["count"] == 1
    assert contexts(host) == [False, True]
    incident = json.loads(next((host.directory / "found").glob("*-oom/incident.json")).read_text())
    assert incident["card"]["uuid"] == hello["devices"][0]["uuid"]
    assert [row["pid"] for row in incident["card"]["processes"]] == [host.pid]


@pytest.mark.parametrize("conf", ["", "expandable_segments:True"])
def test_the_segment_map_adds_up(hosts: Any, cudasim: Any, conf: str) -> None:
    """The totals of the segments are what is reserved, the blocks of each fill it, and what is in use is allocated."""
    host = started(
        hosts,
        cudasim,
        "x = [torch.zeros(n * 5000, device='cuda') for n in range(1, 200, 3)]; del x[::2]",
        PYTORCH_CUDA_ALLOC_CONF=conf,
    )
    reply = host.wire.ask("segments")
    segments = reply["segments"]
    assert reply["left_out"] == 0
    assert segments == sorted(segments, key=lambda each: each[:2])
    assert sum(each[2] for each in segments) == host.value("torch.cuda.memory_reserved()")
    assert sum(each[3] for each in segments) == host.value("torch.cuda.memory_allocated()")
    assert {each[8] for each in segments} == {conf != ""}
    for _, _, total, _, active, _, _, pool, _, blocks in segments:
        assert sum(size for size, _, _ in blocks) == total
        assert sum(size for size, _, state in blocks if state in "ap") == active
        assert all((requested is None) == (state == "i") for _, requested, state in blocks)
        assert pool == [0, 0]
    few = host.wire.ask("segments", most_segments=1)
    assert len(few["segments"]) == 1
    assert few["left_out"] == len(segments) - 1
    assert few["segments"][0][2] == max(each[2] for each in segments)
    assert host.wire.ask("segments", device=7)["segments"] == []


def test_private_pools_are_told_apart(hosts: Any, cudasim: Any) -> None:
    """What a CUDA graph captured lies in a pool that is not everybody's; the counters of newer torches tell it too."""
    host = started(
        hosts,
        cudasim,
        """
x = torch.zeros(100000, device="cuda")
graph = torch.cuda.CUDAGraph()
with torch.cuda.graph(graph):
    y = x * 2
""",
    )
    pools = {tuple(each[7]) for each in host.wire.ask("segments")["segments"]}
    assert (0, 0) in pools
    assert len(pools) == 2
    (device,) = host.wire.ask("stats")["devices"]
    assert set(device["stats"]) == set(host.value("list(torch._C._cuda_memoryStats(0))"))
    if "reserved_bytes_by_private_pools" in device["stats"]:
        (private,) = pools - {(0, 0)}
        assert list(device["stats"]["reserved_bytes_by_private_pools"]) == [f"{private[0]}_{private[1]}"]
    with pytest.raises(hosts.error, match="OutOfMemoryError"):
        host.do("torch.empty(1 << 40, device='cuda')")
    (incident,) = (host.directory / "found").glob("*-oom/incident.json")
    assert json.loads(incident.read_text())["devices"][0]["stats"]["num_ooms"] == 1


def test_a_recording_of_ours_names_the_lines(hosts: Any, cudasim: Any) -> None:
    """`history` turns it on, `sites` says which code holds what, and off is off."""
    host = started(hosts, cudasim, "x = torch.zeros(1000000, device='cuda')")
    assert host.wire.ask("sites") == {"ok": True, "history": False, "sites": []}
    assert host.wire.ask("history", enabled=True) == {"ok": True, "history": True, "history_ours": True}
    host.do("def hoard():\n    return [torch.zeros(3000000, device='cuda') for _ in range(4)]\ny = hoard()")
    reply = host.wire.ask("sites")
    biggest, *others = reply["sites"]
    assert biggest[:3] == [0, host.value("torch.cuda.memory_allocated()") - 4000256, 4]
    assert "hoard" in [function for _, _, function in biggest[3]]
    assert others == [[0, 4000256, 1, []]]
    assert len(host.wire.ask("sites", most=1)["sites"]) == 1
    assert host.wire.ask("history", enabled=False) == {"ok": True, "history": False, "history_ours": False}
    assert host.value("torch._C._cuda_isHistoryEnabled()") is False
    assert host.value("torch._C._cuda_record_memory_history.__name__") == "_cuda_record_memory_history"


def test_a_program_that_ends_while_it_is_recorded_ends_in_silence(hosts: Any, cudasim: Any) -> None:
    """Torch complains when a recording is ended by another thread than its own: at the end nobody needs to."""
    host = started(hosts, cudasim, "x = torch.zeros(1000, device='cuda')")
    assert host.wire.ask("history", enabled=True)["history_ours"]
    host.do("y = torch.zeros(1000, device='cuda')")
    assert host.end() == 0
    assert host.stderr == ""


@pytest.mark.parametrize("when", ["before", "after"])
def test_the_programs_own_recording_is_not_disturbed(hosts: Any, cudasim: Any, when: str) -> None:
    """Whether it began before ours or while ours was on: neither `history` nor `detach` ends it or loses an event.

    Before torch 2.11 the blocks come with all events or not at all: then `sites` would stop the program, and refuses.
    """
    host = started(hosts, cudasim, "torch.zeros(1, device='cuda')")
    if when == "after":
        assert host.wire.ask("history", enabled=True)["history_ours"]
    host.do("torch.cuda.memory._record_memory_history(max_entries=5000)")
    host.do("x = [torch.zeros(1000, device='cuda') for _ in range(20)]")
    events = host.value("len(torch.cuda.memory._snapshot()['device_traces'][0])")
    for enabled in (True, False):
        assert host.wire.ask("history", enabled=enabled) == {
            "ok": True,
            "history": True,
            "history_ours": False,
        }
    sites = host.wire.ask("sites")
    if host.value("torch.__version__ < (2, 11)"):
        assert sites["ok"] is False
        assert "take a snapshot, or stop the recording" in sites["error"]
    else:
        assert sites["sites"]
    assert host.wire.ask("detach")["ok"]
    assert host.value("torch._C._cuda_isHistoryEnabled()") is True
    assert host.value("len(torch.cuda.memory._snapshot()['device_traces'][0])") >= events > 0


def test_detach_ends_our_recording_and_our_black_box(hosts: Any, cudasim: Any) -> None:
    """What the hook changed is as it was; the observer, which torch cannot take back, does nothing; it can return."""
    host = started(hosts, cudasim, "torch.zeros(1, device='cuda')")
    host.wire.ask("history", enabled=True)
    host.wire.ask("detach")
    assert host.value("torch._C._cuda_isHistoryEnabled()") is False
    with pytest.raises(hosts.error, match="OutOfMemoryError"):
        host.do("torch.empty(1 << 40, device='cuda')")
    assert not (host.directory / "found").exists()
    wire = hosts.talk(host.take_hook())
    hosts.wait_until(lambda: wire.ask("hello")["black_box"])
    with pytest.raises(hosts.error, match="OutOfMemoryError"):
        host.do("torch.empty(1 << 40, device='cuda')")
    assert len(list((host.directory / "found").iterdir())) == 1


@pytest.mark.parametrize("packed", [False, True])
def test_a_snapshot_is_torchs_own(hosts: Any, cudasim: Any, tmp_path: Path, *, packed: bool) -> None:
    """Pickle protocol 4 of plain values: `_snapshot()` and names; events only where asked for and recorded."""
    host = started(hosts, cudasim, "torch.zeros(1, device='cuda')")
    host.wire.ask("history", enabled=True)
    host.do("x = [torch.zeros(n * 1000, device='cuda') for n in range(1, 30)]; del x[::3]")
    host.do("def counts(s): return [len(s['segments']), [len(t) for t in s['device_traces']], sorted(s)]")
    for traces in (True, False):
        path = tmp_path / f"snapshot{traces}"
        with path.open("wb") as file:
            reply = host.wire.ask("snapshot", [file.fileno()], traces=traces, gzip=packed)
        assert reply == {"ok": True, "bytes": path.stat().st_size, "traces": traces}
        data = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
        assert data[:2] == b"\x80\x04"
        with (tmp_path / "plain").open("wb+") as file:
            file.write(data)
            file.seek(0)
            snapshot = Plain(file).load()
        segments, events, keys = host.value("counts(torch.cuda.memory._snapshot())")
        assert len(snapshot["segments"]) == segments
        assert sorted(snapshot) == sorted([*keys, "dstop"])
        recorded = [len(each) for each in snapshot["device_traces"]]
        assert (
            recorded == [n - 1 for n in events] if traces else sum(recorded) == 0
        )  # a snapshot is an event itself


def test_models_and_optimizers_are_counted(hosts: Any, cudasim: Any) -> None:
    """Outermost modules alone, every tensor once, bytes by dtype; the optimizer's state; the same for a while."""
    host = started(
        hosts,
        cudasim,
        """
class Inner(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.norm = torch.nn.Linear(30, 40), torch.nn.BatchNorm1d(40)
    def __getattr__(self, name):
        if name in ("config", "_modules", "_parameters"): raise RuntimeError("asked for " + name)
        return super().__getattr__(name)
class Outer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.low = Inner(), torch.nn.Linear(40, 40).bfloat16()
        self.tied = torch.nn.Linear(30, 40); self.tied.weight = self.inner.a.weight
        for p in self.low.parameters(): p.requires_grad = False
model = Outer().cuda()
loss = torch.nn.CrossEntropyLoss()
optimizer = torch.optim.AdamW(model.inner.parameters(), lr=3e-4)
for p in model.inner.parameters(): p.grad = torch.zeros_like(p)
optimizer.step()
""",
    )
    facts = host.wire.ask("facts")
    (model,) = facts["models"]
    single, half = 30 * 40 + 40 + 80 + 40, 40 * 40 + 40
    assert model["class"] == "host.Outer"
    assert model["parameters"] == model["local_parameters"] == single + half
    assert model["trainable"] == single
    assert model["parameter_bytes"] == 4 * single + 2 * half
    assert model["dtypes"] == {"float32": 4 * single, "bfloat16": 2 * half}
    assert model["gradient_bytes"] == 4 * (single - 40)
    assert model["buffer_bytes"] == 4 * 80 + 8
    assert model["devices"] == {"cuda:0": 4 * single + 2 * half}
    assert model["checkpointed"] == 0
    (optimizer,) = facts["optimizers"]
    assert optimizer["class"] == "torch.optim.adamw.AdamW"
    assert optimizer["state_bytes"] == host.value(
        "sum(v.nbytes for s in optimizer.state.values() for v in s.values())"
    )
    assert optimizer["defaults"]["lr"] == 3e-4
    assert facts["config"] is None
    assert facts["unavailable"] == {}
    host.do("other = Outer()")
    assert host.wire.ask("facts") == facts


def test_what_is_computed_again_in_the_backward_pass_is_counted(hosts: Any, cudasim: Any) -> None:
    """Both ways to say so: transformers' flag on a module, and torch's own wrapper round one."""
    host = started(
        hosts,
        cudasim,
        """
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gradient_checkpointing, self.low = True, torch.nn.Linear(3, 3)
model = torch.nn.Sequential(Block(), Block(), checkpoint_wrapper(torch.nn.Linear(3, 3)), torch.nn.Linear(3, 3)).cuda()
model[1].gradient_checkpointing = "not a truth value"
""",
    )
    (model,) = host.wire.ask("facts")["models"]
    assert model["checkpointed"] == 2


def test_a_frozen_heap_is_said_to_be_one(hosts: Any, cudasim: Any) -> None:
    """`gc.freeze()` hides what a server loaded: no models then means nothing, and the answer says so."""
    host = started(hosts, cudasim, "model = torch.nn.Linear(3, 3)\nimport gc; gc.freeze()")
    facts = host.wire.ask("facts")
    assert facts["models"] == []
    assert "gc.freeze()" in facts["unavailable"]["models"]


def test_another_allocator_degrades_and_says_so(hosts: Any, cudasim: Any) -> None:
    """With cudaMallocAsync there is no black box, no recording and no map: each with its reason."""
    host = started(
        hosts,
        cudasim,
        "x = torch.zeros(1000, device='cuda')",
        PYTORCH_CUDA_ALLOC_CONF="backend:cudaMallocAsync",
    )
    hello = host.wire.ask("hello")
    assert hello["backend"] == "cudaMallocAsync"
    assert hello["allocator_conf"] == "backend:cudaMallocAsync"
    assert hello["black_box"] is False
    assert "cudaMallocAsync" in hello["unavailable"]["black_box"]
    assert host.wire.ask("stats")["ok"]
    assert host.wire.ask("history", enabled=True)["error"] == "the allocator cudaMallocAsync cannot record"
    assert host.wire.ask("segments")["ok"] is False
    assert host.wire.ask("ping")["ok"]


def test_the_rank_is_that_of_the_launcher(hosts: Any, cudasim: Any) -> None:
    """Torchrun's variables, else those of Slurm or MPI; no job, no rank."""
    host = started(hosts, cudasim)
    assert [host.wire.ask("hello")[name] for name in ("rank", "local_rank", "world_size")] == [None] * 3
    host.do("import os; os.environ.update(SLURM_PROCID='9', SLURM_LOCALID='1', SLURM_NTASKS='16')")
    assert [host.wire.ask("hello")[name] for name in ("rank", "local_rank", "world_size")] == [9, 1, 16]
    host.do("os.environ.update(RANK='3', LOCAL_RANK='x', WORLD_SIZE='4')")
    assert [host.wire.ask("hello")[name] for name in ("rank", "local_rank", "world_size")] == [3, 1, 4]


def test_a_worker_of_a_data_loader_is_left_alone(hosts: Any, cudasim: Any) -> None:
    """Forked workers deliver their batches; the trainer's hook answers throughout."""
    host = started(hosts, cudasim, "torch.zeros(1, device='cuda')")
    host.do("""
class Numbers(torch.utils.data.Dataset):
    def __len__(self): return 8
    def __getitem__(self, index):
        import sys
        assert "_dstop_hook" not in sys.modules
        return torch.tensor([index])
loader = torch.utils.data.DataLoader(Numbers(), batch_size=2, num_workers=2, multiprocessing_context="fork")
seen = [batch.flatten().tolist() for batch in loader]
del loader
""")
    assert host.value("seen") == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert host.wire.ask("stats")["devices"]
    assert host.wire.ask("hello")["errors"] == 0
