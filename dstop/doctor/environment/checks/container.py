"""Where do we run, and what does the container let us have of the GPUs?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.environment.checks.words import counted
from dstop.doctor.environment.values import Question
from dstop.sources.procfs.namespace import OTHER_NAMESPACE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.doctor.environment.facts import Facts
    from dstop.doctor.environment.values import Check

_KIND = Question("container.kind", "container", "/proc/self/cgroup, /.dockerenv, /run/.containerenv")
_DEVICES = Question("container.devices", "GPU device files", "/dev/nvidia*")
_CAPS = Question("container.mig_devices", "device files of MIG instances", "/dev/nvidia-caps")
_PIDS = Question("container.pids", "PIDs are the machine's", "/proc/self/ns/pid")
_IPC = Question("container.ipc", "shared memory between containers", "/proc/self/ns/ipc")
_ASKED = Question("container.visible", "what the NVIDIA runtime was asked for", "environment")

_RUN = "docker run --gpus all --ipc=host --pid=host …"


def kind(facts: Facts) -> Iterator[Check]:
    """Say where we are."""
    inside = facts.container.kind
    yield _KIND.passes("not in a container" if inside is None else f"inside a {inside} container", inside)


def devices(facts: Facts) -> Iterator[Check]:
    """Count the device files, without which no library helps."""
    driver, sample = facts.driver, facts.sample
    if driver.wsl:
        yield _DEVICES.passes("under WSL the GPUs come through /dev/dxg")
        return
    minors = len(driver.minors)
    if driver.has_control and minors:
        found = counted(minors, "card's device file", "cards' device files")
        if sample is not None and minors > len(sample.gpus) > 0:
            found += f", of which the driver shows {len(sample.gpus)} here"
        yield _DEVICES.passes(f"/dev/nvidiactl and {found}", minors)
    else:
        missing = "/dev/nvidiactl" if not driver.has_control else "a card's device file (/dev/nvidia0, …)"
        fix = _RUN if facts.container.kind is not None else "sudo nvidia-modprobe -c 0"
        yield _DEVICES.fails(f"there is no {missing}: CUDA finds no device", fix, minors)
    if sample is not None and any(gpu.mig_enabled for gpu in sample.gpus):
        if driver.caps:
            yield _CAPS.passes(f"{driver.caps} in /dev/nvidia-caps", driver.caps)
        else:
            yield _CAPS.fails(
                "MIG is on and /dev/nvidia-caps is empty: no program can open an instance",
                "sudo nvidia-modprobe -f /proc/driver/nvidia/capabilities/mig/config",
            )


def pids(facts: Facts) -> Iterator[Check]:
    """Say whether the driver's PIDs mean anything here."""
    rows = () if facts.sample is None else facts.sample.processes
    strangers = sum(row.facts.unavailable.get("command") == OTHER_NAMESPACE for row in rows)
    if not facts.container.own_pids:
        yield _PIDS.passes("the driver's PIDs are those seen here")
        return
    seen = f"; {strangers} of {len(rows)} GPU processes are nameless" if strangers else ""
    yield _PIDS.warns(
        "this is a PID namespace of its own: the driver's PIDs are of the host, so no tool can say here which process"
        f" holds how much{seen}",
        "docker run --pid=host …",
        strangers or None,
    )


def ipc(facts: Facts) -> Iterator[Check]:
    """Say who may share memory with whom."""
    own = facts.container.own_ipc
    if own is None:
        yield _IPC.unknown("the IPC namespace cannot be read", "readlink /proc/self/ns/ipc")
    elif own:
        yield _IPC.passes(
            "an IPC namespace of its own: ranks in other containers reach those here through sockets alone"
        )
    else:
        yield _IPC.passes("the machine's IPC namespace")


def asked(facts: Facts) -> Iterator[Check]:
    """Read what the container was started with."""
    if facts.container.kind is None:
        return
    variables = facts.shell.variables
    visible = variables.get("NVIDIA_VISIBLE_DEVICES")
    granted = variables.get("NVIDIA_DRIVER_CAPABILITIES")
    parts = {part.strip() for part in (granted or "all").split(",")}
    missing = sorted({"compute", "utility"} - parts) if "all" not in parts and granted else []
    if visible in {"void", "none"} and facts.sample is None:
        yield _ASKED.fails(
            f"NVIDIA_VISIBLE_DEVICES={visible}: this container was given no GPU", _RUN, visible
        )
    elif missing:
        what = "no CUDA (libcuda.so.1)" if "compute" in missing else "no NVML (nvidia-smi)"
        yield _ASKED.warns(
            f"NVIDIA_DRIVER_CAPABILITIES lacks {' and '.join(missing)}: {what} in this container",
            "docker run --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility …",
        )
    else:
        yield _ASKED.passes("compute and utility" if granted else "nothing is left out")
