"""LiveGuests on the real hook in real PyTorch, on a simulated device."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

import dstop
from dstop.errors import AttachError
from dstop.pytorch.guests import LiveGuests
from dstop.pytorch.target import find_target
from dstop.testing.allocator_laws import allocator_laws
from dstop.ui.recording.reading import read_guest

PATIENCE_S = 60
HOOK = Path(dstop.__file__).parent / "pytorch" / "hook.py"
IMPORTED = f"""
import importlib.util, sys
spec = importlib.util.spec_from_file_location("dstop.pytorch.hook", {str(HOOK)!r})
hook = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = hook
spec.loader.exec_module(hook)
"""
TRAINING = """
import json, sys, torch
model = torch.nn.Linear(1000, 1000).cuda()
optimizer = torch.optim.AdamW(model.parameters())
kept = [torch.empty(1_000_000 + 1000 * number, device="cuda") for number in range(20)]
del kept[::2]
other = torch.cuda.Stream()
lent = torch.empty(3_000_001, device="cuda")
lent.record_stream(other)
del lent
print("ready", flush=True)
for line in sys.stdin:
    exec(line)
"""
"""A program of which one step is done; then it does what it is told."""


@contextmanager
def _training(cudasim, program=IMPORTED + TRAINING, **environment):
    directory = tempfile.mkdtemp(prefix="d-")
    process = cudasim.start(
        program, DSTOP_DIR=directory, CUDASIM_TOTAL="4GiB", DSTOP_BLACK_BOX="0", **environment
    )
    guests = LiveGuests()
    try:
        assert process.stdout.readline() == "ready\n", process.stderr.read()
        yield guests, process, find_target(process.pid).id
    finally:
        guests.close()
        process.kill()
        process.communicate()
        shutil.rmtree(directory)


def _told(process, expression):
    """Give what an expression is worth in the process, as JSON."""
    process.stdin.write(f"print(json.dumps({expression}), flush=True)\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


def _step(guests, me):
    guests.ask([me])
    return guests.answers(patience_s=PATIENCE_S)[me]


def test_figures_are_those_of_torch(cudasim):
    """Every counter has the name and the value that `torch.cuda.memory_stats` gives, and they keep the laws.

    What another stream still uses is freed, and no longer allocated, but still requested and active.
    """
    with _training(cudasim) as (guests, process, me):
        guest = _step(guests, me)
        (device,) = guest.devices
        assert dict(device.stats) == _told(process, "torch.cuda.memory_stats(0)")
        assert device.allocated_bytes == _told(process, "torch.cuda.memory_allocated(0)")
        assert device.reserved_bytes == _told(process, "torch.cuda.memory_reserved(0)")
        assert guest.torch_version == _told(process, "torch.__version__")
        assert guest.cuda_initialized
        assert device.gpu_uuid is not None
        assert device.gpu_uuid.startswith("GPU-")
        assert device.allocated_bytes < device.requested_bytes <= device.active_bytes
        assert list(allocator_laws(device)) == []


def test_the_map_is_that_of_torch(cudasim):
    """Segments and their blocks come to what the counters say."""
    with _training(cudasim) as (guests, _process, me):
        (device,) = _step(guests, me).devices
        segments = guests.segments(me).segments
        assert sum(segment.total_bytes for segment in segments) == device.reserved_bytes
        assert sum(segment.allocated_bytes for segment in segments) == device.allocated_bytes
        for segment in segments:
            assert sum(block.size_bytes for block in segment.blocks) == segment.total_bytes


def test_an_allocator_that_is_not_pytorchs_says_less_and_nothing_wrong(cudasim):
    """Under cudaMallocAsync what it does not count is absent with the reason; what it does is right."""
    conf = "backend:cudaMallocAsync"
    with _training(cudasim, PYTORCH_CUDA_ALLOC_CONF=conf, PYTORCH_ALLOC_CONF=conf) as (guests, process, me):
        guest = _step(guests, me)
        assert (guest.backend, guest.allocator_conf) == ("cudaMallocAsync", conf)
        (device,) = guest.devices
        assert device.allocated_bytes == _told(process, "torch.cuda.memory_allocated(0)")
        assert device.requested_bytes is None
        assert device.unavailable["requested_bytes"] == "the cudaMallocAsync allocator does not count it"
        assert list(allocator_laws(device)) == []


def test_expandable_segments_keep_the_laws(cudasim):
    """Segments that grow are told as such, and come to what is reserved."""
    conf = "expandable_segments:True"
    with _training(cudasim, PYTORCH_CUDA_ALLOC_CONF=conf, PYTORCH_ALLOC_CONF=conf) as (guests, _process, me):
        (device,) = _step(guests, me).devices
        segments = guests.segments(me).segments
        assert any(segment.expandable for segment in segments)
        assert sum(segment.total_bytes for segment in segments) == device.reserved_bytes
        assert list(allocator_laws(device)) == []


def test_everything_close_up_is_there(cudasim, tmp_path):
    """Summary, model facts, recording, sites, snapshot and leaving, one after the other in one process."""
    with _training(cudasim) as (guests, process, me):
        assert "PyTorch CUDA memory summary" in guests.summary(me, 0)
        facts = guests.facts(me)
        assert facts.models[0]["parameters"] == 1_001_000
        guests.record(me, on=True)
        assert _step(guests, me).history
        _told(process, "kept.append(torch.empty(50_000_000, device='cuda'))")
        assert guests.sites(me)[0].size_bytes >= 200_000_000
        guests.record(me, on=False)
        path = tmp_path / "a.pickle.gz"
        assert guests.snapshot(me, str(path), traces=False) == path.stat().st_size
        assert gzip.decompress(path.read_bytes())[:2] == b"\x80\x04"
        guests.detach(me)
        guests.ask([me])
        assert guests.answers() == {}
        assert os.path.exists(f"/proc/{process.pid}")  # noqa: PTH110 - of this process alone
        assert _told(process, "1 + 1") == 2


def test_a_process_that_was_attached_to_is_asked_from_then_on(cudasim):
    """No card lists it, no hook was there: after `attach` its figures come at every step, and end with it."""
    with _training(cudasim, TRAINING) as (guests, process, me):
        guests.ask([])
        assert guests.answers() == {}
        try:
            assert guests.attach(me) in {"pep768", "ptrace"}
        except AttachError as refusal:
            if "ptrace" in str(refusal):
                pytest.skip(f"this machine does not let one attach: {refusal}")
            raise
        guests.ask([])
        guest = guests.answers(patience_s=PATIENCE_S)[me]
        assert guest.devices[0].allocated_bytes == _told(process, "torch.cuda.memory_allocated(0)")
        process.kill()
        process.wait()
        guests.ask([])
        assert guests.answers() == {}
        assert guests._attached == {}


def test_a_snapshot_for_the_screen_is_read_with_names_and_leaves_no_file(cudasim, tmp_path, monkeypatch):
    """What `S` does: the process writes, the screen reads, and the private folder is gone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    told = []
    with _training(cudasim) as (guests, _, me):
        _step(guests, me)
        (study,) = read_guest(guests, me, told.append)
    assert "may stand still meanwhile" in told[0]
    assert "in order" in told[-1]
    assert list(tmp_path.iterdir()) == []
    shares = {share.category: share for share in study.moment(study.events).shares}
    assert shares["parameters"].exact_bytes == shares["parameters"].size_bytes > 4_000_000
