"""What the machine itself says about a driver that does not answer: gathered once, judged in `absence`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dstop.model.value import Value
from dstop.sources.procfs.namespace import own_container
from dstop.sources.procfs.reading import read_text

_MODULES_BYTES, _MAPS_BYTES = 1 << 20, 1 << 22
_NVIDIA_VENDOR, _DISPLAY_CLASSES = "0x10de", ("0x0300", "0x0302")
_LIBRARY = "libnvidia-ml.so."
_WSL_LIBRARY = "usr/lib/wsl/lib/libnvidia-ml.so.1"
_SECURE_BOOT = "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
_MAX_DEVICES = 4096


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Evidence(Value):
    """Each None where the machine does not say."""

    code: int
    """What NVML answered when it was started."""
    modules: frozenset[str] | None = None
    """Kernel modules that are loaded."""
    kernel_version: str | None = None
    """Of the NVIDIA kernel module that is loaded."""
    library_version: str | None = None
    control_errno: int | None = None
    """What opening /dev/nvidiactl fails with; 0 when it opens."""
    container: str | None = None
    wsl: bool = False
    wsl_library: bool = False
    """Whether the driver library of WSL is there, though perhaps not on the loader's path."""
    pci_gpus: int | None = None
    """NVIDIA display controllers on the PCI bus."""
    secure_boot: bool | None = None


def gather(code: int, *, root: Path = Path("/")) -> Evidence:
    """Look round on this machine. Never fails: what cannot be read stays unknown."""
    kernel = read_text(str(root / "proc/sys/kernel/osrelease")) or ""
    return Evidence(
        code=code,
        modules=_modules(_whole(root / "proc/modules", _MODULES_BYTES)),
        kernel_version=_kernel_version(read_text(str(root / "proc/driver/nvidia/version"))),
        library_version=_library_version(_whole(root / "proc/self/maps", _MAPS_BYTES)),
        control_errno=_try_opening(root / "dev/nvidiactl"),
        container=own_container(str(root)),
        wsl="microsoft" in kernel.lower(),
        wsl_library=(root / _WSL_LIBRARY).exists(),
        pci_gpus=_pci_gpus(root / "sys/bus/pci/devices"),
        secure_boot=_secure_boot(root / _SECURE_BOOT),
    )


def _whole(path: Path, limit: int) -> str | None:
    """Read a kernel file that gives itself in pieces of its own choice, until it ends."""
    try:
        with path.open("rb") as file:
            return file.read(limit).decode(errors="replace")
    except OSError:
        return None


def _modules(text: str | None) -> frozenset[str] | None:
    if text is None:
        return None
    return frozenset(line.split(maxsplit=1)[0] for line in text.splitlines() if line.strip())


def _kernel_version(text: str | None) -> str | None:
    """Find the version in `NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat …`."""
    line = next((line for line in (text or "").splitlines() if line.startswith("NVRM version:")), "")
    return next((word for word in line.split() if _is_version(word)), None)


def _library_version(maps: str | None) -> str | None:
    """Find the version in the file name of the NVML that this process has loaded."""
    for line in (maps or "").splitlines():
        name = line.rpartition("/")[2].removesuffix(" (deleted)")
        version = name.removeprefix(_LIBRARY)
        if name != version and _is_version(version):
            return version
    return None


def _is_version(word: str) -> bool:
    parts = word.split(".")
    return len(parts) in (2, 3) and all(part.isascii() and part.isdigit() for part in parts)


def _try_opening(path: Path) -> int:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
    except OSError as error:
        return error.errno or -1
    return 0


def _pci_gpus(folder: Path) -> int | None:
    try:
        devices = sorted(os.listdir(folder))[:_MAX_DEVICES]  # noqa: PTH208 - Path.iterdir sorts no better
    except OSError:
        return None
    found = 0
    for device in devices:
        if (read_text(str(folder / device / "vendor")) or "").strip() == _NVIDIA_VENDOR:
            found += (read_text(str(folder / device / "class")) or "").startswith(_DISPLAY_CLASSES)
    return found


def _secure_boot(path: Path) -> bool | None:
    """Read the EFI variable: four bytes of attributes, then one that is 1 when Secure Boot is on."""
    try:
        with path.open("rb") as file:
            raw = file.read(8)
    except OSError:
        return None
    return raw[4:5] == b"\x01"
