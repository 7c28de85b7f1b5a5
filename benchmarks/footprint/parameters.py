"""Records what Hugging Face transformers builds from a config: parameters, and the shapes of all tensors.

Each model is built on the meta device, so that nothing is allocated. The table goes to
tests/footprint/architecture/recordings/parameters.json, against which dstop's readers are tested:

    python benchmarks/footprint/parameters.py > tests/footprint/architecture/recordings/parameters.json
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from importlib import import_module
from pathlib import Path
from typing import Any

CONFIGS = Path(__file__).with_name("configs.json")


def shapes(config: dict[str, Any]) -> dict[str, int]:
    """Give how many tensors there are of each shape; stacked experts count one by one, dimensions are sorted.

    Sorted, because GPT-2 keeps its matrices transposed; the bias of DeepSeek-V3's router is a buffer, and counted.
    """
    torch, transformers = import_module("torch"), import_module("transformers")
    fields = {key: value for key, value in config.items() if key != "model_type"}
    with torch.device("meta"):
        model = transformers.AutoModelForCausalLM.from_config(
            transformers.AutoConfig.for_model(config["model_type"], **fields)
        )
    found: Counter[str] = Counter()
    tensors = dict(model.named_parameters())
    tensors.update((name, value) for name, value in model.named_buffers() if name.endswith("correction_bias"))
    for name, tensor in tensors.items():
        size, count = list(tensor.shape), 1
        stacked = "experts" in name and len(size) == (2 if name.endswith("_bias") else 3)
        if stacked and "correction" not in name:
            count = size.pop(0)
        found["x".join(map(str, sorted(size)))] += count
    return dict(sorted(found.items()))


def main() -> None:
    """Print the recording."""
    version = import_module("transformers").__version__
    rows = []
    for name, config in json.loads(CONFIGS.read_text("utf-8")).items():
        sys.stderr.write(f"{name}\n")
        found = shapes(config)
        total = 0
        for shape, count in found.items():
            size = 1
            for each in shape.split("x"):
                size *= int(each)
            total += size * count
        rows.append({"name": name, "config": config, "total": total, "shapes": found})
    json.dump({"transformers": version, "models": rows}, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
