"""Words of memory trouble from runs that go on, and of progress."""

from __future__ import annotations

import pytest

from dstop.doctor.evidence.messages.benign import MESSAGES

LINES = (
    (
        "Allocator (GPU_0_bfc) ran out of memory trying to allocate 23.74MiB. The caller indicates that this is not a failure, but may mean",
        "benign.bfc",
        {},
    ),
    ("ran out of memory in validation step, retrying batch: out of memory, retrying", "benign.retry", {}),
    ("attempting to recover from OOM in forward/backward pass", "benign.retry", {}),
    (
        "Warning: Ran out of memory when regular VAE decoding, retrying with tiled VAE decoding.",
        "benign.retry",
        {},
    ),
    ("Batch size 64 failed, trying batch size 32", "benign.batch_finder", {}),
    ("Decreasing batch size to: 8.", "benign.batch_finder", {}),
    ("CUDA out of memory with batch=64. Reducing to batch=32 and retrying (1/3).", "benign.batch_finder", {}),
    ("Determined largest batch size: 16", "benign.batch_finder", {}),
    ("AutoBatch: Using batch-size 16 for CUDA:0", "benign.batch_finder", {}),
    ("| WARNING: ran out of memory, skipping batch", "benign.skipped_batch", {}),
    ("Skipping training batch with index 43 due to OOM error...", "benign.skipped_batch", {}),
    ("out of memory: discarded batch 3", "benign.skipped_batch", {}),
    ("insufficient VRAM, falling back to CPU", "benign.fallback", {}),
    ("not enough memory: using the slow path instead", "benign.fallback", {}),
    ("Skipping tactic 3 due to insufficient memory on requested size of 4096", "benign.tactic", {}),
    ("Ignoring this choice.", "benign.autotune", {}),
    ("RuntimeError: No executable batch size found, reached zero.", "benign.gave_up", {}),
    ("after 5 retries, giving up", "benign.gave_up", {}),
    ("exhausted all retries", "benign.gave_up", {}),
    (
        "UserWarning: expandable_segments not supported on this platform (Triggered internally",
        "benign.alloc_conf",
        {},
    ),
    ("PYTORCH_CUDA_ALLOC_CONF is deprecated, use PYTORCH_ALLOC_CONF instead", "benign.deprecated", {}),
    (
        "'pin_memory' argument is set as true but no accelerator is found, then device pinned memory won't be used.",
        "benign.pin",
        {},
    ),
    (
        "[W] Warning: process group has NOT been destroyed before we destruct ProcessGroupNCCL.",
        "benign.exit",
        {},
    ),
    (
        "WARNING: destroy_process_group() was not called before program exit, which can leak resources.",
        "benign.exit",
        {},
    ),
    (
        "resource_tracker: There appear to be 1 leaked semaphore objects to clean up at shutdown",
        "benign.leaked",
        {},
    ),
    ("UserWarning: resource_tracker: '/mp-x': [Errno 2] No such file or directory", "benign.leaked", {}),
    (
        "Sequence group 12 is preempted by PreemptionMode.RECOMPUTE mode because there is not enough KV cache space.",
        "benign.preempted",
        {},
    ),
    ("KV cache pool is full. Retract requests. #retracted_reqs: 1", "benign.preempted", {}),
    ("Allocation of 411041792 exceeds 10% of free system memory.", "benign.system_memory", {}),
    ("Estimated GPU memory usage: 12 GiB", "benign.estimate", {}),
    (
        "this happens when there is high memory pressure and is detrimental to performance",
        "benign.pressure",
        {},
    ),
    ("running low on memory", "benign.low", {}),
    ("you may run out of memory with this size", "benign.words", {}),
    ("a longer context might OOM", "benign.words", {}),
    ("$ python train.py --batch 8", "shell.command", {"command": "python train.py --batch 8"}),
    ("(env) u@host:~/x$ python a.py", "shell.command", {}),
    ("root@3f2a:/app# python a.py", "shell.command", {}),
    (" 10%|█         | 10/100 [00:10<01:30,  1.00it/s, loss=2.3]", "progress.step", {}),
    ("epoch 002:  12% 120/1000 loss=4.113", "progress.step", {}),
    ("{'loss': 0.5, 'grad_norm': 1.2, 'learning_rate': 1e-05, 'epoch': 0.1}", "progress.step", {}),
    ("100/500 [====>.........] - ETA: 10s - loss: 0.3", "progress.step", {}),
    (" iteration       10/    1000 | consumed samples:         1280 |", "progress.step", {}),
    ("Training completed. Do not forget to share your model", "progress.done", {}),
    ("Finished training in 10 s", "progress.done", {}),
    ("Run completed successfully", "progress.done", {}),
    ("`Trainer.fit` stopped: `max_epochs=3` reached.", "progress.done", {}),
    ("{'train_runtime': 12.3, 'train_loss': 1}", "progress.done", {}),
    ("Prompt executed in 12.34 seconds", "progress.done", {}),
    ("Process exited with exit code 0", "progress.done", {}),
    ("Results saved to runs/detect/train", "progress.done", {}),
    ("INFO:     Application startup complete.", "progress.done", {}),
    ("The server is fired up and ready to roll!", "progress.ready", {}),
    ("llama runner started in 3.21 seconds", "progress.ready", {}),
    ("main: server is listening on http://127.0.0.1:8080", "progress.ready", {}),
)
CALM = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB.",
    "a skipped heartbeat",
    "batch sizes of all ranks",
)


@pytest.mark.parametrize(("text", "kind", "values"), LINES, ids=lambda value: str(value)[:50])
def test_a_message_is_found_with_its_figures(text, kind, values, found_in):
    """Its kind, and the figures in it."""
    found = found_in(MESSAGES, text)
    assert kind in found
    assert values.items() <= found[kind].items()


def test_every_pattern_has_a_message(unmet_by):
    """No pattern is without a line that it finds."""
    assert unmet_by(MESSAGES, [line[0] for line in LINES]) == []


@pytest.mark.parametrize("text", CALM, ids=lambda text: text[:50])
def test_what_looks_alike_is_not_found(text, found_in):
    """Words that are near a message, and are none."""
    assert found_in(MESSAGES, text) == {}
