"""Where there is no driver: what is said, from evidence that a fake file system gives."""

from __future__ import annotations

import errno

import pytest

from dstop.sources.nvml.absence import explain, no_gpus
from dstop.sources.nvml.evidence import Evidence, gather

VERSION = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 2023\nGCC version: 12\n"
MAPS = "7f0-7f1 r-xp 0 8:1 5 /lib/libc.so.6\n7f0-7f1 r-xp 0 8:1 5 /lib/libnvidia-ml.so.580.95.05\n"
CASES = [
    (Evidence(code=12), "no NVIDIA driver is installed", "install it"),
    (Evidence(code=12, pci_gpus=0), "there is no NVIDIA GPU", "dstop demo"),
    (Evidence(code=12, container="docker"), "started without GPUs", "--gpus all"),
    (Evidence(code=12, wsl=True), "WSL", "on Windows"),
    (Evidence(code=12, wsl=True, wsl_library=True), "WSL", "LD_LIBRARY_PATH=/usr/lib/wsl/lib"),
    (Evidence(code=12, kernel_version="580.95.05"), "580.95.05 runs", "user part"),
    (
        Evidence(code=18, kernel_version="570.1.2", library_version="580.95.05"),
        "570.1.2, the NVML library 580.95.05",
        "reboot, or reload",
    ),
    (Evidence(code=18, container="docker"), "mismatch", "restart the container"),
    (Evidence(code=9), "not loaded", "modprobe nvidia"),
    (Evidence(code=9, modules=frozenset({"nouveau"})), "nouveau has the GPU", "blacklist nouveau"),
    (Evidence(code=9, modules=frozenset({"nvidia"})), "does not answer", "dmesg"),
    (Evidence(code=9, secure_boot=True), "Secure Boot is on", "mokutil"),
    (Evidence(code=9, pci_gpus=0), "no NVIDIA GPU on the PCI bus", "lspci"),
    (Evidence(code=9, container="kubernetes"), "kubernetes container has no GPU devices", "--gpus all"),
    (Evidence(code=999, container="docker", control_errno=errno.EPERM), "has lost its GPUs", "daemon-reload"),
    (Evidence(code=999, container="docker", control_errno=errno.ENOENT), "no /dev/nvidiactl", "--gpus all"),
    (Evidence(code=999, control_errno=errno.ENOENT), "no /dev/nvidiactl", "nvidia-modprobe"),
    (Evidence(code=4, control_errno=errno.EACCES), "no permission on /dev/nvidiactl", "group"),
    (Evidence(code=999, control_errno=0), "unknown error", "dmesg"),
    (Evidence(code=8), "power cables", "auxiliary power"),
    (Evidence(code=77), "error 77", "dmesg"),
]


@pytest.mark.parametrize(("evidence", "message", "fix"), CASES, ids=[case[1] for case in CASES])
def test_what_is_missing_and_how_to_mend_it(evidence, message, fix):
    """Each way of having no driver is told apart, with the step that mends it, and the demo as a way on."""
    error = explain(evidence)
    assert message in error.message
    assert fix in error.fix
    assert "dstop demo" in error.fix
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("evidence", "fix"),
    [
        (Evidence(code=0, container="docker"), "--gpus all"),
        (Evidence(code=0, pci_gpus=2), "NVRM"),
        (Evidence(code=0), "lspci"),
    ],
)
def test_a_driver_without_gpus(evidence, fix):
    """A driver that counts none says so, with where to look."""
    assert fix in no_gpus(evidence).fix


def test_evidence_of_a_machine(tmp_path):
    """Modules, versions, PCI devices and Secure Boot are read from where Linux has them."""
    for path, text in {
        "proc/modules": "nouveau 100 1 - Live 0x0\nvideo 9 0 - Live 0x0\n",
        "proc/driver/nvidia/version": VERSION,
        "proc/self/maps": MAPS,
        "proc/sys/kernel/osrelease": "6.8.0-microsoft-standard-WSL2\n",
        "sys/bus/pci/devices/0000:01:00.0/vendor": "0x10de\n",
        "sys/bus/pci/devices/0000:01:00.0/class": "0x030200\n",
        "sys/bus/pci/devices/0000:02:00.0/vendor": "0x8086\n",
        "sys/bus/pci/devices/0000:02:00.0/class": "0x030000\n",
        "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c": "\x06\x00\x00\x00\x01",
        "usr/lib/wsl/lib/libnvidia-ml.so.1": "",
    }.items():
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    evidence = gather(9, root=tmp_path)
    assert evidence.modules == {"nouveau", "video"}
    assert evidence.kernel_version == "535.104.05"
    assert evidence.library_version == "580.95.05"
    assert evidence.pci_gpus == 1
    assert evidence.secure_boot is True
    assert evidence.wsl
    assert evidence.wsl_library
    assert evidence.control_errno == errno.ENOENT


def test_a_machine_that_says_nothing_is_unknown(tmp_path):
    """An empty file system gives no facts and no exception, and garbage no versions."""
    empty = gather(9, root=tmp_path)
    assert (empty.modules, empty.kernel_version, empty.pci_gpus, empty.secure_boot) == (
        None,
        None,
        None,
        None,
    )
    version = tmp_path / "proc/driver/nvidia/version"
    version.parent.mkdir(parents=True)
    version.write_bytes(b"\xff\x00NVRM version: \x1b[31m ..")
    assert gather(9, root=tmp_path).kernel_version is None
