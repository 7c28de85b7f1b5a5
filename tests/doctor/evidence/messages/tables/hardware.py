"""What the kernel, NVML and CUDA say of a card that fails."""

from __future__ import annotations

from dstop.doctor.evidence.messages.hardware import MESSAGES  # noqa: F401 - the table that these lines are for

LINES = (
    (
        "[ 2171.11] NVRM: Xid (PCI:0000:4b:00): 79, pid='<unknown>', name=<unknown>, GPU has fallen off the bus.",
        "driver.xid",
        {"code_count": 79, "bus": "0000:4b:00"},
    ),
    (
        "NVRM: Xid (0000:01:00): 13, Graphics Exception: ESR 0x404600=0x80000002",
        "driver.xid",
        {"code_count": 13},
    ),
    (
        "NVRM: Xid (PCI:0000:3b:00): 94, pid=7712, name=python, Contained: SM (0x1). RST: No, D-RST: No",
        "driver.xid",
        {"code_count": 94, "pid": "7712", "name": "python"},
    ),
    ("GPU 0: Xid error: 48", "driver.xid", {"code_count": 48}),
    ("dcgm: XID errors detected: 63", "driver.xid", {"code_count": 63}),
    ('level=warning gpu=3 xid=119 msg="unhealthy"', "driver.xid", {"code_count": 119}),
    ("NVRM: fallen off the bus and is not responding to commands.", "driver.fallen_off", {}),
    (
        "Unable to determine the device handle for GPU 0000:4B:00.0: GPU is lost.  Reboot the system to recover this GPU",
        "driver.gpu_lost",
        {},
    ),
    ("pynvml.NVMLError_GpuIsLost: GPU is lost", "driver.gpu_lost", {}),
    ("nvmlInit returned NVML_ERROR_GPU_IS_LOST", "driver.gpu_lost", {}),
    ("NVRM: GPU 0000:01:00.0: surprise removal detected", "driver.gpu_lost", {}),
    ("nvidia-smi: GPU requires reset", "driver.needs_reset", {}),
    (
        "NVRM: GPU6 _kgspBootGspRm: (the GPU is likely in a bad state and may need to be reset)",
        "driver.needs_reset",
        {},
    ),
    ("NVRM: GPU 0000:a1:00.0: RmInitAdapter failed! (0x62:0x40:2168)", "driver.rm_init", {}),
    ("NVRM: GPU 0000:a1:00.0: rm_init_adapter failed, device minor number 7", "driver.rm_init", {}),
    ("NVRM: GPU0 _kgspIsHeartbeatTimedOut: timeout", "driver.rm_init", {}),
    ("RuntimeError: CUDA error: uncorrectable ECC error encountered", "driver.ecc", {}),
    ("cudaErrorECCUncorrectable", "driver.ecc", {}),
    ("CUDA_ERROR_ECC_UNCORRECTABLE: uncorrectable ECC error encountered", "driver.ecc", {}),
    ("hipErrorECCNotCorrectable", "driver.ecc", {}),
    ("amdgpu 0000:c1:00.0: amdgpu: poison consumption detected", "driver.ecc", {}),
    ("CUDA error: uncorrectable NVLink error detected during the execution", "driver.nvlink", {}),
    ("NVLINK: link 3 fatal error", "driver.nvlink", {}),
    ("cudaErrorNvlinkUncorrectable", "driver.nvlink", {}),
    ("CUDA_ERROR_NVLINK_UNCORRECTABLE", "driver.nvlink", {}),
    (
        "nvidia-nvswitch3: SXid (PCI:0000:c1:00.0): 12028, Non-fatal, Link 32 egress non-posted PRIV error",
        "driver.nvlink",
        {"sxid_count": 12028},
    ),
    ("CUDA error: hardware stack error", "driver.hardware_words", {}),
    ("cudaErrorHardwareStackError", "driver.hardware_words", {}),
    (
        "An asynchronous error has occurred in external entity outside of CUDA: external device",
        "driver.hardware_words",
        {},
    ),
    ("GPU 00000000:3B:00.0: Detected Critical Xid Error", "driver.hardware_words", {}),
    ("HW Exception by GPU node-2 (Agent handle: 0x55) reason :GPU Hang", "driver.hardware_words", {}),
    ("amdgpu 0000:0a:00.0: amdgpu: GPU reset begin!", "driver.amd_reset", {}),
    ("[drm:amdgpu_job_timedout [amdgpu]] *ERROR* ring gfx timeout, signaled seq=1", "driver.amd_reset", {}),
    ("        Remapping Failure Occurred        : Yes", "driver.remap", {}),
    (
        "NVRM: Xid (PCI:0000:3b:00): 63, Row Remapper: New row marked for remapping, reset gpu to activate.",
        "driver.remap",
        {},
    ),
    ("page retirement: failed to record", "driver.remap", {}),
    ("pcieport 0000:00:01.0: AER: Uncorrected (Fatal) error received", "driver.pcie", {}),
    ("NVRM: The NVIDIA probe routine failed for 1 device(s).", "driver.pcie", {}),
)
CALM = (
    "        SRAM Uncorrectable            : 0",
    "    ECC Errors",
    "node1:4:4 [0] NCCL INFO NVLS multicast support is not available",
    "        Pending                           : No",
    "Remapping Failure Occurred        : No",
    "tqdm has been lost in translation",
)
