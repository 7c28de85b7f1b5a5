"""The readers against what Hugging Face transformers builds from the same configs."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from dstop.footprint.architecture.config import read_config

RECORDING = json.loads((Path(__file__).parent / "recordings" / "parameters.json").read_text("utf-8"))
MODELS = {row["name"]: row for row in RECORDING["models"]}


@pytest.mark.parametrize("name", MODELS)
def test_every_tensor_is_that_of_transformers(name: str) -> None:
    """Each tensor has the shape that transformers gives it, and there are as many of each."""
    row: dict[str, Any] = MODELS[name]
    model = read_config(row["config"])
    found: Counter[str] = Counter()
    inner = [tensor for layer in model.layers for tensor in layer.tensors]
    for tensor in (*model.embedding, *inner, *model.output):
        found["x".join(map(str, sorted(tensor.shape)))] += tensor.count
    assert dict(sorted(found.items())) == row["shapes"]
    assert model.total_parameters == row["total"]
