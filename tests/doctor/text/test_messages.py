"""Every message that the doctor knows is kept from the middle of a large log."""

from __future__ import annotations

import importlib.util
import io
import re
from pathlib import Path

import pytest

from dstop.doctor.text.clean import clean
from dstop.doctor.text.read import read_stream

SHARED = Path(__file__).parents[4] / "shared"
RESEARCH, PATTERNS, CORPUS = (
    SHARED / "research/torch_oom.md",
    SHARED / "research/torch_oom_regex.py",
    SHARED / "corpora/oom",
)
FILLER = b"2025-01-15 11:53:31 INFO step 12 loss 2.3456 lr 1.0e-4 grad_norm 0.53 tokens/s 12345.6\n" * 17_000

OWN = (
    "RuntimeError: CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
    "cuDNN error: CUDNN_STATUS_NOT_INITIALIZED",
    "Triton Error [CUDA]: out of memory",
    "No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine",
    "# GPU blocks: 1478, # CPU blocks: 2048",
    "Maximum concurrency for 29000 tokens per request: 0.82x",
    "GPU KV cache size: 23,648 tokens",
    "Graph capturing finished in 22 secs, took 0.52 GiB",
    "Loading model weights took 14.9888 GB",
    "Loaded weights leave no GPU memory for the KV cache under --mem-fraction-static=0.88.",
    "llama_new_context_with_model: KV self size  = 2196.00 MiB, c^KV (f16): 2196.00 MiB",
    "ggml_gallocr_reserve_n: failed to allocate CUDA0 buffer of size 9332334592",
    "llm_load_tensors: CUDA0 buffer size = 4321.00 MiB",
    "model requires more system memory (6.1 GiB) than is available (5.7 GiB)",
    "llama runner process has terminated: signal: killed",
    "2 pytorch allocator cache flushes since last step. this happens when there is high memory pressure",
    "Not enough memory to handle 4096 prefill tokens. You need to decrease `--max-batch-prefill-tokens`",
    "[TRT] [W] Tactic Device request: 4096MB Available: 3071MB. Device memory is insufficient to use tactic.",
    "[TM][ERROR] CUDA runtime error: out of memory",
    "RESOURCE_EXHAUSTED: Out of memory while trying to allocate 17179869184 bytes.",
    "OOM when allocating tensor with shape[64,512,512,64] and type float on GPU by allocator GPU_0_bfc",
    "Error out of memory at line 380 in file /mmfs1/csrc/pythonInterface.c",
    "NCCL WARN Cuda failure 2 'out of memory'",
    "last enqueued NCCL work: 1580, last completed NCCL work: 1579",
    "To avoid data inconsistency, we are taking the entire process down.",
    "python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0",
    "oom_reaper: reaped process 1440763 (perl), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB",
    "oom_kill 3",
    "slurmstepd: error: Detected 1 oom_kill event in StepId=918273.batch.",
    "State=OUT_OF_MEMORY ExitCode=0:125",
    "    reason: OOMKilled",
    "    exitCode: 137",
    "command terminated with exit code 137",
    "train.py exits with return code = -9",
    "exitcode  : -9 (pid: 4100)",
    "Signal 9 (SIGKILL) received by PID 4100",
    "./run.sh: line 30:  4100 Killed                  python train.py",
    "Bus error (core dumped)",
    "RuntimeError: unable to open shared memory object </torch_4100_1> in read-write mode",
    "OSError: [Errno 28] No space left on device",
    "df: /dev/shm 64M",
    "NVRM: Xid (PCI:0000:18:00): 79, pid=1234, GPU has fallen off the bus.",
    "Failed to initialize NVML: Driver/library version mismatch",
    "terminate called after throwing an instance of 'std::bad_alloc'",
    "Some modules are dispatched on the CPU or the disk. Make sure you have enough GPU RAM to fit the quantized model.",
    "MemoryError",
    "OSError: [WinError 1455] The paging file is too small for this operation to complete.",
)


def _assert_kept(message: str) -> None:
    data = b"".join((FILLER, message.encode(), b"\n", FILLER))
    assert len(data) > 2_900_000
    log = read_stream(io.BytesIO(data), "data")
    number = FILLER.count(b"\n") + 1
    found = {(line.number, line.text) for line in log.lines}
    for index, line in enumerate(message.split("\n")):
        assert (number + index, clean(line.encode())) in found, line


@pytest.mark.parametrize("message", OWN)
def test_each_family_is_kept(message: str) -> None:
    """One message of every program and every way to die."""
    _assert_kept(message)


@pytest.mark.skipif(not CORPUS.exists(), reason="needs the logs of ../shared")
def test_the_logs_of_the_corpus_are_kept() -> None:
    """Real logs of real failures, whole."""
    for path in sorted(CORPUS.glob("*.log")):
        _assert_kept(path.read_text().strip("\n"))


@pytest.mark.skipif(not PATTERNS.exists(), reason="needs the research of ../shared")
def test_the_samples_of_the_research_are_kept() -> None:
    """The messages by which the expressions were tested."""
    spec = importlib.util.spec_from_file_location("torch_oom_regex", PATTERNS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert len(module.T) > 20
    for _, sample in module.T:
        _assert_kept(sample)


@pytest.mark.skipif(not RESEARCH.exists(), reason="needs the research of ../shared")
def test_the_message_families_of_the_research_are_kept() -> None:
    """Every row of the table of message families; some are continuations of the first."""
    section = RESEARCH.read_text().split("## 3. Message families")[1].split("\n## ")[0]
    rows = [line.replace("\\|", "/").split("|") for line in section.splitlines() if line.startswith("| ")]
    templates = [
        ("CUDA out of memory. " if re.fullmatch(r"T[1-6]b?|{procs}", row[1].strip()) else "") + row[3].strip()
        for row in rows[1:]
    ]
    assert len(templates) > 30
    for template in templates:
        _assert_kept(template.replace("⏎", "\n"))
