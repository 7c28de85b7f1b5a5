"""What a card cannot do, or a process cannot see."""

from __future__ import annotations

from dstop.doctor.evidence.messages.limits import MESSAGES  # noqa: F401 - the table that these lines are for

LINES = (
    (
        "triton.runtime.errors.OutOfResources: out of resource: shared memory, Required: 131072, Hardware limit: 65536. Reducing block sizes or `num_stages` may help.",
        "other.on_chip_memory",
        {"tried_bytes": 131072, "limit_bytes": 65536},
    ),
    (
        "out of resource: tensor memory, Required: 640, Hardware limit: 512",
        "other.on_chip_memory",
        {"tried_bytes": 640},
    ),
    (
        "ptxas error   : Entry function 'k' uses too much shared data (0x18800 bytes, 0xc000 max)",
        "other.on_chip_memory",
        {"tried_hex": "0x18800", "limit_hex": "0xc000"},
    ),
    ("requested shared memory of 100 KB exceeds the maximum of this device", "other.on_chip_memory", {}),
    ("error: local memory (262144) exceeds limit (65536)", "other.on_chip_memory", {}),
    ("CUDA error: too many resources requested for launch", "other.launch_resources", {}),
    ("cudaErrorLaunchOutOfResources", "other.launch_resources", {}),
    ("CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "other.launch_resources", {}),
    ("CUDA error: invalid configuration argument", "other.launch_resources", {}),
    ("CUDA error: no kernel image is available for execution on the device", "other.no_kernel_image", {}),
    ("CUDA_ERROR_NO_BINARY_FOR_GPU", "other.no_kernel_image", {}),
    ("cudaErrorNoKernelImageForDevice", "other.no_kernel_image", {}),
    (
        "hipErrorNoBinaryForGpu: Unable to find code object for all current devices!",
        "other.no_kernel_image",
        {},
    ),
    ("device kernel image is invalid", "other.no_kernel_image", {}),
    ("HIP error: invalid device function", "other.no_kernel_image", {}),
    (
        "NVIDIA GeForce RTX 5090 with CUDA capability sm_120 is not compatible with the current PyTorch installation.",
        "other.no_kernel_image",
        {"arch": "sm_120"},
    ),
    ("PyTorch no longer supports this GPU because it is too old.", "other.no_kernel_image", {}),
    (
        "The minimum cuda capability supported by this library is 3.7.",
        "other.no_kernel_image",
        {"needs": "3.7"},
    ),
    ("Cannot find Symbol with name: Cijk", "other.no_kernel_image", {}),
    (
        "rocBLAS error: Cannot read /opt/rocm/lib/rocblas/library/TensileLibrary.dat: No such file",
        "other.no_kernel_image",
        {},
    ),
    (
        "ptxas fatal   : Value 'sm_120' is not defined for option 'gpu-name'",
        "other.no_kernel_image",
        {"arch": "sm_120"},
    ),
    (
        "nvcc fatal   : Unsupported gpu architecture 'compute_90'",
        "other.no_kernel_image",
        {"arch": "compute_90"},
    ),
    (
        "'sm_120' is not a recognized processor for this target (ignoring processor)",
        "other.no_kernel_image",
        {"arch": "sm_120"},
    ),
    ("Bfloat16 is only supported on GPUs with compute capability of at least 8.0.", "other.old_card", {}),
    ("ValueError: kernel is only supported on sm_90a", "other.old_card", {}),
    ("this path requires SM90 or later: only supports SM90", "other.old_card", {}),
    (
        "Triton only supports devices of CUDA Capability >= 7.0, but your device is of CUDA capability 6.1",
        "other.old_card",
        {"needs": "7.0"},
    ),
    (
        "Found Tesla P100 which is too old to be supported by the triton GPU compiler, which is used as the backend.",
        "other.old_card",
        {},
    ),
    ("ValueError: Your GPU does not support bfloat16", "other.old_card", {}),
    (
        "ValueError: Your setup doesn't support bf16/gpu. You need torch>=1.10, using Ampere GPU",
        "other.old_card",
        {},
    ),
    ("RuntimeError: FlashAttention only supports Ampere GPUs or newer.", "other.old_card", {}),
    ("fp8 is only supported on GPUs with capability 8.9", "other.old_card", {}),
    (
        "ptxas /tmp/x.ptx, line 9; error   : Feature '.bf16' requires .target sm_80 or higher",
        "other.old_card",
        {"needs": "sm_80"},
    ),
    ("RuntimeError: CUDA error: invalid device ordinal", "other.device_ordinal", {}),
    ("CUDA_ERROR_INVALID_DEVICE", "other.device_ordinal", {}),
    ("AssertionError: Invalid device id", "other.device_ordinal", {}),
    ("world size of 8 but only 4 GPUs are available: need 8 but only 4 gpus", "other.device_ordinal", {}),
    ("You requested gpu: [2, 3]", "other.device_ordinal", {}),
    (
        "tensor-parallel-size 8 exceeds the number of available GPUs: world size (8) is larger than the number of available gpus; number of required GPUs exceeds the total number of available GPUs",
        "other.device_ordinal",
        {},
    ),
    ("the number of required GPUs exceeds the number of available GPUs", "other.device_ordinal", {}),
    ("tensor_parallel_size (8) is larger than the number of available GPUs", "other.device_ordinal", {}),
    (
        "RuntimeError: Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is False.",
        "other.device_ordinal",
        {},
    ),
    (
        "RuntimeError: Attempting to deserialize object on CUDA device 3 but torch.cuda.device_count() is 1.",
        "other.device_ordinal",
        {},
    ),
    (
        "Duplicate GPU detected : rank 1 and rank 0 both on CUDA device 1000",
        "other.device_ordinal",
        {"rank_count": 1},
    ),
    (
        "RuntimeError: Failed to infer device type, please set the environment variable",
        "other.device_type",
        {},
    ),
    ("AssertionError: Torch not compiled with CUDA enabled", "other.no_cuda_build", {}),
    ("PyTorch is not linked with support for cuda devices", "other.no_cuda_build", {}),
    ("LightGBM was compiled without GPU support", "other.no_cuda_build", {}),
)
CALM = (
    "DataLoader worker (pid 8) is killed by signal: Bus error. It is possible that dataloader's workers are out of shared memory. Please try to raise your shared memory limit.",
    "unable to open shared memory object </torch_1> in read-write mode",
    "GPU 0: compute capability 8.0",
    "The current PyTorch install supports CUDA capabilities sm_50 sm_60",
)
