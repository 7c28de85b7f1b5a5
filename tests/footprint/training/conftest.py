"""Specs of training over the small architectures of `tests/footprint/conftest.py`."""

from __future__ import annotations

import pytest

from dstop.footprint.spec.settle import settle
from dstop.footprint.spec.values import Parallel, Spec


@pytest.fixture(scope="session")
def train():
    """Give what makes a settled spec of training; fields of the layout are given by their own names."""

    def make(architecture, **fields):
        layout = {
            name: fields.pop(name)
            for name in ("tp", "pp", "dp", "ep", "cp", "etp", "vpp", "zero", "sequence_parallel")
            if name in fields
        }
        settled, _ = settle(
            Spec(
                **{
                    "architecture": architecture,
                    "phase": "training",
                    "sequence": 512,
                    "parallel": Parallel(**layout),
                    **fields,
                }
            )
        )
        return settled

    return make
