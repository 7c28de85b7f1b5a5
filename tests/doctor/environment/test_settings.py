"""Environment variables: harmful ones, misspelt ones, those that name what is not there."""

from __future__ import annotations

import pytest

from dstop.doctor.environment.checks.names import KNOWN
from dstop.doctor.environment.checks.nccl import matches
from dstop.doctor.environment.checks.visible import shows
from dstop.doctor.environment.facts import SHELL, Facts, LimitFacts, Scope
from dstop.testing import make_gpu, make_sample


def _shell(**variables: str) -> Scope:
    return Scope(name=SHELL, variables=variables)


@pytest.mark.parametrize(
    ("name", "value", "group"),
    [
        ("NCCL_P2P_DISABLE", "1", "nccl"),
        ("NCCL_SHM_DISABLE", "1", "nccl"),
        ("NCCL_DEBUG", "TRACE", "nccl"),
        ("NCCL_BLOCKING_WAIT", "1", "nccl"),
        ("TORCH_NCCL_BLOCKING_WAIT", "1", "nccl"),
        ("NCCL_ASYNC_ERROR_HANDLING", "0", "nccl"),
        ("CUDA_LAUNCH_BLOCKING", "1", "cuda"),
        ("PYTORCH_NO_CUDA_MEMORY_CACHING", "0", "cuda"),
        ("CUDA_MODULE_LOADING", "EAGER", "cuda"),
        ("NVIDIA_TF32_OVERRIDE", "0", "cuda"),
    ],
)
def test_harmful_settings_warn(by_id, name, value, group) -> None:
    """With the command that takes them away."""
    checks = by_id(Facts(shell=_shell(**{name: value})))
    check = checks[f"{group}.{name.lower()}"]
    assert (check.status, check.fix, check.value) == ("warn", f"unset {name}", value)
    assert f"{group}.settings" not in checks


@pytest.mark.parametrize(
    ("name", "value"), [("NCCL_P2P_DISABLE", "0"), ("NCCL_DEBUG", "INFO"), ("CUDA_LAUNCH_BLOCKING", "0")]
)
def test_harmless_values_pass(by_id, name, value) -> None:
    """The same variables, as they should be."""
    checks = by_id(Facts(shell=_shell(**{name: value})))
    assert checks["nccl.settings"].status == checks["cuda.settings"].status == "pass"


def test_without_rdma_nothing_is_lost_by_turning_it_off(by_id) -> None:
    """The setting is harmful only where there are such cards, or where that cannot be seen."""
    shell = _shell(NCCL_IB_DISABLE="1")
    assert "nccl.nccl_ib_disable" not in by_id(Facts(shell=shell, limits=LimitFacts(infiniband=())))
    for cards in (("mlx5_0",), None):
        assert "nccl.nccl_ib_disable" in by_id(Facts(shell=shell, limits=LimitFacts(infiniband=cards)))


def test_the_places_of_a_setting_are_named(machine) -> None:
    """A process that runs with it, and NCCL's own file that everybody forgot."""
    machine.process(4000, environ={"CUDA_LAUNCH_BLOCKING": "1"})
    machine.write("etc/nccl.conf", "# once\nNCCL_P2P_DISABLE=1\n")
    checks = machine.checks(make_sample(1, processes=()))
    assert "python (4000)" in checks["cuda.cuda_launch_blocking"].says
    check = checks["nccl.nccl_p2p_disable"]
    assert "/etc/nccl.conf" in check.says
    assert check.fix == "sed -i '/^NCCL_P2P_DISABLE=/d' /etc/nccl.conf"


@pytest.mark.parametrize(
    ("odd", "meant"),
    [
        ("NCCL_P2P_DISABLED", "NCCL_P2P_DISABLE"),
        ("NCLL_DEBUG", "NCCL_DEBUG"),
        ("NCCL_SOCKET_IFNAMES", "NCCL_SOCKET_IFNAME"),
        ("NCCL_SOCKET_IF_NAME", "NCCL_SOCKET_IFNAME"),
        ("TORCH_NCCL_BLOCKING_WIAT", "TORCH_NCCL_BLOCKING_WAIT"),
        ("PYTORCH_CUDA_ALLOC_CONFIG", "PYTORCH_CUDA_ALLOC_CONF"),
        ("CUDA_VISIBLE_DEVICE", "CUDA_VISIBLE_DEVICES"),
    ],
)
def test_misspelt_names_warn(by_id, odd, meant) -> None:
    """A name that is none has no effect, and nobody says so."""
    check = by_id(Facts(shell=_shell(**{odd: "1"})))[f"nccl.names.{odd.lower()}"]
    assert (check.status, check.fix) == ("warn", f"unset {odd}; export {meant}=1")


