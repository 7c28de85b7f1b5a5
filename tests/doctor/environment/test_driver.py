"""The driver, its pieces, and the PyTorch that is installed for it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dstop.doctor.environment.facts import Boards, ContainerFacts, DriverFacts, Facts, TorchBuild
from dstop.testing import make_gpu, make_sample

SITE = "/venv/lib/python3.12/site-packages"


def test_a_driver_that_answers_passes(machine) -> None:
    """Its version is the figure."""
    check = machine.checks(make_sample(2))["driver.answers"]
    assert (check.status, check.value) == ("pass", "580.95.05")


def test_no_driver_fails_with_the_sources_words(machine) -> None:
    """The reason and the fix are those of the source."""
    check = machine.checks()["driver.answers"]
    assert (check.status, check.says, check.fix) == ("fail", "no driver", "install it")


def test_a_driver_without_a_gpu_fails(by_id) -> None:
    """A sample without cards is no environment for GPU jobs."""
    assert by_id(Facts(sample=make_sample(0)))["driver.answers"].status == "fail"


@pytest.mark.parametrize("change", [{"fault": "GPU is lost"}, {"stale_s": 9.0}])
def test_a_card_without_figures_fails(by_id, change) -> None:
    """A card that is lost or hangs is named."""
    sample = make_sample([make_gpu(0), replace(make_gpu(1), **change)])
    check = by_id(Facts(sample=sample))["driver.cards"]
    assert check.status == "fail"
    assert "GPU 1" in check.says


@pytest.mark.parametrize(
    ("kernel", "nvml", "status"),
    [
        ("580.95.05", "13.580.95.05", "pass"),
        ("580.95.05", "580.95.05", "pass"),
        ("580.95.05", "13.580.65.06", "fail"),
        (None, "13.580.95.05", "unknown"),
        ("580.95.05", None, "unknown"),
    ],
)
def test_kernel_module_and_library_are_held_against_each_other(by_id, kernel, nvml, status) -> None:
    """NVML writes its CUDA version in front of the driver's."""
    facts = Facts(driver=DriverFacts(kernel_version=kernel), boards=Boards(nvml_version=nvml))
    assert by_id(facts)["driver.versions"].status == status


def test_the_librarys_version_is_found_by_its_file_name(machine) -> None:
    """Where NVML did not start, the file in the loader's folder tells what is installed."""
    machine.write("usr/lib/x86_64-linux-gnu/libnvidia-ml.so.570.12.01", "")
    driver = machine.gather().driver
    assert (driver.kernel_version, driver.library_version) == ("580.95.05", "570.12.01")
    assert machine.checks()["driver.versions"].status == "fail"


def test_the_module_tells_its_version_where_proc_does_not(machine) -> None:
    """The sysfs file of the module is the second place."""
    machine.remove("proc/driver/nvidia/version")
    machine.write("sys/module/nvidia/version", "550.54.15\n")
    assert machine.gather().driver.kernel_version == "550.54.15"


def test_cuda_without_its_kernel_module_fails(machine) -> None:
    """With nvidia alone nvidia-smi works and CUDA does not."""
    machine.remove("dev/nvidia-uvm")
    assert machine.checks(make_sample(1))["driver.uvm"].status == "fail"
    machine.write("proc/modules", "nvidia 1 1 - Live 0x0\n")
    assert "not loaded" in machine.checks(make_sample(1))["driver.uvm"].says


@pytest.mark.parametrize(("code", "status"), [(0, "pass"), (13, "fail"), (1, "fail"), (5, "fail")])
def test_device_files_that_do_not_open_fail(by_id, code, status) -> None:
    """Permissions, a control group that denies, and anything else."""
    facts = Facts(
        driver=DriverFacts(has_control=True, control_errno=code), container=ContainerFacts(kind="docker")
    )
    assert by_id(facts)["driver.access"].status == status


