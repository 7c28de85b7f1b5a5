"""An error of the program, with no sign of memory trouble

What it means
    The run ended with an exception, and nothing in the log speaks of memory: a bug, a wrong setting, or versions that do not
    fit together. This rule knows no more than the exception's own words.

Evidence
    The last exception of the log, and no refused allocation, kill, fault or other sign that a rule knows.

Fix
    By the kind of exception: a missing attribute or argument means versions that differ, a wrong key or value a setting.

When it is wrong
    Words of memory in an attribute's or a module's name (`memory_stats`, `memory_efficient_attention`) are no lack of memory;
    a launcher's own exception (ChildFailedError) tells nothing: look for the log of the rank that failed first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dstop.doctor.fixes.prescribe import prescribe
from dstop.doctor.questions.innocent import strength_beside_memory
from dstop.doctor.rule import DEFAULT, Assessment, Rule
from dstop.model.diagnosis import Evidence

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.evidence.facts import Trace

_TELLS_NOTHING = frozenset(
    (
        "KeyboardInterrupt",
        "SystemExit",
        "ChildFailedError",
        "SignalException",
        "CalledProcessError",
        "ProcessExitedException",
        "ProcessRaisedException",
        "EngineDeadError",
        "AsyncEngineDeadError",
        "MQEngineDeadError",
        "RayActorError",
        "ActorDiedError",
        "BrokenPipeError",
        "ConnectionResetError",
        "ConnectionError",
        "EOFError",
        "CancelledError",
        "BrokenProcessPool",
        "DistBackendError",
        "DistNetworkError",
        "DistStoreError",
        "TimeoutError",
    )
)
"""Raised because another process has gone."""

_AFTERMATH = re.compile(
    r"(?i)engine (?:core )?(?:process )?(?:initialization )?failed|see (?:stack trace|root cause|above|the logs)|background loop has errored"
    r"|worker[^\n]{0,40}(?:died|exited|failed|was terminated)|process \d+ terminated|connection (?:reset|closed)|NCCL|gloo|socket timeout|timed out|rendezvous|server failed to start"
)
_OF_MEMORY = re.compile(
    r"(?i)out of memory|\bOOM\b|MemoryError|bad_alloc|RESOURCE_EXHAUSTED|executable batch size"
    r"|(?:not enough|insufficient|no available|exceed\w*|more|free)[^\n]{0,20} (?:gpu |device |host |system |v)?(?:memory|ram|vram)\b|kv[ _]?cache"
    r"|(?:cannot|can't|failed to|unable to|could not) (?:re)?alloc|cuda error|hip error|c[uU]BLAS|CUDNN|shm|shared memory"
)
_OF_VERSIONS = frozenset(
    ("AttributeError", "ImportError", "ModuleNotFoundError", "NotImplementedError", "TypeError")
)
_STRENGTH = DEFAULT + 5


def _examine(case: Case) -> Assessment | None:
    trace = _trace(case)
    if trace is None:
        return _of_a_signal(case)
    if case.failures or case.host_failures or _OF_MEMORY.search(f"{trace.error}: {trace.message}"):
        return None
    strength = strength_beside_memory(case, trace.place, _STRENGTH)
    if strength is None:
        return None
    said = f"{trace.error}: {trace.message}".strip().rstrip(":")
    evidence = [Evidence(source=str(trace.place), says=said[:300])]
    frame = next((frame for frame in reversed(trace.frames) if "site-packages" not in frame.file), None)
    frame = frame or (trace.frames[-1] if trace.frames else None)
    if frame is not None:
        evidence.append(
            Evidence(source=str(trace.place), says=f"{frame.file}:{frame.line} in {frame.function}")
        )
    return Assessment(
        strength=strength,
        evidence=tuple(evidence),
        at=trace.place,
        title=f"{said[:90]}: an error of the program, not of memory",
        fixes=prescribe(case, *_fixes(case, trace)),
    )


def _trace(case: Case) -> Trace | None:
    """Give the exception that tells most: the last one that is no aftermath of another process."""
    named = [one for one in case.traces if one.error is not None and one.error not in _TELLS_NOTHING]
    telling = [one for one in named if not _AFTERMATH.search(one.message)]
    framed = [one for one in telling if one.frames]
    found = (framed or telling or named)[-1:]
    if not found:
        return None
    steps = case.all("progress.step", "progress.done")
    if any(step.place.order > found[0].place.order + 1 for step in steps):
        return None  # the run went on
    return found[0]


def _of_a_signal(case: Case) -> Assessment | None:
    sign = case.first("fault.segv")
    if sign is None or case.failures or case.host_failures:
        return None
    return Assessment(
        strength=_STRENGTH,
        evidence=(Evidence(source=str(sign.place), says=sign.text),),
        at=sign.place,
        title="The program crashed in native code, with no sign of memory trouble",
        fixes=prescribe(case, "upgrade_version", "reinstall_extension", "pin_version"),
    )


def _fixes(case: Case, trace: Trace) -> tuple[str, ...]:
    if case.phase == "capture":
        return (
            "enforce_eager" if case.framework == "vllm" else "disable_cuda_graph",
            "change_config",
            "upgrade_version",
        )
    if trace.error in _OF_VERSIONS:
        return ("upgrade_version", "pin_version", "change_config")
    if trace.error == "IndexError":
        return ("check_labels_indices", "change_config", "upgrade_version")
    if trace.error == "KeyError" and "model" in trace.message.lower():
        return ("upgrade_version", "change_config", "match_tokenizer_model")
    if trace.error == "AssertionError" and trace.frames and "site-packages" in trace.frames[-1].file:
        return ("upgrade_version", "change_config", "pin_version")
    return ("change_config", "upgrade_version", "pin_version")


RULE = Rule(
    id="DS929",
    name="other-exception",
    cause="not_memory",
    title="An error of the program, with no sign of memory trouble",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """Traceback (most recent call last):
  File "/home/u/train.py", line 12, in <module>
    stats = torch.cuda.memory_stats_as_nested()
AttributeError: module 'torch.cuda' has no attribute 'memory_stats_as_nested'
""",
        """Traceback (most recent call last):
  File "/home/u/train.py", line 40, in main
    lr = config["learning_rate"]
KeyError: 'learning_rate'
""",
        "Fatal Python error: Segmentation fault\n",
    ),
    near_miss=(
        """Traceback (most recent call last):
  File "/home/u/train.py", line 40, in main
    run()
RuntimeError: out of memory
""",
        """Traceback (most recent call last):
  File "/home/u/train.py", line 40, in main
    loss.backward()
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 23.57 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 23.25 GiB memory in use. Of the allocated memory 22.41 GiB is allocated by PyTorch, and 401.20 MiB is reserved by PyTorch but unallocated.
KeyError: 'x'
""",
    ),
)
