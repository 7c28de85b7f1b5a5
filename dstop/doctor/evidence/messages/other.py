"""Failures that have nothing to do with memory, although some of their words do."""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    Pattern("other.port", "EADDRINUSE"),
    Pattern("other.port", "ddress already in use", r"(?i)address already in use"),
    Pattern(
        "other.on_chip_memory",
        "out of resource",
        r"(?i)out of resources?: shared memory,? Required: (?P<tried_bytes>\d+),? Hardware limit: ?(?P<limit_bytes>\d+)",
    ),
    Pattern(
        "other.on_chip_memory",
        "uses too much shared data",
        r"(?i)uses too much shared (?:data|memory)[^\n]{0,120}",
    ),
    Pattern(
        "other.on_chip_memory",
        "OutOfResources",
        r"OutOfResources: out of resource: (?:shared memory|threads|registers|tensor memory)[^\n]{0,160}",
    ),
    Pattern("other.launch_resources", "too many resources requested for launch"),
    Pattern("other.no_kernel_image", "no kernel image is available"),
    Pattern(
        "other.no_kernel_image",
        "is not compatible with the current PyTorch installation",
        r"with CUDA capability sm_\d+ is not compatible with the current PyTorch installation",
    ),
    Pattern(
        "other.no_kernel_image",
        "compute capability",
        r"(?i)(?:requires?|only supports?|supported (?:only )?on|not supported on|needs?|at least)[^\n]{0,80}compute capability[^\n]{0,80}|compute capability[^\n]{0,40}(?:is not supported|not supported|is too (?:low|old))[^\n]{0,60}",
    ),
    Pattern(
        "other.no_kernel_image",
        "sm_",
        r"(?i)(?:unsupported|not support\w*|no)[^\n]{0,40}\bsm_\d{2,3}\w?\b[^\n]{0,60}",
    ),
    Pattern(
        "other.bf16",
        "bfloat16",
        r"(?i)bfloat16 is only supported on GPUs with compute capability of at least[^\n]{0,120}|bf16[^\n]{0,40}(?:not supported|requires? Ampere)[^\n]{0,60}",
    ),
    Pattern(
        "other.flash_ampere",
        "FlashAttention only supports",
        r"FlashAttention only supports Ampere GPUs or newer",
    ),
    Pattern("other.device_ordinal", "invalid device ordinal"),
    Pattern("other.devices_differ", "Expected all tensors to be on the same device"),
    Pattern("other.fork", "Cannot re-initialize CUDA in forked subprocess"),
    Pattern("other.no_cuda_build", "Torch not compiled with CUDA enabled"),
    Pattern(
        "other.context_length",
        "context",
        r"(?i)(?:maximum context length|context length|context window|context size)[^\n]{0,60}(?:exceed|is \d+ tokens|however|too (?:long|small))[^\n]{0,160}",
    ),
    Pattern(
        "other.context_length",
        "longer than",
        r"(?i)(?:token indices sequence length|prompt|input)[^\n]{0,40}(?:is )?longer than[^\n]{0,40}(?:maximum|max|model)[^\n]{0,80}",
    ),
    Pattern("other.shape", "size mismatch", r"size mismatch for [^\n]{0,160}"),
    Pattern(
        "other.shape", "shapes cannot be multiplied", r"mat1 and mat2 shapes cannot be multiplied[^\n]{0,60}"
    ),
    Pattern(
        "other.shape",
        "must match",
        r"The size of tensor a \(\d+\) must match the size of tensor b[^\n]{0,80}",
    ),
    Pattern("other.inference_tensor", "size of tensor", r"The expanded size of the tensor[^\n]{0,160}"),
    Pattern(
        "other.divisible",
        "divisible",
        r"(?i)(?:must|should|not|is) (?:be )?(?:evenly )?divisible by[^\n]{0,120}",
    ),
    Pattern("other.missing_module", "No module named", r"ModuleNotFoundError: No module named[^\n]{0,100}"),
    Pattern("other.missing_module", "undefined symbol", r"undefined symbol:? [^\n]{0,160}"),
    Pattern(
        "other.missing_library",
        "cannot open shared object file",
        r"\S{1,80}\.so[.\d]{0,12}: cannot open shared object file",
    ),
    Pattern(
        "other.disk_full",
        "No space left on device",
        r"(?:OSError: )?\[Errno 28\] No space left on device(?!: '/dev/shm)(?![^\n]{0,40}(?:/dev/shm|torch_|psm_))",
    ),
    Pattern("other.http", "HTTP", r"HTTP[^\n]{0,20}\b(?:40[0134]|429|50[234])\b[^\n]{0,120}"),
    Pattern(
        "other.unsupported_model",
        "not supported for now",
        r"Model architectures? \[[^\n]{0,120}not supported for now[^\n]{0,60}",
    ),
    Pattern(
        "other.unsupported_model",
        "does not recognize this architecture",
        r"model type `?\w{1,60}`? but Transformers does not recognize this architecture",
    ),
    Pattern(
        "other.tokenizer",
        "Tokenizer",
        r"(?i)(?:can't load tokenizer|tokenizer class \w{1,60} does not exist|Couldn't instantiate the backend tokenizer)[^\n]{0,120}",
    ),
    Pattern("other.weights_only", "Weights only load failed"),
    Pattern("other.safetensors", "SafetensorError", r"SafetensorError[^\n]{0,160}"),
    Pattern("other.unused_parameters", "Expected to have finished reduction in the prior iteration"),
    Pattern("other.backward_twice", "Trying to backward through the graph a second time"),
    Pattern("other.inplace", "modified by an inplace operation"),
    Pattern(
        "other.nan",
        "NaN",
        r"(?i)(?:loss is nan|nan (?:loss )?detected|found (?:nan|inf)[^\n]{0,40}|Function '\w{1,40}' returned nan values)[^\n]{0,80}",
    ),
    Pattern("other.graph_capture_op", "operation not permitted when stream is capturing"),
    Pattern("other.graph_capture_op", "cudaErrorStreamCaptureUnsupported"),
)
