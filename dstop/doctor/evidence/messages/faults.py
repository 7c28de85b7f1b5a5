"""Kernels that do what they must not: illegal accesses, assertions, bad launches.

Every CUDA error of PyTorch ends in an advice about `TORCH_USE_CUDA_DSA` and "device-side assertions": only `assert
triggered` and the assertion's own line are one.
"""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "fault.illegal_access",
        "llegal memory access",
        r"(?:an )?[Ii]llegal memory access(?: was encountered)?",
    ),
    Pattern(
        "fault.illegal_access", "ILLEGAL_ADDRESS", r"CUDA_ERROR_ILLEGAL_ADDRESS|CUDA_EXCEPTION_14[^\n]{0,40}"
    ),
    Pattern("fault.illegal_access", "ErrorIllegalAddress", r"(?:cuda|hip)ErrorIllegalAddress"),
    Pattern("fault.illegal_access", "Illegal Address", r"Warp Illegal Address[^\n]{0,80}"),
    Pattern(
        "fault.illegal_access",
        "rror 700",
        r"(?i)(?:CUDA|HIP|cuda(?:runtime)?|thrust)[^\n]{0,40}\berror 700\b[^\n]{0,80}",
    ),
    Pattern(
        "fault.illegal_access",
        "Memory access fault by GPU",
        r"Memory access fault by GPU node-?\d{1,3}[^\n]{0,200}",
    ),
    Pattern(
        "fault.illegal_access",
        "HSA_STATUS_ERROR",
        r"HSA_STATUS_ERROR_(?:EXCEPTION|MEMORY_APERTURE_VIOLATION|MEMORY_FAULT|ILLEGAL_INSTRUCTION|INVALID_PACKET_FORMAT)[^\n]{0,120}",
    ),
    Pattern(
        "fault.illegal_access",
        "Invalid __",
        r"Invalid __(?:global|shared|local)__ (?:read|write|atomic) of size (?P<access_bytes>\d{1,6})[^\n]{0,60}",
    ),
    Pattern(
        "fault.illegal_access",
        "violation accessing",
        r"(?:MMU Fault|Page fault)[^\n]{0,120}violation accessing[^\n]{0,80}",
    ),
    Pattern("fault.misaligned", "misaligned address", r"(?:CUDA error: )?misaligned address"),
    Pattern("fault.misaligned", "isalignedAddress", r"(?:cuda|hip)ErrorMisalignedAddress"),
    Pattern("fault.misaligned", "MISALIGNED_ADDRESS", r"CUDA_ERROR_MISALIGNED_ADDRESS"),
    Pattern(
        "fault.illegal_instruction",
        "illegal instruction was encountered",
        r"an illegal instruction was encountered",
    ),
    Pattern("fault.illegal_instruction", "ErrorIllegalInstruction", r"(?:cuda|hip)ErrorIllegalInstruction"),
    Pattern("fault.illegal_instruction", "CUDA_ERROR_ILLEGAL_INSTRUCTION"),
    Pattern(
        "fault.illegal_instruction", "invalid program counter", r"(?:CUDA error: )?invalid program counter"
    ),
    Pattern(
        "fault.launch_failure", "unspecified launch failure", r"(?:CUDA error: )?unspecified launch failure"
    ),
    Pattern("fault.launch_failure", "CUDA_ERROR_LAUNCH_FAILED"),
    Pattern("fault.launch_failure", "ErrorLaunchFailure", r"(?:cuda|hip)ErrorLaunchFailure"),
    Pattern("fault.launch_timeout", "the launch timed out and was terminated"),
    Pattern("fault.launch_timeout", "ErrorLaunchTimeout", r"(?:cuda|hip)ErrorLaunchTime[oO]ut"),
    Pattern("fault.launch_timeout", "CUDA_ERROR_LAUNCH_TIMEOUT"),
    Pattern(
        "fault.assert",
        "device-side assert triggered",
        r"(?:CUDA error: |HIP error: )?device-side assert triggered",
    ),
    Pattern("fault.assert", "evice-side assertion `", r"[Dd]evice-side assertion `[^\n]{1,200}' failed"),
    Pattern("fault.assert", "ErrorAssert", r"(?:cuda|hip)ErrorAssert"),
    Pattern("fault.assert", "CUDA_ERROR_ASSERT"),
    Pattern(
        "fault.assert_line",
        "thread: [",
        r"(?P<file>[^\s:]{1,200}\.(?:cu|cuh|hip|h|hpp|cpp|py|inl)):(?P<line_count>\d{1,6}):[^\n]{0,300}?thread: \[[\d, ]{1,30}\][: ]{1,3}Assertion `(?P<condition>[^\n]{1,300}?)` failed",
    ),
    Pattern(
        "fault.assert_line",
        "Assertion `",
        r"(?:^|\n|\]: ?)(?:[^\n]{0,120}thread: \[[\d, ]{1,30}\] )?Assertion `(?P<condition>[^\n]{1,300}?)` failed",
    ),
    Pattern(
        "fault.assert_line",
        "evice-side assertion `",
        r"[Dd]evice-side assertion `(?P<condition>[^\n]{1,200}?)' failed",
    ),
    Pattern(
        "fault.cublas_run",
        "CUBLAS_STATUS_",
        r"CUBLAS_STATUS_(?:EXECUTION_FAILED|INTERNAL_ERROR|INVALID_VALUE|MAPPING_ERROR)[^\n]{0,120}",
    ),
    Pattern(
        "fault.cublas_run",
        "cublas",
        r"cublas runtime error : (?:the GPU program failed to execute|an internal operation failed|library not initialized|resource allocation failed)[^\n]{0,120}",
    ),
    Pattern(
        "fault.cudnn_run",
        "CUDNN_STATUS_",
        r"CUDNN_STATUS_(?:EXECUTION_FAILED|INTERNAL_ERROR|MAPPING_ERROR|BAD_PARAM)\w{0,40}",
    ),
    Pattern("fault.index_cpu", "index out of range in self"),
    Pattern(
        "fault.index_cpu",
        "is out of bounds",
        r"(?:Target|index|Index) -?\d{1,12} is out of (?:bounds|range)[^\n]{0,80}",
    ),
    Pattern("fault.segv", "egmentation fault", r"[Ss]egmentation fault(?: \(core dumped\))?[^\n]{0,80}"),
    Pattern("fault.segv", "exitcode", r"exitcode\s{0,6}: ?-11\b[^\n]{0,40}"),
    Pattern("fault.segv", "SIGSEGV", r"(?:[Ss]ignal:? ?\(?)?(?:11 )?\(?SIGSEGV\)?[^\n]{0,80}"),
    Pattern(
        "fault.segv_library",
        "segfault at",
        r"segfault at [0-9a-f]{1,16} ip [0-9a-f]{1,16}[^\n]{0,80} in (?P<library>[\w.+-]{1,80})[^\n]{0,40}",
    ),
    Pattern(
        "fault.segv_library",
        "libcu",
        r"(?i)(?:SIGSEGV|segmentation fault|problematic frame|C  )[^\n]{0,120}(?P<library>lib(?:cuda|cublas|cudnn|cudart|curand|cusparse)\w{0,20}\.so[.\d]{0,20})[^\n]{0,60}",
    ),
    Pattern("fault.unknown", "CUDA error: unknown error"),
    Pattern("fault.unknown", "cudaErrorUnknown"),
)
