"""Allocations that others than PyTorch's caching allocator refuse; the kind is the family of the failure.

Figures are named as in AllocationFailure: tried, total, free, allocated, allowed.
"""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern
from dstop.doctor.evidence.sizes import SIZE

_N = r"\d[\d,]{0,24}(?:\.\d{1,6})?"

ALLOCATIONS: tuple[Pattern, ...] = (
    # PyTorch beside its allocator: cudaMallocAsync (T10), expandable segments (T8, 2.14), MPS (T13), the CUDA runtime (C1).
    Pattern(
        "cuda_async",
        "would exceed allowed memory",
        rf"Allocation on device (?P<device_count>\d+) would exceed allowed memory\.(?:[^\n]{{0,40}})\s*"
        rf"(?:Currently allocated\s*:\s*(?P<allocated_size>{SIZE})\s*Requested\s*:\s*(?P<tried_size>{SIZE})\s*"
        rf"Device limit\s*:\s*(?P<total_size>{SIZE})\s*Free \(according to CUDA\)\s*:\s*(?P<free_size>{SIZE}))?"
        rf"(?:\s*PyTorch limit \(set by user-supplied memory fraction\)\s*:\s*(?P<allowed_size>{SIZE}))?",
    ),
    Pattern(
        "cuda_async", "Allocation on device", r"(?m:Allocation on device(?: (?P<device_count>\d+))?\s{0,3}$)"
    ),
    Pattern(
        "cuda_map",
        "failed with OOM on device",
        r"failed with OOM on device (?P<device_count>\d+)\s+while trying to "
        r"(?:map|allocate) (?P<tried_bytes>\d+) bytes\s*\(free: (?P<free_bytes>\d+), total: (?P<total_bytes>\d+)",
    ),
    Pattern(
        "address_space",
        "virtual address space for an expandable",
        r"Failed to reserve (?P<tried_bytes>\d+) bytes.{0,40}of virtual address space for an expandable[^\n]{0,60}?device (?P<device_count>\d+)",
    ),
    Pattern(
        "mps",
        "MPS backend out of memory",
        rf"MPS backend out of memory \(MPS allocated: (?P<allocated_size>{SIZE}), other allocations: (?P<others_size>{SIZE}), "
        rf"max allowed: (?P<allowed_size>{SIZE})\)\.?(?:\s*Tried to allocate (?P<tried_size>{SIZE}))?",
    ),
    Pattern("mps", "kIOGPUCommandBufferCallbackErrorOutOfMemory"),
    Pattern(
        "cuda",
        "out of memory",
        r"(?:CUDA|HIP|Cuda|cuda|hip) (?:driver |runtime )?(?:API )?[Ee]rror(?: \(?\d+\)?)?\s?: ?(?:the )?out of memory",
    ),
    Pattern("cuda", "out of memory", r"(?i:cudaError(?:_t)?MemoryAllocation)\b[^\n]{0,40}out of memory"),
    Pattern("cuda", "out of memory", r"(?:CUDA|HIP|ROCm) error \d{1,3} at [^\n]{1,200}: out of memory"),
    Pattern("cuda", "cudaErrorMemoryAllocation"),
    Pattern("cuda", "cudaErrorOutOfMemory"),
    Pattern("cuda", "hipErrorOutOfMemory"),
    Pattern("cuda", "OutOfMemory", r"\bCUDAOutOfMemory\w*|CUDA_OUT_OF_MEMORY"),
    Pattern(
        "cuda",
        "CUDA_ERROR_OUT_OF_MEMORY",
        r"(?<!on host: )CUDA_ERROR_OUT_OF_MEMORY(?: ?[:(] ?out of memory\)?)?",
    ),
    Pattern(
        "cuda",
        "cudaMalloc",
        r"cudaMalloc(?:Async|Retry| retry)?(?:\(\))? (?:of (?:size )?(?P<tried_bytes>\d+)(?: bytes)? )?failed:? (?:with )?[^\n]{0,30}out of memory",
    ),
    Pattern(
        "torch_bare", "OutOfMemoryError", r"(?m:^|\s)(?:torch\.)?(?:cuda\.)?OutOfMemoryError:?\s{0,4}(?m:$)"
    ),
    Pattern(
        "block_limit",
        "allocate memory block with size larger than",
        rf"can NOT allocate memory block with size larger than (?P<allowed_size>{SIZE})! Tried to allocate (?P<tried_size>{SIZE})",
    ),
    Pattern(
        "cuda",
        "out of memory",
        r"CUDA failed with error out of memory|cu(?:da)?Mem(?:ory)?Alloc\w{0,20}\(?\)?: out of memory",
    ),
    Pattern(
        "directml",
        "not enough GPU video memory",
        r"Could not allocate tensor with (?P<tried_bytes>\d+) bytes\. There is not enough GPU video memory",
    ),
    # Other programs on the card.
    Pattern(
        "julia",
        "Out of GPU memory trying to allocate",
        rf"Out of GPU memory trying to allocate (?P<tried_size>{SIZE})(?:[^\n]{{0,200}}\n){{0,3}}?(?:CUDA allocator usage: (?P<allocated_size>{SIZE})"
        rf"(?: \(capped at (?P<allowed_size>{SIZE})\))?)?",
    ),
    Pattern(
        "relion",
        "CustomAllocator out of memory",
        r"(?:Cuda|Hip|Sycl)CustomAllocator out of memory\s{1,8}\[requestedSpace:\s{1,20}(?P<tried_bytes>\d+) B\]"
        r"(?:\s{1,8}\[largestContinuousFreeSpace:\s{1,20}\d+ B\]\s{1,8}\[totalFreeSpace:\s{1,20}(?P<free_bytes>\d+) B\])?",
    ),
    Pattern("blender", "System is out of GPU", r"System is out of GPU(?: and shared host)? memory"),
    Pattern(
        "blender",
        "Out of memory in",
        r"Out of memory in (?:CUDA|OptiX|HIP|Metal) (?:queue|device)[^\n]{0,80}",
    ),
    Pattern(
        "cupy",
        "out of memory to allocate",
        r"out of memory to allocate (?P<tried_bytes>\d+) bytes(?: \(total (?P<allocated_bytes>\d+) bytes\))?",
    ),
    Pattern("nvrm", "NV_ERR_NO_MEMORY", r"Check failed: Out of memory \[NV_ERR_NO_MEMORY\][^\n]{0,120}"),
    Pattern(
        "pool_at_start",
        "from device:",
        r"failed to allocate (?P<tried_size>[\d.]+[KMGT]?i?B?) \(\d+ bytes\) from device: (?:CUDA_ERROR_OUT_OF_MEMORY|hipError\w{1,30}(?:\(\d+\))?)",
    ),
    Pattern("triton", "Triton Error [CUDA]: out of memory"),
    Pattern("bitsandbytes", "Error out of memory at line", r"Error out of memory at line \d+ in file \S+"),
    Pattern(
        "onnxruntime",
        "Failed to allocate memory for requested buffer",
        r"Failed to allocate memory for requested buffer of size (?P<tried_bytes>\d+)",
    ),
    Pattern("onnxruntime", "CUDA failure 2: out of memory", r"CUDA failure 2: out of memory ?;[^\n]{0,200}"),
    Pattern(
        "cupy",
        "Out of memory allocating",
        r"Out of memory allocating (?P<tried_bytes>[\d,]+) bytes(?: \(allocated so far: (?P<allocated_bytes>[\d,]+) bytes)?",
    ),
    Pattern("rmm", "std::bad_alloc: out_of_memory"),
    Pattern("rmm", "RMM failure", r"RMM failure at[^\n]{0,200}(?:Maximum pool size exceeded|out of memory)"),
    Pattern(
        "numba", "CUDA_ERROR_OUT_OF_MEMORY", r"\[2\] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY"
    ),
    Pattern("mxnet", "cudaMalloc", r"cudaMalloc(?:Retry)? failed: out of memory"),
    Pattern(
        "paddle",
        "ResourceExhaustedError",
        r"Out of memory error on GPU (?P<device_count>\d+)\. Cannot allocate (?P<tried_size>[\d.]+[KMG]B) memory on GPU \d+, (?P<allocated_size>[\d.]+[KMG]B) memory has been allocated and available memory is only (?P<free_size>[\d.]+[KMG]B)",
    ),
    # XLA and TensorFlow.
    Pattern(
        "tensorflow",
        "OOM when allocating tensor",
        r"OOM when allocating tensor(?: (?:of|with) shape ?\[(?P<shape>[\d,]{1,80})\])?(?: and type (?P<dtype>\w{1,20}))?(?: on (?P<where>\S{1,120}))?",
    ),
    Pattern(
        "tensorflow",
        "ran out of memory trying to allocate",
        r"Allocator \((?P<pool>\w{1,40})\) ran out of memory trying to allocate (?P<tried_size>[\d.]+ ?[KMGT]?i?B)(?![^\n]{0,80}not a failure)",
    ),
    Pattern(
        "xla",
        "RESOURCE_EXHAUSTED",
        r"RESOURCE_EXHAUSTED:[^\n]{0,80}?(?:[Oo]ut of memory|ran out of memory)[^\n]{0,60}?(?:allocate|allocating) (?P<tried_size>[\d,.]+ ?(?:bytes|[KMGT]i?B))",
    ),
    Pattern(
        "xla",
        "exhausted",
        r"(?:RESOURCE_EXHAUSTED|Resource exhausted|ResourceExhausted)[^\n]{0,120}?(?:[Oo]ut of memory|ran out of memory|OOM)[^\n]{0,80}",
    ),
    Pattern(
        "xla",
        "RESOURCE_EXHAUSTED",
        r"RESOURCE_EXHAUSTED[^\n]{0,160}(?:[Oo]ut of memory|[Ff]ailed to allocate|OOM)[^\n]{0,80}",
    ),
    # ggml: llama.cpp, Ollama, and what is built on them.
    Pattern(
        "ggml",
        "cudaMalloc failed: out of memory",
        r"(?:allocating|alloc(?:ate)?) (?P<tried_mib>[\d.]+) MiB on device (?P<device_count>\d+): (?:cuda|hip)Malloc failed: out of memory",
    ),
    Pattern(
        "ggml",
        "out of memory",
        r"ggml_(?:vulkan|metal|cuda|backend)\w{0,40}:[^\n]{0,80}(?:[Oo]ut of memory|OutOfDeviceMemory|Insufficient Memory)[^\n]{0,80}",
    ),
    Pattern("ggml", "ErrorOutOfDeviceMemory"),
    Pattern(
        "ggml",
        "failed to allocate",
        r"(?:alloc_tensor_range|ggml_gallocr_reserve_n(?:_impl)?): failed to allocate (?P<buffer>(?:CUDA|ROCm|Vulkan|Metal|HIP|SYCL)\w{0,12}) buffer of size (?P<tried_bytes>\d+)",
    ),
    # TensorRT's builder and runtime.
    Pattern(
        "tensorrt",
        "OutOfMemory",
        r"\[?(?:defaultAllocator|virtualMemoryBuffer|executionContext|safeDeserialize|builder|engine|runtime)?[^\n]{0,80}(?:Cuda|CUDA) Runtime \(out of memory\)[^\n]{0,120}|OutOfMemory \(no further information\)|Error Code \d+: OutOfMemory[^\n]{0,160}",
    ),
    Pattern(
        "tensorrt",
        "Requested amount of GPU memory",
        r"Requested amount of GPU memory \((?P<tried_bytes>\d+) bytes\) could not be allocated",
    ),
)
"""On a device."""
