"""What CUDA, ROCm and PyTorch say when a kernel goes wrong."""

from __future__ import annotations

from dstop.doctor.evidence.messages.faults import MESSAGES  # noqa: F401 - the table that these lines are for

LINES = (
    ("CUDA error: an illegal memory access was encountered", "fault.illegal_access", {}),
    ("Illegal memory access", "fault.illegal_access", {}),
    ("CUDA_ERROR_ILLEGAL_ADDRESS: an illegal", "fault.illegal_access", {}),
    ("cudaErrorIllegalAddress", "fault.illegal_access", {}),
    ("Thread 1 received signal CUDA_EXCEPTION_14, Warp Illegal Address.", "fault.illegal_access", {}),
    ("CUDA Runtime API error 700 at line 12", "fault.illegal_access", {}),
    (
        "Memory access fault by GPU node-1 (Agent handle: 0x55) on address 0x7fc133800000. Reason: Page not present or supervisor privilege.",
        "fault.illegal_access",
        {},
    ),
    (
        "Queue 0x7f aborting with error : HSA_STATUS_ERROR_EXCEPTION: An HSAIL operation resulted in a hardware exception. code: 0x1016",
        "fault.illegal_access",
        {},
    ),
    ("========= Invalid __global__ read of size 4 bytes", "fault.illegal_access", {"access_bytes": 4}),
    ("MMU Fault: violation accessing 0x12", "fault.illegal_access", {}),
    ("CUDA error: misaligned address", "fault.misaligned", {}),
    ("cudaErrorMisalignedAddress", "fault.misaligned", {}),
    ("CUDA_ERROR_MISALIGNED_ADDRESS", "fault.misaligned", {}),
    ("CUDA error: an illegal instruction was encountered", "fault.illegal_instruction", {}),
    ("cudaErrorIllegalInstruction", "fault.illegal_instruction", {}),
    ("CUDA_ERROR_ILLEGAL_INSTRUCTION", "fault.illegal_instruction", {}),
    ("CUDA error: invalid program counter", "fault.illegal_instruction", {}),
    ("CUDA error: unspecified launch failure", "fault.launch_failure", {}),
    ("CUDA_ERROR_LAUNCH_FAILED", "fault.launch_failure", {}),
    ("hipErrorLaunchFailure", "fault.launch_failure", {}),
    ("CUDA error: the launch timed out and was terminated", "fault.launch_timeout", {}),
    ("cudaErrorLaunchTimeout", "fault.launch_timeout", {}),
    ("CUDA_ERROR_LAUNCH_TIMEOUT", "fault.launch_timeout", {}),
    ("RuntimeError: CUDA error: device-side assert triggered", "fault.assert", {}),
    ("cudaErrorAssert", "fault.assert", {}),
    ("CUDA_ERROR_ASSERT: device-side", "fault.assert", {}),
    (
        "/src/Loss.hip:12: kernel: Device-side assertion `t < n' failed.",
        "fault.assert_line",
        {"condition": "t < n"},
    ),
    (
        "../aten/src/ATen/native/cuda/Indexing.cu:1146: indexSelectLargeIndex: block: [16,0,0], thread: [0,0,0] Assertion `srcIndex < srcSelectDimSize` failed.",
        "fault.assert_line",
        {"line_count": 1146, "condition": "srcIndex < srcSelectDimSize"},
    ),
    (
        "TensorCompare.cu:110: _assert_async_cuda_kernel: block: [0,0,0], thread: [0,0,0] Assertion `probability tensor contains either `inf`, `nan` or element < 0` failed.",
        "fault.assert_line",
        {"condition": "probability tensor contains either `inf`, `nan` or element < 0"},
    ),
    (
        "C:\\a\\Loss.cu:250: block: [0,0,0], thread: [3,0,0] Assertion `t >= 0 && t < n_classes` failed.",
        "fault.assert_line",
        {"condition": "t >= 0 && t < n_classes"},
    ),
    (
        "/var/cache/torchinductor_u/x/cx.py:30: unknown: block: [0,0,0], thread: [32,0,0] Assertion `index out of bounds: 0 <= tmp4 < 128256` failed.",
        "fault.assert_line",
        {"line_count": 30},
    ),
    ("CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm(`", "fault.cublas_run", {}),
    ("cublas runtime error : the GPU program failed to execute at /x/THCBlas.cu:331", "fault.cublas_run", {}),
    ("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED", "fault.cudnn_run", {}),
    ("IndexError: index out of range in self", "fault.index_cpu", {}),
    ("IndexError: Target 5 is out of bounds.", "fault.index_cpu", {}),
    ("Segmentation fault (core dumped)", "fault.segv", {}),
    ("  exitcode  : -11 (pid: 100)", "fault.segv", {}),
    ("Signal 11 (SIGSEGV) received by PID 100", "fault.segv", {}),
    (
        "python[3411]: segfault at 0 ip 00007f3 sp 00007ffc error 4 in libcuda.so.535.104[7f3+100]",
        "fault.segv_library",
        {"library": "libcuda.so.535.104"},
    ),
    ("# Problematic frame: C  [libcudart.so.12+0x1]", "fault.segv_library", {}),
    ("CUDA error: unknown error", "fault.unknown", {}),
    ("cudaErrorUnknown", "fault.unknown", {}),
)
CALM = (
    "Compile with `TORCH_USE_CUDA_DSA` to enable device-side assertions.",
    "Device-side assertion tracking was not enabled by user.",
    "python: foo.c:12: main: Assertion `x > 0' failed.",
    "exitcode  : 1 (pid: 100)",
)
