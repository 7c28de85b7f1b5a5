"""Which container a process belongs to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.sources.procfs.cgroup import container_of

HEX = "3f2a1b9c0d4e5f60718293a4b5c6d7e8f90123456789abcdef0123456789abcd"
UID = "a1b2c3d4-1111-2222-3333-444455556666"


@pytest.mark.parametrize(
    ("text", "container"),
    [
        (f"0::/system.slice/docker-{HEX}.scope\n", "docker:3f2a1b9c0d4e"),
        (f"12:pids:/docker/{HEX}\n11:memory:/docker/{HEX}\n", "docker:3f2a1b9c0d4e"),
        (f"0::/docker/{HEX}/init.scope\n", "docker:3f2a1b9c0d4e"),
        (f"0::/system.slice/cri-containerd-{HEX}.scope\n", "containerd:3f2a1b9c0d4e"),
        (f"0::/machine.slice/libpod-{HEX}.scope/container\n", "podman:3f2a1b9c0d4e"),
        (
            f"0::/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{HEX}.scope\n",
            "podman:3f2a1b9c0d4e",
        ),
        (f"0::/default/{HEX}\n", "container:3f2a1b9c0d4e"),
        (
            (
                f"0::/kubepods.slice/kubepods-burstable-pod{UID.replace('-', '_')}.slice"
                f"/cri-containerd-{HEX}.scope\n"
            ),
            "pod:a1b2c3d4",
        ),
        (f"5:cpu:/kubepods/besteffort/pod{UID}/{HEX}\n1:name=systemd:/x\n", "pod:a1b2c3d4"),
        ("5:memory:/slurm/uid_1000/job_1234/step_0/task_3\n", "slurm:1234"),
        ("0::/system.slice/slurmstepd.scope/job_98/step_batch/user/task_0\n", "slurm:98"),
        ("0::/lxc.payload.gpubox/system.slice/ssh.service\n", "lxc:gpubox"),
        ("3:cpu:/lxc/gpubox\n", "lxc:gpubox"),
        ("0::/machine.slice/machine-my\\x2dbox.scope/payload\n", "nspawn:my-box"),
    ],
)
def test_containers_are_named(text: str, container: str) -> None:
    """Every common runtime's path is known, in both cgroup versions."""
    assert container_of(text) == container


@pytest.mark.parametrize(
    "text",
    [
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-gnome-term.scope\n",
        "0::/user.slice/user-0.slice/session-1.scope\n",
        "0::/system.slice/docker.service\n",
        "0::/system.slice/containerd.service\n",
        f"0::/machine.slice/libpod-conmon-{HEX}.scope\n",
        "0::/job_77\n",
        "0::/\n",
        "",
        "garbage",
    ],
)
def test_sessions_and_services_are_no_containers(text: str) -> None:
    """A user's session, a service and a runtime's own daemon are on the host."""
    assert container_of(text) is None


@given(st.text(max_size=300))
def test_any_text_is_read_without_error(text: str) -> None:
    """Whatever the file holds, the answer is a printable name or none."""
    found = container_of(text)
    assert found is None or found.isprintable()
    assert container_of(f"0::/lxc/{text}") is None or container_of(f"0::/lxc/{text}").isprintable()
