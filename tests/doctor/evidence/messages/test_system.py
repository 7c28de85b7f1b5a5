"""What a driver, its libraries and its tools say of each other."""

from __future__ import annotations

import pytest

from dstop.doctor.evidence.messages.system import MESSAGES

LINES = (
    ("Failed to initialize NVML: Driver/library version mismatch", "driver.mismatch", {}),
    ("NVML_ERROR_LIB_RM_VERSION_MISMATCH", "driver.mismatch", {}),
    (
        "NVRM: API mismatch: the client has the version 535.183.01, but",
        "driver.mismatch",
        {"client": "535.183.01"},
    ),
    (
        "cuda_diagnostics.cc:312] kernel version 535.171.4 does not match DSO version 535.183.1 -- cannot find working devices in this configuration",
        "driver.mismatch",
        {"kernel": "535.171.4", "library": "535.183.1"},
    ),
    (
        "this kernel module has the version 535.171.04. Please make sure that all NVIDIA driver components have the same version.",
        "driver.mismatch",
        {"kernel": "535.171.04"},
    ),
    ("Error 803: system has unsupported display driver / cuda driver combination", "driver.mismatch", {}),
    ("cudaErrorSystemDriverMismatch", "driver.mismatch", {}),
    ("CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", "driver.mismatch", {}),
    ("CUDA driver version is insufficient for CUDA runtime version", "driver.too_old", {}),
    (
        "The NVIDIA driver on your system is too old (found version 11040). Please update your GPU driver",
        "driver.too_old",
        {"version_count": 11040},
    ),
    (
        "nvidia-container-cli: requirement error: unsatisfied condition: cuda>=12.4, please update your driver",
        "driver.too_old",
        {"cuda": "12.4"},
    ),
    ("unsatisfied condition: driver>=470", "driver.too_old", {"driver": "470"}),
    ("cudaErrorInsufficientDriver", "driver.too_old", {}),
    ("the CUDA toolkit is newer than the installed driver", "driver.too_old", {}),
    (
        "Found CUDA version 11040, but JAX was built against version 12000, which is newer.",
        "driver.too_old",
        {"version_count": 11040},
    ),
    ("This program needs driver version 525 or newer", "driver.too_old", {}),
    ("Your NVIDIA driver is older than what this container needs", "driver.too_old", {}),
    ("driver version 450.80 is lower than the minimum required 525", "driver.too_old", {}),
    ("but version 470.57 was detected and compatibility mode is UNAVAILABLE.", "driver.too_old", {}),
    ("CUDA error: the provided PTX was compiled with an unsupported toolchain.", "driver.toolchain", {}),
    ("CUDA_ERROR_UNSUPPORTED_PTX_VERSION", "driver.toolchain", {}),
    ("cudaErrorUnsupportedPtxVersion", "driver.toolchain", {}),
    (
        "ptxas application ptx input, line 9; fatal   : Unsupported .version 8.4; current version is '8.2'",
        "driver.toolchain",
        {"ptx": "8.4", "current": "8.2"},
    ),
    ("Error 804: forward compatibility was attempted on non supported HW", "driver.forward", {}),
    ("cudaErrorCompatNotSupportedOnDevice", "driver.forward", {}),
    ("CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE", "driver.forward", {}),
    ("Error 802: system not yet initialized", "driver.fabric", {}),
    ("code=802(cudaErrorSystemNotReady)", "driver.fabric", {}),
    ("CUDA_ERROR_SYSTEM_NOT_READY", "driver.fabric", {}),
    (
        "nv-fabricmanager: fabric manager NVIDIA GPU driver interface version 570.1 don't match with driver version 570.2",
        "driver.fabric",
        {},
    ),
    ("NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.", "driver.missing", {}),
    ("RuntimeError: Found no NVIDIA driver on your system.", "driver.missing", {}),
    ("Failed to initialize NVML: Driver Not Loaded", "driver.missing", {}),
    ("pynvml.nvml.NVMLError_DriverNotLoaded: Driver Not Loaded", "driver.missing", {}),
    (
        "WARNING: The NVIDIA Driver was not detected.  GPU functionality will not be available.",
        "driver.missing",
        {},
    ),
    ("NVML Shared Library Not Found", "driver.missing", {}),
    ("The NVIDIA kernel module is not loaded", "driver.missing", {}),
    (
        "modprobe: FATAL: Module nvidia not found in directory /lib/modules/6.8.0-51-generic",
        "driver.missing",
        {},
    ),
    (
        "kernel driver does not appear to be running on this host (node1): /proc/driver/nvidia/version does not exist",
        "driver.missing",
        {},
    ),
    (
        'docker: Error response from daemon: could not select device driver "" with capabilities: [[gpu]].',
        "driver.missing",
        {},
    ),
    (
        "nvidia-container-cli: initialization error: nvml error: driver not loaded: unknown",
        "driver.missing",
        {},
    ),
    (
        "ImportError: libcuda.so.1: cannot open shared object file: No such file or directory",
        "driver.missing",
        {},
    ),
    (
        "Could not load dynamic library 'libcuda.so.1'; dlerror: libcuda.so.1: cannot open",
        "driver.missing",
        {},
    ),
    ("CUDA driver is a stub library", "driver.missing", {}),
    ("NVRM: Please unload the nouveau kernel module", "driver.missing", {}),
    ("Error! Bad return status for module build, dkms build for nvidia failed", "driver.missing", {}),
    ("modprobe: ERROR: could not insert 'nvidia': Required key not available", "driver.missing", {}),
    ("Unable to open /dev/kfd read-write: Permission denied", "driver.missing", {}),
    ("Failed to initialize NVML: Unknown Error", "driver.no_answer", {}),
    ("Failed to initialize NVML: Insufficient Permissions", "driver.no_answer", {}),
    ("nvidia-smi command timed out after 30 s", "driver.no_answer", {}),
    (
        "CUDA unknown error - this may be due to an incorrectly set up environment, e.g. changing env variable CUDA_VISIBLE_DEVICES after program start.",
        "driver.no_answer",
        {},
    ),
    ("Error 3: initialization error", "driver.no_answer", {}),
    (
        "failed call to cuInit: CUDA_ERROR_UNKNOWN: unknown error",
        "driver.no_answer",
        {"code": "CUDA_ERROR_UNKNOWN"},
    ),
    ("RuntimeError: No CUDA GPUs are available", "driver.no_gpu", {}),
    ("no CUDA-capable device is detected", "driver.no_gpu", {}),
    ("failed call to cuInit: CUDA_ERROR_NO_DEVICE: no CUDA-capable device is detected", "driver.no_gpu", {}),
    ("RuntimeError: No HIP GPUs are available", "driver.no_gpu", {}),
    ("No devices were found", "driver.no_gpu", {}),
    ("no ROCm-capable device is detected", "driver.no_gpu", {}),
    ("ollama: detected no NVIDIA GPUs on this host", "driver.no_gpu", {}),
    ("CUDA error: all CUDA-capable devices are busy or unavailable", "driver.busy", {}),
    ("cudaErrorDevicesUnavailable", "driver.busy", {}),
    ("apt upgrade: linux-image-6.8.0-51-generic", "driver.kernel_update", {}),
)
CALM = (
    "NVIDIA-SMI 535.183.01   Driver Version: 535.183.01   CUDA Version: 12.2",
    "using the newest driver",
    "| NVIDIA driver loaded",
)


@pytest.mark.parametrize(("text", "kind", "values"), LINES, ids=lambda value: str(value)[:50])
def test_a_message_is_found_with_its_figures(text, kind, values, found_in):
    """Its kind, and the figures in it."""
    found = found_in(MESSAGES, text)
    assert kind in found
    assert values.items() <= found[kind].items()


def test_every_pattern_has_a_message(unmet_by):
    """No pattern is without a line that it finds."""
    assert unmet_by(MESSAGES, [line[0] for line in LINES]) == []


@pytest.mark.parametrize("text", CALM, ids=lambda text: text[:50])
def test_what_looks_alike_is_not_found(text, found_in):
    """Words that are near a message, and are none."""
    assert found_in(MESSAGES, text) == {}
