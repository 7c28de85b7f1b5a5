"""The driver by what lies about: kernel module, library, device files."""

from __future__ import annotations

import re
from pathlib import Path

from dstop.doctor.environment.facts import DriverFacts
from dstop.doctor.environment.gathering.files import exists, names_in, read_regular
from dstop.sources.nvml.evidence import gather as gather_evidence
from dstop.sources.procfs.reading import as_count

_LIBRARY_FOLDERS = (
    "usr/lib/x86_64-linux-gnu",
    "usr/lib/aarch64-linux-gnu",
    "usr/lib64",
    "usr/lib",
    "usr/lib64/nvidia",
    "usr/local/nvidia/lib64",
)
_COMPAT = "usr/local/cuda/compat"
_VERSION = re.compile(r"\d{2,4}(?:\.\d{1,4}){1,2}")
_NVML, _CUDA = "libnvidia-ml.so.", "libcuda.so."
_FABRIC_MANAGER = "nv-fabricmanage"
"""The kernel keeps 15 letters of a name."""
_MOST_PROCESSES = 1 << 15


def read_driver(root: str) -> DriverFacts:
    """Look at the driver's files below `root`."""
    base = root.rstrip("/")
    evidence = gather_evidence(0, root=Path(root))
    devices = names_in(f"{base}/dev") or ()
    numbers = (as_count(name.removeprefix("nvidia")) for name in devices if name.startswith("nvidia"))
    has_nvswitch = exists(f"{base}/proc/driver/nvidia-nvswitch") or "nvidia-nvswitchctl" in devices
    return DriverFacts(
        kernel_version=evidence.kernel_version or _of_module(base),
        library_version=evidence.library_version or _of_files(base),
        compat_versions=_versions(f"{base}/{_COMPAT}", _CUDA),
        modules=evidence.modules,
        control_errno=evidence.control_errno,
        pci_gpus=evidence.pci_gpus,
        wsl=evidence.wsl,
        minors=tuple(sorted(number for number in numbers if number is not None)),
        has_control="nvidiactl" in devices,
        has_uvm="nvidia-uvm" in devices,
        caps=sum(name.startswith("nvidia-cap") for name in names_in(f"{base}/dev/nvidia-caps") or ()),
        has_nvswitch=has_nvswitch,
        has_fabric_manager=_runs(base, _FABRIC_MANAGER) if has_nvswitch else None,
    )


def _of_module(base: str) -> str | None:
    text = (read_regular(f"{base}/sys/module/nvidia/version", 64) or "").strip()
    return text if _VERSION.fullmatch(text) else None


def _of_files(base: str) -> str | None:
    """Give the version in the name of the only NVML that lies where loaders look; None when there are several."""
    found = {version for folder in _LIBRARY_FOLDERS for version in _versions(f"{base}/{folder}", _NVML)}
    return found.pop() if len(found) == 1 else None


def _versions(folder: str, library: str) -> tuple[str, ...]:
    names = (name.removeprefix(library) for name in names_in(folder) or () if name.startswith(library))
    return tuple(name for name in names if _VERSION.fullmatch(name))


def _runs(base: str, comm: str) -> bool:
    pids = [name for name in names_in(f"{base}/proc") or () if name.isdigit()][:_MOST_PROCESSES]
    return any((read_regular(f"{base}/proc/{pid}/comm", 32) or "").strip() == comm for pid in pids)
