"""PyTorch and what trains on it: transformers, DeepSpeed, Lightning, bitsandbytes."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "torch.nvml_assert",
        "INTERNAL ASSERT FAILED",
        r"(?:NVML_SUCCESS == |nvmlDeviceGet|nvml\w{0,60})[^\n]{0,160}INTERNAL ASSERT FAILED at \"[^\"\n]{0,200}CUDACachingAllocator\.cpp",
    ),
    Pattern("torch.cublas_alloc", "CUBLAS_STATUS_ALLOC_FAILED"),
    Pattern("torch.cublas_init", "CUBLAS_STATUS_NOT_INITIALIZED"),
    Pattern("torch.cublas_init", "cublas handle", r"(?i:create cublas handle failed|cublas handle creation)"),
    Pattern(
        "torch.cublas_other",
        "CUBLAS_STATUS_",
        r"CUBLAS_STATUS_(?:EXECUTION_FAILED|INTERNAL_ERROR|INVALID_VALUE|NOT_SUPPORTED)[^\n]{0,160}",
    ),
    Pattern("torch.cudnn_alloc", "CUDNN_STATUS_ALLOC_FAILED"),
    Pattern(
        "torch.cudnn_alloc", "outside PyTorch's allocator", r"ran out of memory outside PyTorch's allocator"
    ),
    Pattern("torch.cudnn_init", "CUDNN_STATUS_NOT_INITIALIZED"),
    Pattern(
        "torch.cudnn_init", "Could not create cudnn handle", r"Could not create cudnn handle:[^\n]{0,80}"
    ),
    Pattern(
        "torch.cusolver",
        "CUSOLVER_STATUS_",
        r"CUSOLVER_STATUS_(?:ALLOC_FAILED|NOT_INITIALIZED|INTERNAL_ERROR)",
    ),
    Pattern(
        "torch.cusolver",
        "cusolver",
        r"(?i)(?:could not|unable to|failed to) (?:create|initialize) (?:the )?cusolver[^\n]{0,60}",
    ),
    Pattern(
        "torch.cublas_alloc",
        "cublas_handle",
        r"CUDA error: the resource allocation failed\s[^\n]{0,80}in function cublas_handle",
    ),
    Pattern("torch.no_cudnn", "cudnn handle", r"Could not create cudnn handle[^\n]{0,80}"),
    Pattern(
        "torch.cudnn_versions",
        "source was compiled with",
        r"Loaded runtime CuDNN library: (?P<loaded>[\d.]{1,12}) but source was compiled with: (?P<built>[\d.]{1,12})",
    ),
    Pattern(
        "torch.memory_usage",
        "bytes free",
        r"Memory usage: (?P<free_bytes>\d+) bytes free, (?P<total_bytes>\d+) bytes total",
    ),
    # torch.cuda.memory_summary(): name, current, peak, total allocated, total freed.
    Pattern(
        "torch.summary_allocated",
        "| Allocated memory",
        r"\| Allocated memory {1,12}\| {1,12}(?P<now_size>\d{1,9} ?[KMGT]?i?B)",
    ),
    Pattern(
        "torch.summary_active",
        "| Active memory",
        r"\| Active memory {1,14}\| {1,12}(?P<now_size>\d{1,9} ?[KMGT]?i?B)",
    ),
    Pattern(
        "torch.summary_requested",
        "| Requested memory",
        r"\| Requested memory {1,12}\| {1,12}(?P<now_size>\d{1,9} ?[KMGT]?i?B)",
    ),
    Pattern("torch.cycle", "Reference cycle includes a CUDA Tensor"),
    Pattern("torch.gradients_kept", "set_to_none", r"zero_grad\(set_to_none ?= ?False\)"),
    Pattern("torch.card_full", "MiB", r"(?P<used_mib>\d{3,7}) ?MiB ?[,/] {0,4}(?P<total_mib>\d{3,7}) ?MiB"),
    Pattern("torch.curand", "CURAND_STATUS_", r"CURAND_STATUS_\w{3,40}"),
    Pattern(
        "torch.find_engine",
        "Unable to find an engine to execute",
        r"(?:GET was unable|Unable) to find an engine to execute this computation",
    ),
    Pattern(
        "deepspeed.cache_flushes",
        "pytorch allocator cache flushes",
        r"(?P<flushes_count>\d+) pytorch allocator cache flushes since last step",
    ),
    Pattern(
        "transformers.dispatched",
        "dispatched on the CPU or the disk",
        r"Some modules are dispatched on the CPU or the disk",
    ),
    Pattern(
        "torch.expandable_on",
        "expandable_segments",
        r"(?i)PYTORCH_(?:CUDA_|HIP_)?ALLOC_CONF[\"']?\]?\s{0,2}[=:]\s{0,2}[\"']?[^\n\"']{0,80}expandable_segments:True(?! to avoid)",
    ),
    Pattern(
        "torch.visible_devices",
        "CUDA_VISIBLE_DEVICES",
        r"CUDA_VISIBLE_DEVICES\s{0,2}[=:]\s{0,2}\[?(?P<devices>[\d,]{1,40})",
    ),
    Pattern(
        "torch.elastic_root",
        "Root Cause",
        r"Root Cause[^\n]{0,40}\n(?:[^\n]{0,200}\n){0,4}?[^\n]{0,40}rank\s{0,6}: (?P<rank_count>\d+)",
    ),
    Pattern("torch.elastic_exit", "exitcode", r"exitcode\s{0,6}: ?(?P<code>-?\d{1,5})"),
)
