"""What this card cannot do, or this process cannot see: on-chip memory, instructions of newer cards, device numbers."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "other.on_chip_memory",
        "out of resource",
        r"(?i)out of resources?: (?:shared memory|tensor memory|threads|registers)\b(?:,? Required: ?(?P<tried_bytes>\d{1,12}))?(?:,? Hardware limit: ?(?P<limit_bytes>\d{1,12}))?[^\n]{0,80}",
    ),
    Pattern("other.on_chip_memory", "OutOfResources", r"OutOfResources\b[^\n]{0,160}"),
    Pattern(
        "other.on_chip_memory",
        "uses too much shared data",
        r"[Uu]ses too much shared data(?:[^\n(]{0,30}\((?P<tried_hex>0x[0-9a-f]{1,8}) bytes, (?P<limit_hex>0x[0-9a-f]{1,8}) max\))?",
    ),
    Pattern(
        "other.on_chip_memory",
        "shared memory",
        r"(?i)shared memory(?! (?:segment|object|file|limit|\(shm\)))[^\n]{0,40}\b(?:exceeds?|exceeded|exceeding)\b[^\n]{0,60}|(?:exceeds?|too much|dynamic|insufficient|not enough) shared memory(?! (?:segment|object|file|limit|\(shm\)))[^\n]{0,40}(?:per[- ]block|per[- ]SM|kernel|\d{5,6}|for the)[^\n]{0,60}",
    ),
    Pattern(
        "other.on_chip_memory",
        "local memory",
        r"(?i)local memory \([\d,]{1,12}\) exceeds limit \([\d,]{1,12}\)|exceeded?[^\n]{0,30}(?:LDS|local data share)[^\n]{0,60}",
    ),
    Pattern("other.launch_resources", "too many resources requested for launch"),
    Pattern("other.launch_resources", "LaunchOutOfResources", r"(?:cuda|hip)ErrorLaunchOutOfResources"),
    Pattern("other.launch_resources", "LAUNCH_OUT_OF_RESOURCES"),
    Pattern(
        "other.launch_resources",
        "invalid configuration argument",
        r"(?:CUDA error: )?invalid configuration argument",
    ),
    Pattern("other.no_kernel_image", "no kernel image is available"),
    Pattern("other.no_kernel_image", "NO_BINARY_FOR_GPU", r"CUDA_ERROR_NO_BINARY_FOR_GPU"),
    Pattern("other.no_kernel_image", "NoKernelImageForDevice"),
    Pattern("other.no_kernel_image", "NoBinaryForGpu", r"hipErrorNoBinaryForGpu[^\n]{0,100}"),
    Pattern("other.no_kernel_image", "device kernel image is invalid"),
    Pattern(
        "other.no_kernel_image",
        "invalid device function",
        r"(?:CUDA|HIP) error: invalid device function|invalid device function",
    ),
    Pattern(
        "other.no_kernel_image",
        "ith the current PyTorch installation",
        r"(?:(?:with )?CUDA capability (?P<arch>sm_\d{2,3}\w?) )?is not compatible with the current PyTorch installation",
    ),
    Pattern("other.no_kernel_image", "PyTorch no longer supports this GPU because it is too old"),
    Pattern(
        "other.no_kernel_image",
        "minimum cuda capability supported by this library",
        r"[Mm]inimum cuda capability supported by this library is (?P<needs>\d{1,2}\.\d)",
    ),
    Pattern(
        "other.no_kernel_image",
        "Cannot find Symbol",
        r"TensileLibrary[^\n]{0,120}|Cannot find Symbol[^\n]{0,80}",
    ),
    Pattern(
        "other.no_kernel_image",
        "TensileLibrary",
        r"(?:rocBLAS error: )?[^\n]{0,80}TensileLibrary[^\n]{0,120}",
    ),
    Pattern(
        "other.no_kernel_image",
        "not defined for option 'gpu",
        r"Value '(?P<arch>(?:sm|compute)_\d{2,3}\w?)' is not defined for option 'gpu-(?:name|architecture)'",
    ),
    Pattern(
        "other.no_kernel_image",
        "gpu architecture",
        r"(?i)(?:nvcc fatal[^\n]{0,20})?unsupported gpu architecture '?(?P<arch>(?:sm|compute)_\d{2,3}\w?)'?",
    ),
    Pattern(
        "other.no_kernel_image",
        "not a recognized processor for this target",
        r"'?(?P<arch>\w{2,20})'? is not a recognized processor for this target",
    ),
    Pattern(
        "other.old_card",
        "ompute capability",
        r"(?i)(?:requires?|only supports?|supported (?:only )?on|not supported on|needs?|at least|minimum)[^\n]{0,80}compute capability[^\n]{0,80}|compute capability[^\n]{0,40}(?:is not supported|not supported|is too (?:low|old)|required)[^\n]{0,80}",
    ),
    Pattern(
        "other.old_card",
        "sm_",
        r"(?i)(?:unsupported|not support\w*|only support\w*|requires?)[^\n]{0,40}\bsm_?\d{2,3}\w?\b[^\n]{0,60}",
    ),
    Pattern(
        "other.old_card",
        "SM",
        r"(?:requires?|only supports?|needs?|not supported (?:for|on))[^\n]{0,40}\bSM ?\d{2,3}\b[^\n]{0,60}",
    ),
    Pattern(
        "other.old_card",
        "Triton only supports devices of CUDA Capability",
        r"Triton only supports devices of CUDA Capability >= ?(?P<needs>[\d.]{1,4})[^\n]{0,80}",
    ),
    Pattern(
        "other.old_card",
        "too old to be supported by the triton GPU compiler",
        r"Found [^\n]{1,60} which is too old to be supported by the triton GPU compiler[^\n]{0,80}",
    ),
    Pattern(
        "other.old_card",
        "bfloat16",
        r"(?i)bfloat16 is (?:only supported on|not supported)[^\n]{0,160}|does not support bfloat16[^\n]{0,60}",
    ),
    Pattern(
        "other.old_card",
        "bf16",
        r"(?i)(?:your (?:setup|GPU|device)[^\n]{0,40}(?:doesn't|does not) support bf16|bf16[^\n]{0,40}(?:not supported|requires? (?:an )?ampere))[^\n]{0,80}",
    ),
    Pattern(
        "other.old_card",
        "FlashAttention only supports",
        r"FlashAttention only supports [^\n]{1,40}GPUs? or newer[^\n]{0,20}",
    ),
    Pattern(
        "other.old_card",
        "fp8",
        r"(?i)fp8[^\n]{0,60}(?:only supported|not supported|requires?)[^\n]{0,60}(?:GPU|capability|ada|hopper|8\.9|MI300|sm)[^\n]{0,60}",
    ),
    Pattern(
        "other.old_card",
        "Feature '",
        r"ptxas[^\n]{0,200}Feature '[^'\n]{1,60}' requires \.target (?P<needs>sm_\d{2,3}\w?) or higher",
    ),
    Pattern(
        "other.device_ordinal", "invalid device ordinal", r"(?:(?:CUDA|HIP) error: )?invalid device ordinal"
    ),
    Pattern("other.device_ordinal", "INVALID_DEVICE", r"CUDA_ERROR_INVALID_DEVICE"),
    Pattern(
        "other.device_ordinal",
        "nvalid device",
        r"(?i)invalid device id\b[^\n]{0,60}|Invalid CUDA 'device=[^\n]{0,80}",
    ),
    Pattern(
        "other.device_ordinal",
        "but only",
        r"(?i)(?:requested|need|asked for|tensor parallel size|world size)[^\n]{0,80}but only \d{1,3}[^\n]{0,20}(?:gpu|device|cuda)[^\n]{0,80}",
    ),
    Pattern(
        "other.device_ordinal",
        "ou requested",
        r"You requested gpu: [^\n]{0,80}|you requested[^\n]{0,60}but your machine only has[^\n]{0,60}",
    ),
    Pattern(
        "other.device_ordinal",
        "exceeds the number of available",
        r"(?i)(?:world size|tensor[-_ ]parallel[-_ ]size|number of (?:required )?gpus)[^\n]{0,60}(?:exceeds|is larger than|is greater than) the (?:total )?number of available[^\n]{0,60}",
    ),
    Pattern(
        "other.device_ordinal",
        "larger than the number of available",
        r"tensor_parallel_size \(?\d{0,4}\)? ?[^\n]{0,40}larger than the number of available[^\n]{0,40}",
    ),
    Pattern(
        "other.device_ordinal",
        "torch.cuda.is_available() is False",
        r"Attempting to deserialize object on (?:a )?CUDA device[^\n]{0,20}but torch\.cuda\.is_available\(\) is False",
    ),
    Pattern(
        "other.device_ordinal",
        "torch.cuda.device_count()",
        r"Attempting to deserialize object on CUDA device \d{1,3} but torch\.cuda\.device_count\(\) is \d{1,3}",
    ),
    Pattern(
        "other.device_ordinal",
        "Duplicate GPU detected",
        r"Duplicate GPU detected ?: rank (?P<rank_count>\d{1,6}) and rank \d{1,6} both on CUDA device[^\n]{0,40}",
    ),
    Pattern("other.device_type", "infer device type", r"Failed to infer device type[^\n]{0,80}"),
    Pattern("other.no_cuda_build", "Torch not compiled with CUDA enabled"),
    Pattern(
        "other.no_cuda_build",
        "PyTorch is not linked with support for cuda",
        r"PyTorch is not linked with support for cuda devices",
    ),
    Pattern(
        "other.no_cuda_build",
        "without GPU support",
        r"(?i)(?:compiled|built|installed)[^\n]{0,20} without GPU support[^\n]{0,80}",
    ),
)