@pytest.mark.parametrize(
    "name", [*sorted(KNOWN), "NCCL_OFI_PROTOCOL", "NCCL_SOMETHING_NEW", "CUDA_ARCH_LIST"]
)
def test_names_that_are_known_or_far_from_any_pass(by_id, name) -> None:
    """No alarm for a plugin's variable."""
    assert by_id(Facts(shell=_shell(**{name: "x"})))["nccl.names"].status == "pass"


def test_interfaces_are_held_against_the_machine(machine) -> None:
    """One that is not there fails; a process in another network is not asked."""
    sample = make_sample(1, processes=())
    assert machine.checks(sample, {"NCCL_SOCKET_IFNAME": "eth"})["nccl.nccl_socket_ifname"].status == "pass"
    check = machine.checks(sample, {"NCCL_SOCKET_IFNAME": "=eth"})["nccl.nccl_socket_ifname"]
    assert check.status == "fail"
    assert "eth0, lo" in check.says
    machine.process(4000, environ={"NCCL_SOCKET_IFNAME": "ens5"}, network="net:[4026533333]")
    assert "nccl.nccl_socket_ifname" not in machine.checks(sample)
    machine.process(4000, environ={"NCCL_SOCKET_IFNAME": "ens5"})
    assert machine.checks(sample)["nccl.nccl_socket_ifname"].status == "fail"


def test_interfaces_that_cannot_be_seen_are_unknown(by_id) -> None:
    """As are RDMA cards."""
    checks = by_id(Facts(shell=_shell(NCCL_SOCKET_IFNAME="eth0", NCCL_IB_HCA="mlx5")))
    assert checks["nccl.nccl_socket_ifname"].status == checks["nccl.nccl_ib_hca"].status == "unknown"


@pytest.mark.parametrize(
    ("value", "name", "found"),
    [
        ("eth", "eth0", True),
        ("=eth", "eth0", False),
        ("=eth0,eth1", "eth1", True),
        ("^docker,lo", "eth0", True),
        ("^docker,lo", "lo", False),
        ("^=lo", "lo0", True),
        ("mlx5_0:1,mlx5_1:1", "mlx5_1", True),
        ("=mlx5_1:1", "mlx5_10", False),
        ("", "eth0", False),
    ],
)
def test_lists_are_read_as_nccl_reads_them(value, name, found) -> None:
    """Beginnings of names, whole names, and all but these."""
    assert matches(value, name) is found


@pytest.mark.parametrize(
    ("value", "count", "well"),
    [
        ("0,1", 2, True),
        ("1", 1, True),
        ("GPU-00000000-0000-0000-0000-000000000001", 1, True),
        ("", 0, False),
        ("-1", 0, False),
        ("0,5,1", 1, False),
        ("5", 0, False),
        ("0,0", 0, False),
        ("GPU-00000000", 0, False),
        ("GPU-ffffffff", 0, False),
        ("cuda:0", 0, False),
    ],
)
def test_visible_devices_are_read_as_cuda_reads_them(value, count, well) -> None:
    """From the left, up to the first that is no device; one that comes twice leaves none."""
    seen = shows(value, [make_gpu(0), make_gpu(1)])
    assert (seen.visible, seen.problem is None) == (count, well)


def test_visible_devices_are_held_against_the_cards(machine) -> None:
    """In this shell and in the processes that run; without a driver it is unknown."""
    sample = make_sample(2, processes=())
    assert machine.checks(sample)["cuda.visible_devices"].status == "pass"
    assert machine.checks(sample, {"CUDA_VISIBLE_DEVICES": "7"})["cuda.visible_devices"].status == "fail"
    assert machine.checks(sample, {"CUDA_VISIBLE_DEVICES": ""})["cuda.visible_devices"].status == "warn"
    assert machine.checks(None, {"CUDA_VISIBLE_DEVICES": "0"})["cuda.visible_devices"].status == "unknown"


def test_unlike_cards_need_an_order(by_id) -> None:
    """CUDA counts by speed unless it is told not to."""
    sample = make_sample([make_gpu(0), make_gpu(1, name="NVIDIA L40S")])
    assert by_id(Facts(sample=sample))["cuda.device_order"].status == "warn"
    told = Facts(sample=sample, shell=_shell(CUDA_DEVICE_ORDER="PCI_BUS_ID"))
    assert by_id(told)["cuda.device_order"].status == "pass"
    assert "cuda.device_order" not in by_id(Facts(sample=make_sample(2)))
