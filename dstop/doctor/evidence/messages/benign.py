"""Words of memory trouble from runs that go on: retries, allocators that try elsewhere, estimates, advice."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "benign.bfc",
        "not a failure",
        r"Allocator \(\w{1,40}\) ran out of memory trying to allocate [\d.]+ ?\w{1,4}[^\n]{0,80}?caller indicates that this is not a failure",
    ),
    Pattern(
        "benign.retry",
        "retry",
        r"(?i)(?:out of memory|OOM|ran out of memory)[^\n]{0,80}retry(?:ing)?\b[^\n]{0,80}",
    ),
    Pattern(
        "benign.batch_finder",
        "trying batch size",
        r"Batch size \d+ failed, trying batch size \d+|(?:Decreasing|Reducing|Lowering) batch size to:? ?\d+",
    ),
    Pattern(
        "benign.batch_finder",
        "batch size to",
        r"(?i)(?:decreasing|reducing|lowering|halving) (?:the )?batch[ _]size to:? ?\d+",
    ),
    Pattern(
        "benign.skipped_batch",
        "OOM",
        r"(?i)(?:WARNING: )?(?:attempting to recover from OOM|skip(?:ping|ped)? (?:this )?batch[^\n]{0,60}(?:OOM|out of memory)|(?:OOM|out of memory)[^\n]{0,60}skip(?:ping|ped)? batch)[^\n]{0,80}",
    ),
    Pattern(
        "benign.fallback",
        "fall",
        r"(?i)(?:out of memory|OOM|insufficient (?:memory|vram)|not enough (?:gpu )?(?:memory|vram))[^\n]{0,80}(?:falling back|fall back|fallback)[^\n]{0,80}",
    ),
    Pattern("benign.alloc_conf", "expandable_segments not supported on this platform"),
    Pattern("benign.deprecated", "PYTORCH_CUDA_ALLOC_CONF is deprecated"),
    Pattern(
        "benign.pin", "pin_memory", r"'?pin_memory'? argument is set as true but no accelerator is found"
    ),
    Pattern(
        "benign.exit",
        "ProcessGroupNCCL.cpp",
        r"(?i)warning: process group has NOT been destroyed before we destruct",
    ),
    Pattern("benign.leaked", "leaked", r"resource_tracker: There appear to be \d+ leaked \w+ objects"),
    Pattern(
        "benign.tensor_init",
        "memory usage",
        r"(?i)(?:estimated|expected|approximate) (?:memory|vram)[^\n]{0,120}",
    ),
    Pattern("progress.step", "it/s", r"\d{1,9}/\d{1,9} \[[^\n\]]{1,60}(?:it/s|s/it)[^\n\]]{0,120}\]"),
    Pattern(
        "progress.step",
        "oss",
        r"(?i)(?:\bstep|\biter(?:ation)?|\bepoch)\b[^\n]{0,80}\bloss[\"']?\s{0,2}[:=]?\s{0,4}[\d.]+",
    ),
    Pattern("progress.done", "raining completed", r"(?i)training completed[^\n]{0,80}"),
    Pattern("progress.done", "Application startup complete"),
    Pattern("progress.done", "train_runtime", r"'train_runtime': [\d.']+"),
)
