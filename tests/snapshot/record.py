"""Make the recordings that the tests read: `python tests/snapshot/record.py [NAME...]`, all of them without names.

Run it with a Python whose PyTorch has a CUDA device; the recordings in `recordings/` are from the CUDA build of
PyTorch on a simulated device, so no figure in them was measured on a GPU. What is allocated when, and where, is
PyTorch's own doing. Workloads of another version of PyTorch than this Python's are left alone.

The names of this machine's folders are replaced: the program becomes `/workspace/train.py`, and PyTorch and Python lie
below `/usr/lib/python3.11`. Everything else is as PyTorch gave it.
"""

from __future__ import annotations

import gzip
import os
import pickle
import subprocess
import sys
import time
import uuid
from pathlib import Path

import torch
from workloads import HERE, WORKLOADS

RECORDINGS = Path(HERE) / "recordings"
PACKAGES = str(Path(torch.__file__).parents[1])
LIBRARY = "/usr/lib/python3.11"
DEVICES = Path("/dev/shm")  # noqa: S108 - where the simulated devices are


def neutral(name):
    """Give a file's name without the folders of this machine."""
    if name.startswith(HERE):
        return "/workspace/train.py"
    if name.startswith(PACKAGES):
        return f"{LIBRARY}/site-packages{name.removeprefix(PACKAGES)}"
    if "/lib/python3" in name:
        return LIBRARY + name.partition("/lib/python3")[2].removeprefix(".11")
    return name if "/" not in name else f"/workspace/{Path(name).name}"


def clean(thing, seen):
    """Replace file names wherever frames are, each object once: frames and lists of them are shared, and stay so."""
    if id(thing) in seen or not isinstance(thing, (dict, list)):
        return
    seen.add(id(thing))
    if isinstance(thing, dict) and isinstance(thing.get("filename"), str):
        thing["filename"] = neutral(thing["filename"])
    for each in thing.values() if isinstance(thing, dict) else thing:
        clean(each, seen)


def write(name):
    """Run one workload here, and write what it gives."""
    torch.backends.cudnn.enabled = False
    torch.manual_seed(0)
    workload = WORKLOADS[name]
    taken = workload.run()
    clean(taken, set())
    rank = f"-rank{os.environ['RANK']}" if workload.ranks > 1 else ""
    packed = gzip.compress(pickle.dumps(taken, protocol=4), compresslevel=9, mtime=0)
    (RECORDINGS / f"{name}{rank}.pickle.gz").write_bytes(packed)
    sys.stdout.write(f"{name}{rank}: {len(packed)} bytes\n")
    sys.stdout.flush()
    # A simulated device has no work to wait for, and PyTorch's autograd threads do not like to end in a hurry.
    time.sleep(0.3)
    os._exit(0)


def start(name, rank, device):
    """Run one rank of a workload in a process of its own, on a device of its own."""
    workload = WORKLOADS[name]
    env = dict(os.environ)
    env |= {"CUDASIM_NAME": device, "CUDASIM_TOTAL": workload.total, "CUDASIM_DEVICES": str(workload.ranks)}
    env |= {"PYTORCH_CUDA_ALLOC_CONF": workload.conf, "OMP_NUM_THREADS": "1"}
    if workload.ranks > 1:
        env |= {"RANK": str(rank), "WORLD_SIZE": str(workload.ranks)}
        env |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29577"}
    return subprocess.Popen([sys.executable, __file__, "--here", name], env=env)


def main(names):
    """Make the recordings, one after the other."""
    mine = [name for name, each in WORKLOADS.items() if torch.__version__.startswith(f"{each.torch}.")]
    for name in names or mine:
        device = f"record-{uuid.uuid4().hex[:8]}"
        running = [start(name, rank, device) for rank in range(WORKLOADS[name].ranks)]
        for each in running:
            if each.wait(timeout=300):
                sys.stdout.write(f"{name}: it ended with {each.returncode}\n")
        for path in DEVICES.glob(f"*{device}*"):
            path.unlink()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--here"]:
        write(sys.argv[2])
    else:
        main(sys.argv[1:])
