"""Which batch would have fitted, against what did: logs of trainings that were run again with smaller batches.

Unmodified PyTorch 2.14 with transformers 4.57 on a simulated device (its allocator is PyTorch's own, no kernel ran):
fp32 weights under bf16 autocast, AdamW, cards of 16 and 24 GiB. `largest.json` has the largest batch that did three
steps; each log is of a batch that did not.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from dstop.doctor.case import Case
from dstop.doctor.evidence.collect import facts_of
from dstop.doctor.questions.arithmetic import batch_that_fits
from dstop.doctor.text.read import read_log

FOLDER = Path(__file__).parents[1] / "batches"
LARGEST = json.loads((FOLDER / "largest.json").read_text("utf-8"))


@pytest.mark.parametrize("name", sorted(LARGEST))
def test_what_is_said_to_fit_did(name):
    """What fits for sure did fit, and what may is one batch or a tenth from the truth."""
    fits = batch_that_fits(Case([facts_of(read_log(FOLDER / f"{name}.log"))]))
    largest = LARGEST[name]
    assert fits is not None
    assert fits.says.startswith("the plan of")
    assert 0 < fits.surely <= largest
    assert abs(fits.likely - largest) <= max(1, 0.1 * largest)
