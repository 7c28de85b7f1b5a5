"""The driver: versions that do not match, drivers that are missing or do not answer.

Sources: cudaGetErrorString and cuGetErrorString, nvidia-smi, NVML, libnvidia-container, torch/cuda/__init__.py,
tensorflow's cuda_diagnostics.cc and cuda_executor.cc, jaxlib.
"""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "driver.mismatch",
        "ersion mismatch",
        r"(?i:driver/library version mismatch|(?:kernel|driver|nvml|dso|nvrm)[^\n]{0,60}version mismatch)[^\n]{0,120}",
    ),
    Pattern("driver.mismatch", "NVML_ERROR_LIB_RM_VERSION_MISMATCH"),
    Pattern(
        "driver.mismatch",
        "API mismatch",
        r"API mismatch: ?(?:the client (?:'[^'\n]{0,40}' )?(?:\(pid \d+\) )?has(?: the)? version (?P<client>[\d.]{3,16}))?[^\n]{0,200}",
    ),
    Pattern(
        "driver.mismatch",
        "does not match DSO version",
        r"kernel (?:driver )?version (?P<kernel>[\d.]{3,16}) does not match DSO version (?P<library>[\d.]{3,16})[^\n]{0,80}",
    ),
    Pattern(
        "driver.mismatch",
        "have the same version",
        r"this kernel module has the version (?P<kernel>[\d.]{3,16})\.[^\n]{0,160}",
    ),
    Pattern(
        "driver.mismatch",
        "display driver / cuda driver combination",
        r"(?:system has unsupported )?display driver / cuda driver combination",
    ),
    Pattern("driver.mismatch", "cudaErrorSystemDriverMismatch"),
    Pattern("driver.mismatch", "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"),
    Pattern(
        "driver.too_old",
        "insufficient for CUDA runtime version",
        r"CUDA driver version is insufficient for CUDA runtime version",
    ),
    Pattern(
        "driver.too_old",
        "driver on your system is too old",
        r"The NVIDIA driver on your system is too old(?: \(found version (?P<version_count>\d{3,6})\))?",
    ),
    Pattern(
        "driver.too_old",
        "unsatisfied condition",
        r"unsatisfied condition: (?:cuda ?>= ?(?P<cuda>[\d.]{1,6})|driver ?>= ?(?P<driver>[\d.]{1,12})|brand = )[^\n]{0,120}",
    ),
    Pattern("driver.too_old", "InsufficientDriver", r"cudaErrorInsufficientDriver"),
    Pattern(
        "driver.too_old",
        "newer than",
        r"(?i)(?:CUDA )?(?:toolkit|runtime|libraries|version)[^\n]{0,60}(?:is |are )?newer than[^\n]{0,40}driver[^\n]{0,80}",
    ),
    Pattern(
        "driver.too_old",
        "driver version",
        r"(?i)driver version (?:>= ?)?(?:r?\d{3}[\d.]{0,8})[^\n]{0,20}(?:or (?:newer|later|higher|above)|(?:is )?required)[^\n]{0,60}",
    ),
    Pattern(
        "driver.too_old",
        "driver is older",
        r"(?i)your (?:NVIDIA|CUDA)[^\n]{0,20}driver is older than[^\n]{0,120}",
    ),
    Pattern(
        "driver.too_old",
        "minimum required",
        r"(?i)driver version[^\n]{0,60}(?:lower|older|less|below)[^\n]{0,30}minimum required[^\n]{0,120}",
    ),
    Pattern(
        "driver.too_old",
        "JAX was built against version",
        r"Found CUDA version (?P<version_count>\d{3,6}), but JAX was built against version \d{3,6}, which is newer",
    ),
    Pattern("driver.too_old", "compatibility mode is UNAVAILABLE", r"compatibility mode is UNAVAILABLE"),
    Pattern(
        "driver.toolchain",
        "unsupported toolchain",
        r"(?:the )?provided PTX was compiled with an unsupported toolchain",
    ),
    Pattern("driver.toolchain", "UNSUPPORTED_PTX_VERSION"),
    Pattern("driver.toolchain", "UnsupportedPtxVersion"),
    Pattern(
        "driver.toolchain",
        "Unsupported .version",
        r"(?:ptxas[^\n]{0,80})?Unsupported \.version (?P<ptx>[\d.]{1,5}); current version is '?(?P<current>[\d.]{1,5})",
    ),
    Pattern(
        "driver.forward",
        "forward compatibility",
        r"forward compatibility was attempted on non[- ]supported HW",
    ),
    Pattern("driver.forward", "CompatNotSupportedOnDevice"),
    Pattern("driver.forward", "COMPAT_NOT_SUPPORTED_ON_DEVICE"),
    Pattern("driver.fabric", "ystem not yet initialized", r"(?:Error 802: )?system not yet initialized"),
    Pattern("driver.fabric", "cudaErrorSystemNotReady"),
    Pattern("driver.fabric", "CUDA_ERROR_SYSTEM_NOT_READY"),
    Pattern(
        "driver.fabric",
        "abric",
        r"(?i)(?:nv-fabricmanager|nvidia-fabricmanager|fabric ?manager)[^\n]{0,80}(?:fail|error|not running|mismatch|don't match|does not match)[^\n]{0,120}",
    ),
    Pattern(
        "driver.missing", "communicate with the NVIDIA driver", r"couldn't communicate with the NVIDIA driver"
    ),
    Pattern("driver.missing", "Found no NVIDIA driver", r"Found no NVIDIA driver on your system"),
    Pattern(
        "driver.missing",
        "initialize NVML",
        r"[Ff]ailed to initialize NVML: (?:[Dd]river [Nn]ot [Ll]oaded|ERROR_LIBRARY_NOT_FOUND|ERROR_DRIVER_NOT_LOADED|[Cc]ould not load|N/A|Not Found)[^\n]{0,80}",
    ),
    Pattern("driver.missing", "NVMLError_", r"NVMLError_(?:DriverNotLoaded|LibraryNotFound)[^\n]{0,80}"),
    Pattern(
        "driver.missing", "NVIDIA Driver was not detected", r"NVIDIA Driver was not detected\.[^\n]{0,60}"
    ),
    Pattern("driver.missing", "NVML Shared Library Not Found"),
    Pattern(
        "driver.missing",
        "NVIDIA kernel module",
        r"(?:NVIDIA kernel module (?:is not loaded|not found|appears not to be)|FATAL: Module nvidia not found)[^\n]{0,60}",
    ),
    Pattern("driver.missing", "Module nvidia", r"modprobe: (?:FATAL|ERROR):[^\n]{0,40}nvidia[^\n]{0,80}"),
    Pattern(
        "driver.missing",
        "kernel driver does not appear to be running",
        r"kernel driver does not appear to be running on this host",
    ),
    Pattern(
        "driver.missing",
        "could not select device driver",
        r"could not select device driver [^\n]{0,80}capabilities: \[\[gpu\]\]",
    ),
    Pattern(
        "driver.missing",
        "nvidia-container-cli",
        r"nvidia-container-cli: (?:initialization error|detection error|ldcache error|device error)[^\n]{0,160}",
    ),
    Pattern(
        "driver.missing",
        "libcuda",
        r"(?:libcuda\.so(?:\.1)?|libnvidia-ml\.so(?:\.1)?): cannot open shared object file[^\n]{0,80}",
    ),
    Pattern(
        "driver.missing",
        "libcuda",
        r"(?i)(?:could not load dynamic library|could not find|unable to (?:find|load)|no)[ '\"]{1,3}libcuda(?:\.so(?:\.1)?)?\b[^\n]{0,100}",
    ),
    Pattern("driver.missing", "CUDA driver is a stub library", r"CUDA driver is a stub library"),
    Pattern(
        "driver.missing",
        "nouveau",
        r"(?i)(?:nouveau (?:kernel driver|driver|module)[^\n]{0,60}(?:in use|loaded|incompatible|conflict)|already bound[^\n]{0,40}nouveau|NVRM:[^\n]{0,60}nouveau)[^\n]{0,80}",
    ),
    Pattern(
        "driver.missing",
        "dkms",
        r"(?i)(?:dkms[^\n]{0,40}(?:bad return status|build[^\n]{0,20}failed|error)|nvidia[^\n]{0,30}dkms[^\n]{0,30}fail)[^\n]{0,100}",
    ),
    Pattern("driver.missing", "Required key not available", r"nvidia[^\n]{0,60}Required key not available"),
    Pattern(
        "driver.missing",
        "/dev/kfd",
        r"(?i)(?:unable to open|could not open|no such file)[^\n]{0,20}/dev/kfd[^\n]{0,80}|/dev/kfd[^\n]{0,40}(?:permission denied|no such file)",
    ),
    Pattern("driver.no_answer", "initialize NVML: Unknown Error"),
    Pattern("driver.no_answer", "initialize NVML: Insufficient Permissions"),
    Pattern(
        "driver.no_answer",
        "nvidia-smi",
        r"nvidia-smi[^\n]{0,40}(?:timed out|hangs?|did not respond)[^\n]{0,60}",
    ),
    Pattern(
        "driver.no_answer",
        "CUDA unknown error",
        r"CUDA unknown error - this may be due to an incorrectly set up environment[^\n]{0,160}",
    ),
    Pattern(
        "driver.no_answer",
        "initialization error",
        r"(?:CUDA(?: driver| runtime)? (?:error|initialization)[^\n]{0,40}: initialization error|Error 3: initialization error|CUDA_ERROR_NOT_INITIALIZED)[^\n]{0,80}",
    ),
    Pattern(
        "driver.no_answer",
        "failed call to cuInit",
        r"failed call to cuInit: (?P<code>CUDA_ERROR_(?!NO_DEVICE|OUT_OF_MEMORY)\w{3,40}|UNKNOWN ERROR \(\d+\))[^\n]{0,80}",
    ),
    Pattern("driver.no_gpu", "No CUDA GPUs are available"),
    Pattern("driver.no_gpu", "no CUDA-capable device is detected"),
    Pattern("driver.no_gpu", "CUDA_ERROR_NO_DEVICE"),
    Pattern("driver.no_gpu", "No HIP GPUs are available"),
    Pattern("driver.no_gpu", "No devices were found"),
    Pattern("driver.no_gpu", "no ROCm-capable device is detected"),
    Pattern(
        "driver.no_gpu",
        "no NVIDIA GPU",
        r"(?i)(?:found|detected|there (?:is|are)) no NVIDIA GPUs?\b[^\n]{0,60}",
    ),
    Pattern(
        "driver.busy",
        "all CUDA-capable devices are busy",
        r"all CUDA-capable devices are busy or unavailable",
    ),
    Pattern("driver.busy", "cudaErrorDevicesUnavailable"),
    Pattern(
        "driver.kernel_update",
        "linux-image",
        r"(?i)(?:upgrade|install|unattended)[^\n]{0,60}linux-image[^\n]{0,80}",
    ),
)
