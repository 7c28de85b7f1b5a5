"""The card and its links: Xids, cards that are gone, broken memory, and what AMD's driver says instead.

Sources: the kernel's NVRM lines (open-gpu-kernel-modules), NVML's error strings, cudaGetErrorString, amdgpu and ROCr.
"""

from __future__ import annotations

from dstop.doctor.evidence.pattern import Pattern

MESSAGES: tuple[Pattern, ...] = (
    Pattern(
        "driver.xid",
        "Xid",
        r"Xid \((?:PCI:)?(?P<bus>[0-9a-fA-F:.]{5,20})(?:[^)\n]{0,40})\): (?P<code_count>\d{1,3})\b"
        r"(?:, pid='?(?P<pid>[^,\n']{0,20})'?)?(?:, name=(?P<name>[^,\n]{0,60}))?,? ?(?P<says>[^\n]{0,200})",
    ),
    Pattern(
        "driver.xid",
        "Xid",
        r"\bXid(?: error| code| errors)?[ :=]{1,3}(?P<code_count>\d{1,3})\b(?P<says>[^\n]{0,120})",
    ),
    Pattern(
        "driver.xid",
        "XID",
        r"\bXID(?: errors?| code| events?)?(?: detected)?[ :=#]{1,3}(?P<code_count>\d{1,3})\b(?P<says>[^\n]{0,120})",
    ),
    Pattern("driver.xid", "xid", r"\bxid[ :=\"']{1,4}(?P<code_count>\d{1,3})\b(?P<says>[^\n]{0,120})"),
    Pattern(
        "driver.fallen_off", "allen off the bus", r"(?:has )?[Ff]allen off the bus(?: and is not responding)?"
    ),
    Pattern(
        "driver.gpu_lost",
        "is lost",
        r"(?:GPU|gpu|card|[Dd]evice)(?: at [0-9a-fA-F:.]{5,20})? is lost\b[^\n]{0,80}",
    ),
    Pattern("driver.gpu_lost", "NVML_ERROR_GPU_IS_LOST"),
    Pattern(
        "driver.gpu_lost",
        "nable to determine the device handle",
        r"[Uu]nable to determine the device handle for (?:GPU|gpu)[^\n]{0,120}",
    ),
    Pattern("driver.gpu_lost", "surprise removal", r"(?i)NVRM[^\n]{0,80}surprise removal[^\n]{0,60}"),
    Pattern(
        "driver.needs_reset",
        "eset",
        r"GPU (?:requires|needs) (?:a )?reset[^\n]{0,60}|likely in a bad state and may need to be reset|NVML_ERROR_RESET_REQUIRED|GPU [Rr]eset [Rr]equired",
    ),
    Pattern(
        "driver.rm_init",
        "RmInitAdapter",
        r"(?:RmInitAdapter failed!?|RmInitAdapter: Cannot initialize)[^\n]{0,80}",
    ),
    Pattern("driver.rm_init", "rm_init_adapter failed", r"rm_init_adapter failed[^\n]{0,80}"),
    Pattern(
        "driver.rm_init",
        "gsp",
        r"_?kgsp\w{1,40}(?:Time[dD]?[oO]ut|[^\n]{0,40}(?:[Ff]ail|[Tt]imeout|[Tt]imed ?[Oo]ut|cannot|error|unexpected))[^\n]{0,80}",
    ),
    Pattern(
        "driver.ecc",
        "ECC",
        r"(?i)(?:uncorrect(?:able|ed)|double[- ]bit|DBE)[^\n]{0,40}ECC(?![^\n]{0,30}[:=] {0,4}(?:0|N/A)\b)[^\n]{0,80}|ECC error[^\n]{0,30}(?:encountered|uncorrect\w+)|\bECC uncorrect\w+(?![^\n]{0,30}[:=] {0,4}(?:0|N/A)\b)[^\n]{0,60}",
    ),
    Pattern("driver.ecc", "cudaErrorECCUncorrectable"),
    Pattern("driver.ecc", "CUDA_ERROR_ECC_UNCORRECTABLE"),
    Pattern("driver.ecc", "hipErrorECCNotCorrectable"),
    Pattern(
        "driver.ecc",
        "poison",
        r"(?i)(?:NVRM|amdgpu|EDAC|mce)[^\n]{0,80}(?:poison(?:ed)? (?:data|consum\w+|error)|RAS poison)[^\n]{0,80}",
    ),
    Pattern(
        "driver.nvlink",
        "NVLink",
        r"(?i)(?:uncorrectable NVLink error|NVLink[^\n]{0,40}\b(?:fatal|error|inactive|down|timeout|failed|failure)\b)[^\n]{0,120}",
    ),
    Pattern(
        "driver.nvlink",
        "NVLINK",
        r"NVLINK[^\n]{0,40}(?:[Ff]atal|FATAL|[Ee]rror|ERROR|[Ff]ail|down)[^\n]{0,120}",
    ),
    Pattern("driver.nvlink", "NvlinkUncorrectable", r"cudaErrorNvlinkUncorrectable"),
    Pattern("driver.nvlink", "NVLINK_UNCORRECTABLE", r"CUDA_ERROR_NVLINK_UNCORRECTABLE"),
    Pattern(
        "driver.nvlink",
        "SXid",
        r"SXid \((?:PCI:)?(?P<bus>[0-9a-fA-F:.]{5,20})\): (?P<sxid_count>\d{1,6})[^\n]{0,160}",
    ),
    Pattern("driver.hardware_words", "hardware stack error", r"(?:CUDA error: )?hardware stack error"),
    Pattern("driver.hardware_words", "cudaErrorHardwareStackError"),
    Pattern(
        "driver.hardware_words",
        "external device",
        r"cudaErrorExternalDevice|CUDA_ERROR_EXTERNAL_DEVICE|asynchronous error has occurred in external entity outside of CUDA",
    ),
    Pattern(
        "driver.hardware_words", "HW Exception by GPU node", r"HW Exception by GPU node-?\d{0,3}[^\n]{0,160}"
    ),
    Pattern("driver.hardware_words", "Critical Xid Error", r"Detected Critical Xid Error"),
    Pattern(
        "driver.amd_reset",
        "amdgpu",
        r"amdgpu[^\n]{0,80}(?:GPU reset (?:begin|failed)|ring \w{1,20} timeout|device wedged|SMU[^\n]{0,30}(?:failed|not respond\w*)|trn=\d{1,3} ACK should not assert)[^\n]{0,120}",
    ),
    Pattern(
        "driver.remap",
        "emapp",
        r"(?i)(?:row remapp\w{2,5}[^\n]{0,30}(?:failure|failed|pending)\b(?!\s{0,20}: (?:No|0|N/A))|remapping failure occurred\s{0,20}: Yes|pending\s{0,20}: Yes)[^\n]{0,60}",
    ),
    Pattern("driver.remap", "Row Remapper", r"Row Remapper: [^\n]{0,120}"),
    Pattern(
        "driver.remap",
        "retirement",
        r"(?i)page retirement[^\n]{0,60}(?:fail\w+|pending\s{0,20}: yes)[^\n]{0,40}",
    ),
    Pattern(
        "driver.pcie",
        "AER",
        r"(?i)(?:PCIe Bus Error: severity=Uncorrected|AER: (?:Multiple )?Uncorrected[^\n]{0,40}\((?:Fatal|Non-Fatal)\))[^\n]{0,120}",
    ),
    Pattern(
        "driver.pcie",
        "probe routine failed",
        r"NVRM: The NVIDIA probe routine failed for \d{1,3} device[^\n]{0,20}",
    ),
)
