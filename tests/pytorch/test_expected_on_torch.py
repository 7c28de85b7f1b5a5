"""Expected against live, end to end: a real training of transformers on a simulated device, through its hook."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

import dstop
from dstop.model.gpu import Gpu
from dstop.model.host import Host
from dstop.model.process import GpuProcess
from dstop.model.sample import Sample
from dstop.monitor import Monitor
from dstop.monitor.expectations import Expectations
from dstop.pytorch.guests import LiveGuests
from dstop.sources.procfs.facts import read_facts
from dstop.sources.procfs.reach import HostReach
from dstop.testing import FakeSource
from dstop.units import GIB, MIB

CONTEXT_BYTES = 450 * MIB
"""Of a simulated context."""
HOOK = str(Path(dstop.__file__).parent / "pytorch" / "hook.py")
PROGRAM = f"""
import importlib.util, sys, argparse
try:
    import transformers
except ImportError:
    print("no transformers", flush=True)
    sys.exit()
spec = importlib.util.spec_from_file_location("dstop.pytorch.hook", {HOOK!r})
hook = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = hook
spec.loader.exec_module(hook)
hook.start()
import torch
torch.backends.cudnn.enabled = False
options = argparse.ArgumentParser()
options.add_argument("--batch-size", type=int)
options.add_argument("--max-length", type=int)
options.add_argument("--dtype")
options.add_argument("--steps", type=int)
asked = options.parse_args()
config = transformers.LlamaConfig(
    hidden_size=2048, intermediate_size=5632, num_hidden_layers=8, num_attention_heads=32, num_key_value_heads=4,
    vocab_size=32000, max_position_embeddings=2048,
)
torch.set_default_dtype(getattr(torch, asked.dtype))
model = transformers.LlamaForCausalLM(config).cuda().train()
optimizer = torch.optim.AdamW(model.parameters())
batch = torch.zeros(asked.batch_size, asked.max_length, dtype=torch.long, device="cuda")
for _ in range(asked.steps):
    model(input_ids=batch, labels=batch).loss.backward()
    optimizer.step()
    optimizer.zero_grad()
torch.cuda.synchronize()
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def expected(cudasim, tmp_path):
    """Give what the monitor says of such a training, by its options."""
    script = tmp_path / "train.py"
    script.write_text(PROGRAM)
    running = []

    def run(*options):
        process = subprocess.Popen(
            [cudasim.python, str(script), *options],
            env=cudasim.environment(DSTOP_DIR=str(tmp_path / "s"), CUDASIM_TOTAL="64GiB", DSTOP_BLACK_BOX="0"),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        running.append(process)
        line = process.stdout.readline()
        if line == "no transformers\n":
            pytest.skip("the Python on the simulated device has no transformers")
        assert line == "ready\n"
        return _of_the_monitor(process.pid)

    yield run
    for process in running:
        process.kill()
        process.communicate()


def _of_the_monitor(pid):
    row = GpuProcess(gpu_index=0, pid=pid, facts=read_facts(pid))
    sample = Sample(
        taken_at_ns=10**9,
        host=Host(name="node"),
        gpus=(Gpu(index=0, memory_total_bytes=64 * GIB),),
        processes=(row,),
    )
    guests = LiveGuests()
    first = Monitor(FakeSource([sample]), interval_s=1, guests=guests)
    (seen,) = first.step().sample.processes
    held = replace(row, gpu_memory_bytes=seen.allocator.reserved_bytes + CONTEXT_BYTES)
    expectations = Expectations(HostReach(), ask=guests.facts, at_once=True)
    monitor = Monitor(
        FakeSource([replace(sample, processes=(held,))]),
        interval_s=1,
        guests=guests,
        expectations=expectations,
    )
    try:
        (told,) = monitor.step().sample.processes
    finally:
        monitor.close()
    return told.expectation


def test_a_real_training_is_what_it_should_be(expected):
    """Static parts to a thousandth, the whole within its band; the hook and the command line say what it is."""
    told = expected("--batch-size", "2", "--max-length", "512", "--dtype", "bfloat16", "--steps", "2")
    parts = {each.part: each for each in told.parts}
    for part in ("weights", "optimizer"):
        assert abs(parts[part].difference_bytes) <= 0.001 * parts[part].expected_bytes, part
    assert told.sources["model"] == told.sources["weights"] == "hook"
    assert told.sources["batch"] == told.sources["sequence"] == "command line"
    assert told.verdict == "within"


def test_before_its_first_step_the_states_are_still_to_come(expected):
    """A training that has not stepped holds less, and the cause is named with its bytes."""
    told = expected("--batch-size", "2", "--max-length", "512", "--dtype", "bfloat16", "--steps", "0")
    assert told.verdict == "below"
    cause = next(cause for cause in told.causes if cause.name == "before_first_step")
    parts = {each.part: each for each in told.parts}
    assert (cause.bytes, cause.confidence) == (-parts["optimizer"].expected_bytes, "certain")