def test_nvswitches_need_their_manager(machine) -> None:
    """Without it CUDA fails with error 802; in a container it cannot be seen."""
    machine.write("dev/nvidia-nvswitchctl", "")
    assert machine.checks(make_sample(8))["driver.fabric_manager"].status == "fail"
    machine.write("proc/77/comm", "nv-fabricmanage\n")
    assert machine.checks(make_sample(8))["driver.fabric_manager"].status == "pass"
    machine.remove("proc/77/comm")
    machine.write(".dockerenv", "")
    assert machine.checks(make_sample(8))["driver.fabric_manager"].status == "unknown"


def _judged(by_id, *, cuda, driver="580.95.05", runs="13.0", card="9.0", hip=None, compat=()) -> object:
    sample = make_sample([make_gpu(0, compute_capability=card)], driver_version=driver, cuda_version=runs)
    build = TorchBuild(SITE, "2.9.0", cuda, hip)
    return by_id(Facts(sample=sample, torches=(build,), driver=DriverFacts(compat_versions=compat)))[
        "torch.build"
    ]


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"cuda": "13.0"}, "pass"),
        ({"cuda": "12.8", "driver": "550.54.15", "runs": "12.4"}, "pass"),
        ({"cuda": "13.0", "driver": "570.12.01", "runs": "12.8"}, "fail"),
        ({"cuda": "13.0", "driver": "570.12.01", "compat": ("580.65.06",)}, "warn"),
        ({"cuda": "12.1", "driver": "470.57.02", "runs": "11.4"}, "fail"),
        ({"cuda": "13.0", "card": "7.0"}, "fail"),
        ({"cuda": "12.8", "card": "7.0"}, "pass"),
        ({"cuda": "12.6", "card": "10.0"}, "fail"),
        ({"cuda": "12.8", "card": "12.0"}, "pass"),
        ({"cuda": "11.7", "card": "9.0"}, "fail"),
        ({"cuda": "11.7", "card": "8.6"}, "pass"),
        ({"cuda": None}, "fail"),
        ({"cuda": None, "hip": "6.4"}, "fail"),
        ({"cuda": "13.0", "driver": None}, "unknown"),
        ({"cuda": "99"}, "unknown"),
    ],
)
def test_pytorch_is_held_against_driver_and_cards(by_id, given, status) -> None:
    """By NVIDIA's table of minimum drivers, and by which cards a CUDA builds for."""
    assert _judged(by_id, **given).status == status


def test_minor_version_compatibility_is_said(by_id) -> None:
    """A driver that is older than CUDA, of the same major version, runs it, with a word about it."""
    assert "minor-version" in _judged(by_id, cuda="12.8", driver="550.54.15", runs="12.4").says


def test_pytorch_is_found_where_python_would_find_it(machine) -> None:
    """The active environment first, then beside python3, then the user's own; nothing is imported."""
    machine.torch(SITE, "2.9.0+cu130", "13.0")
    machine.torch("/opt/conda/lib/python3.11/site-packages", "2.6.0+cu124", "12.4")
    machine.write("opt/conda/bin/python3", "")
    machine.torch("/home/a/.local/lib/python3.10/site-packages", "2.0.0+rocm5.4", None, hip="5.4")
    environ = {"VIRTUAL_ENV": "/venv", "PATH": "/usr/bin:/opt/conda/bin", "HOME": "/home/a"}
    found = machine.gather(environ=environ).torches
    assert [(build.version, build.cuda, build.hip) for build in found] == [
        ("2.9.0+cu130", "13.0", None),
        ("2.6.0+cu124", "12.4", None),
        ("2.0.0+rocm5.4", None, "5.4"),
    ]


def test_two_installations_are_two_checks(machine) -> None:
    """Their ids differ."""
    machine.torch("/a", "2.9.0", "13.0")
    machine.torch("/b", "2.9.0", "13.0")
    checks = machine.checks(make_sample(1), {"PYTHONPATH": "/a:/b"})
    assert (checks["torch.build"].source, checks["torch.build.2"].source) == (
        "/a/torch/version.py",
        "/b/torch/version.py",
    )


def test_no_pytorch_is_unknown(machine) -> None:
    """With the command that would tell."""
    check = machine.checks(make_sample(1))["torch.build"]
    assert check.status == "unknown"
    assert check.fix is not None
