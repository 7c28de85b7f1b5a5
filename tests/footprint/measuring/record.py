"""Measure trainings and generations with the real PyTorch: `python record.py FOLDER [CASE...]`, all without names.

`drawn:COUNT:SEED` instead of names measures cases that nobody chose (`drawn.py`).

A Python with PyTorch and transformers runs it (`DSTOP_CUDASIM_PYTHON`), on a GPU or on a simulated one; models are made
from configurations, nothing is downloaded. Each case runs in a process of its own, and becomes a JSON file: the SPEC
that `dstop plan` would be asked with, and the bytes that PyTorch's allocator counted. On a simulated device every
result is nought: what is recorded does not depend on results, and what would is left out (see `cases.py`).
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
import traceback
from pathlib import Path

import torch
import transformers
from cases import CASES, GENERATIONS, Generation, spec_of
from drawn import draw
from generate import measure_generation
from train import measure, without_padding

SCHEMA = 1


def record(name):
    """Run one case here, and give what its file says."""
    case = (CASES | GENERATIONS)[name]
    generation = isinstance(case, Generation)
    figures = measure_generation(case) if generation else measure(case)
    return {
        "schema": SCHEMA,
        "name": name,
        "spec": spec_of(case, figures.pop("config"), figures["static"]),
        "variant": case.variant,
        "note": case.note,
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name(),
        "capability": list(torch.cuda.get_device_capability()),
        "figures": figures,
    }


def run_apart(name, folder):
    """Run a case in a process of its own; give whether it went well."""
    sharding = getattr(CASES.get(name), "sharding", "")
    children = [os.fork()]
    if children[0] and sharding:
        children.append(os.fork())
    if all(children):
        return not sum(os.waitpid(child, 0)[1] for child in children)
    if sharding:
        os.environ |= {"RANK": str(len(children) - 1), "WORLD_SIZE": "2"}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29579"}
    code = 1
    try:
        made = record(name)
        if len(children) == 1:
            (folder / f"{name}.json").write_text(json.dumps(made, indent=1) + "\n")
        code = 0
    except Exception:  # noqa: BLE001 - the next case is measured all the same
        traceback.print_exc()
    sys.stdout.flush()
    # A simulated device has no work to wait for, and PyTorch's autograd threads do not like to end in a hurry.
    time.sleep(0.3)
    os._exit(code)


def main(folder, names):
    """Measure the cases; give how many failed."""
    torch.backends.cudnn.enabled = False
    transformers.logging.set_verbosity_error()
    without_padding()
    folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    if names and names[0].startswith("drawn:"):
        drawn = draw(*map(int, names[0].split(":")[1:]))
        CASES.update(drawn)
        names = list(drawn)
    for name in names or [*CASES, *GENERATIONS]:
        start = time.monotonic()
        good = run_apart(name, folder)
        failed += not good
        sys.stdout.write(f"{name}: {'measured' if good else 'FAILED'} in {time.monotonic() - start:.1f} s\n")
        sys.stdout.flush()
    return failed


if __name__ == "__main__":
    sys.exit(1 if main(Path(sys.argv[1]), sys.argv[2:]) else 0)
