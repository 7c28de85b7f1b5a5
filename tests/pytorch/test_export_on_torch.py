"""`dstop export` beside the hook in real PyTorch: the page has what torch itself counts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import pytest

import dstop

HOOK = Path(dstop.__file__).parent / "pytorch" / "hook.py"
ROOT = Path(__file__).parents[2]
TRAINING = f"""
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("dstop.pytorch.hook", {str(HOOK)!r})
hook = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = hook
spec.loader.exec_module(hook)
import torch
kept = [torch.empty(1_000_000 + 1000 * number, device="cuda") for number in range(20)]
del kept[::2]
stats = torch.cuda.memory_stats()
names = ("allocated_bytes", "reserved_bytes", "active_bytes", "inactive_split_bytes")
print(json.dumps({{name: stats[name + ".all.current"] for name in names}}), flush=True)
sys.stdin.readline()
"""
"""Holds tensors with holes between them, says what torch counts, and waits."""


@pytest.fixture
def training(cudasim):
    """Start the program; gives its process, what it said of itself, and the environment of its machine."""
    directory = tempfile.mkdtemp(prefix="d-")
    more = {"DSTOP_DIR": directory, "CUDASIM_TOTAL": "4GiB"}
    process = cudasim.start(TRAINING, **more)
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        yield process, json.loads(line), cudasim.environment(**more)
    finally:
        process.kill()
        process.communicate()
        shutil.rmtree(directory)


def test_the_page_has_what_torch_counts(training, tmp_path):
    """Allocated, reserved, active and fragmented bytes to the byte, with the PID of the process, from a real hook."""
    process, told, environment = training
    command = [sys.executable, "-m", "dstop", "export", "--port", "0", "--interval", "0.25"]
    given = {**environment, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(tmp_path)}
    with subprocess.Popen(command, env=given, stderr=subprocess.PIPE, text=True) as exporter:
        try:
            line = exporter.stderr.readline()
            url = re.search(r"serving at (\S+),", line)[1]
            for _ in range(200):
                with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own loopback
                    page = answer.read().decode()
                if "dstop_torch_allocated_bytes{" in page:
                    break
                time.sleep(0.1)
        finally:
            exporter.terminate()
            exporter.communicate(timeout=60)
    for name, value in told.items():
        (row,) = re.findall(rf"^dstop_torch_{name}\{{(.*)\}} (\S+)$", page, re.MULTILINE)
        assert f'pid="{process.pid}"' in row[0]
        assert float(row[1]) == value, name
    assert told["inactive_split_bytes"] > 0
    (held,) = re.findall(r"^dstop_process_gpu_memory_bytes\{.*\} (\S+)$", page, re.MULTILINE)
    (rest,) = re.findall(r"^dstop_process_not_torch_bytes\{.*\} (\S+)$", page, re.MULTILINE)
    assert float(held) - float(rest) == told["reserved_bytes"]
