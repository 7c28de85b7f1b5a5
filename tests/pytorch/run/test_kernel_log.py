"""The kernel's messages during a run, from a file in their place."""

from __future__ import annotations

from dstop.pytorch.run.kernel_log import KernelLog


def test_only_what_was_said_since_and_matters(tmp_path):
    """Older lines, and lines about other things, are left out; escapes do not reach a terminal."""
    path = tmp_path / "kmsg"
    path.write_text("3,1,1,-;NVRM: Xid (PCI:0000:01:00): 31, pid=1, long ago\n")
    log = KernelLog(str(path))
    with path.open("a") as file:
        file.write("6,2,2,-;usb 1-1: new device\n")
        file.write(
            "4,3,3,-;Memory cgroup out of memory: Killed process 77 (python) total-vm:1kB\n SUBSYSTEM=x\n"
        )
        file.write("3,4,4,-;NVRM: Xid (PCI:0000:01:00): 79, pid='<unknown>', \x1b[31mGPU has fallen off\n")
    assert log.lines() == (
        "Memory cgroup out of memory: Killed process 77 (python) total-vm:1kB",
        "NVRM: Xid (PCI:0000:01:00): 79, pid='<unknown>',  [31mGPU has fallen off",
    )
    assert log.reason is None
    log.close()


def test_a_log_that_is_not_there_has_a_reason(tmp_path):
    """A container without /dev/kmsg is told as such."""
    log = KernelLog(str(tmp_path / "none"))
    assert log.lines() == ()
    assert log.reason == "the kernel log cannot be read: No such file or directory"
    log.close()


def test_a_flood_is_bounded(tmp_path):
    """A thousand errors of a broken card leave the newest hundred."""
    path = tmp_path / "kmsg"
    path.touch()
    log = KernelLog(str(path))
    path.write_text("".join(f"3,{n},{n},-;NVRM: Xid (x): 13, number {n}\n" for n in range(1000)))
    lines = log.lines()
    assert len(lines) == 100
    assert lines[-1].endswith("number 999")
    log.close()
