"""Which refused allocations a run survives."""

from __future__ import annotations

import pytest

from dstop.doctor.case import Case
from dstop.doctor.evidence.collect import facts_of
from dstop.doctor.questions.survival import survived
from dstop.doctor.text.read import log_of_text

OOM = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of "
    "23.57 GiB of which 310.50 MiB is free.\n"
)
TOP = 'Traceback (most recent call last):\n  File "/home/u/train.py", line 40, in <module>\n    run()\n'


def survival(text):
    """Read a log, and ask whether it was survived."""
    return survived(Case([facts_of(log_of_text(text, "x.log"))]))


@pytest.mark.parametrize(
    "text",
    [
        OOM + "| WARNING: ran out of memory, skipping batch\nepoch 1 step 11 loss 3.2\n",
        OOM + "Decreasing batch size to: 8.\n",
        OOM + "step 11 loss 3.2\nstep 12 loss 3.1\n",
        OOM + "Training completed.\n",
        OOM + "100%|██████████| 1000/1000 [10:10<00:00, 1.00it/s]\n",
        OOM + " 2%| | 20/1000 [00:20<16:30, 1.00it/s]\nx\n 3%| | 30/1000 [00:30<16:30, 1.00it/s]\n",
        OOM
        + "Batch size 64 failed, trying batch size 32\n"
        + OOM
        + "Batch size 32 failed, trying batch size 16\n",
    ],
    ids=["skipped", "smaller", "steps", "done", "full bar", "moving bar", "finder"],
)
def test_it_is_survived(text):
    """The program says so, or makes progress behind it."""
    assert survival(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "step 1 loss 3\nstep 2 loss 2\n",
        OOM,
        "Ran out of memory when regular VAE decoding, retrying with tiled VAE decoding.\n" + OOM,
        " 1%| | 10/1000 [00:10<16:30, 1.00it/s]\n" + OOM + " 1%| | 11/1000 [00:10<16:30, 1.00it/s]\n",
        TOP + OOM + "step 11 loss 3.2\nstep 12 loss 3.1\n",
        "$ python train.py\n" + OOM + "$ python train.py --batch 8\nstep 1 loss 3\nstep 2 loss 2\n",
        OOM + "Decreasing batch size to: 1.\nRuntimeError: No executable batch size found, reached zero.\n",
        OOM + "Decreasing batch size to: 8.\n" + OOM,
        OOM + "step 11 loss 3.2\nstep 12 loss 3.1\nCUDA error: an illegal memory access was encountered\n",
        "[rank0]: " + OOM + "[rank1]: step 11 loss 3.2\n[rank1]: step 12 loss 3.1\n",
    ],
    ids=[
        "no failure",
        "nothing behind it",
        "announced before",
        "a bar that is closed",
        "uncaught",
        "another command",
        "gave up",
        "failed again",
        "ended otherwise",
        "another rank",
    ],
)
def test_it_is_not_survived(text):
    """Nothing shows that this run went on."""
    assert survival(text) is None


def test_it_says_how_often_and_by_what():
    """The number of failures, the program's words, and the progress behind them."""
    found = survival((OOM + "| WARNING: ran out of memory, skipping batch\n") * 2 + "step 11 loss 3.2\n")
    assert found is not None
    assert found.count == 2
    assert found.words is not None
    assert "skipping batch" in found.words.text
    assert found.went_on is not None
    assert found.went_on.text.startswith("step 11")
