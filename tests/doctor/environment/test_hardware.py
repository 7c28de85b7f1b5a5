"""The cards' health and modes, and the kernel's log."""

from __future__ import annotations

import pytest

from dstop.doctor.environment.facts import Board, Boards, Facts
from dstop.model.gpu import MigInstance
from dstop.testing import make_gpu, make_sample


def _facts(*gpus, boards=()) -> Facts:
    return Facts(sample=make_sample(list(gpus)), boards=Boards(boards=tuple(boards)))


def test_without_a_driver_one_check_says_so(by_id) -> None:
    """And none of the others repeats it."""
    checks = by_id(Facts())
    assert checks["hardware.state"].status == "unknown"
    assert "hardware.persistence" not in checks


def test_a_healthy_card_passes(by_id) -> None:
    """Every check of the group."""
    board = Board(index=0, power_default_mw=700_000, ecc_current=True, ecc_pending=True, pcie_width_max=16)
    checks = by_id(_facts(make_gpu(0), boards=[board]))
    found = {name: check.status for name, check in checks.items() if name.startswith("hardware.")}
    del found["hardware.xid"]
    assert len(found) == 9
    assert set(found.values()) == {"pass"}


@pytest.mark.parametrize(
    ("change", "name", "status"),
    [
        ({"ecc_uncorrected": 2}, "ecc_errors", "fail"),
        ({"ecc_uncorrected": None}, "ecc_errors", "pass"),
        ({"remapped_rows_pending": True}, "bad_rows", "warn"),
        ({"remapped_rows_failed": True}, "bad_rows", "fail"),
        ({"persistence_mode": False}, "persistence", "warn"),
        ({"compute_mode": "exclusive_process"}, "compute_mode", "warn"),
        ({"compute_mode": "prohibited"}, "compute_mode", "fail"),
        ({"mig_enabled": True}, "mig", "fail"),
        ({"throttle_reasons": ("hw_thermal",)}, "clocks", "fail"),
        ({"throttle_reasons": ("sw_thermal", "idle")}, "clocks", "warn"),
        ({"throttle_reasons": ("power_cap",)}, "clocks", "pass"),
    ],
)
def test_a_cards_figures_are_judged(by_id, change, name, status) -> None:
    """One figure at a time; a card that is well stands beside it."""
    check = by_id(_facts(make_gpu(0), make_gpu(1, **change)))[f"hardware.{name}"]
    assert check.status == status
    if status != "pass":
        assert "GPU 1" in check.says
        assert check.fix is not None


def test_slices_are_counted(by_id) -> None:
    """MIG with instances works, and a job gets one of them."""
    part = MigInstance(gpu_instance_id=1, compute_instance_id=0)
    check = by_id(_facts(make_gpu(0, mig_enabled=True, mig=(part, part))))["hardware.mig"]
    assert (check.status, check.value) == ("warn", 2)


@pytest.mark.parametrize(
    ("board", "name"),
    [
        (Board(index=0, ecc_current=False, ecc_pending=False), "ecc_mode"),
        (Board(index=0, ecc_current=True, ecc_pending=False), "ecc_mode"),
        (Board(index=0, retired_pages_pending=True), "bad_rows"),
        (Board(index=0, power_default_mw=900_000), "power_limit"),
        (Board(index=0, pcie_width_max=32), "pcie"),
    ],
)
def test_what_a_board_could_be_is_held_against_what_it_is(by_id, board, name) -> None:
    """ECC off or changing, pages that wait, a lower power limit, fewer lanes."""
    check = by_id(_facts(make_gpu(0), boards=[board]))[f"hardware.{name}"]
    assert check.status == "warn"
    assert check.fix is not None


def test_a_board_without_ecc_passes(by_id) -> None:
    """As no such card has any; not asked at all is unknown."""
    assert by_id(_facts(make_gpu(0), boards=[Board(index=0)]))["hardware.ecc_mode"].status == "pass"
    assert by_id(_facts(make_gpu(0)))["hardware.ecc_mode"].status == "unknown"


def test_errors_in_the_kernels_log_are_told(machine) -> None:
    """With the card as NVML counts it, how long ago, and what it means; the worst first."""
    xid = "NVRM: Xid (PCI:0000:19:00): {}, pid=1, name=python, text\n"
    machine.write("dev/kmsg", f"4,1,99000000000,-;{xid.format(13)}3,2,99940000000,-;{xid.format(79)}")
    check = machine.checks(make_sample(2))["hardware.xid"]
    assert (check.status, check.value) == ("fail", 79)
    assert check.says.startswith("Xid 79 on GPU 1, 1:00 ago: the GPU has fallen off the bus")
    assert "Xid 13 on GPU 1" in check.says


def test_programs_faults_only_warn(machine) -> None:
    """A page fault is a program's, and the card goes on; an address that no card has stays one."""
    machine.write("dev/kmsg", "3,1,5,-;NVRM: Xid (PCI:0000:ff:00): 31, pid=1\n" * 3)
    check = machine.checks(make_sample(2))["hardware.xid"]
    assert check.status == "warn"
    assert "PCI 0000:ff:00, 3 times" in check.says


def test_log_files_are_read_where_the_ring_is_not(machine) -> None:
    """The end of the file; without any of them it is unknown, with the command to read it."""
    machine.remove("dev/kmsg")
    check = machine.checks(make_sample(1))["hardware.xid"]
    assert (check.status, check.fix) == ("unknown", "sudo dmesg -T | grep -i xid")
    machine.write(
        "var/log/kern.log", "x" * 2_000_000 + "\nJan 1 kernel: NVRM: Xid (PCI:0000:18:00): 48, pid=1\n"
    )
    check = machine.checks(make_sample(1))["hardware.xid"]
    assert (check.status, check.source) == ("fail", "/var/log/kern.log")
    assert check.says.startswith("Xid 48 on GPU 0: ")


def test_a_clean_log_passes(machine) -> None:
    """As far back as it goes."""
    assert machine.checks(make_sample(1))["hardware.xid"].status == "pass"
