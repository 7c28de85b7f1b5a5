"""Which cards a name means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.errors import UsageError
from dstop.model.gpu import MigInstance
from dstop.view.gpus import Visible, bus_id, select_gpus, visible_devices


@pytest.fixture(scope="module")
def cards(build):
    """Give four cards; two begin alike, the last is split."""
    part = MigInstance(gpu_instance_id=1, compute_instance_id=0, uuid="MIG-77aa")
    return (
        build.gpu(0, uuid="GPU-abc0-1", pci_bus_id="00000000:3B:00.0", name="A"),
        build.gpu(1, uuid="GPU-abc1-2", pci_bus_id="00000000:5E:00.0", name="A"),
        build.gpu(2, uuid=None, pci_bus_id="00000001:3B:00.0", name="A"),
        build.gpu(3, uuid="GPU-f00d-4", pci_bus_id=None, name="A", mig=(part,)),
    )


@pytest.mark.parametrize(
    ("spec", "indices"),
    [
        (["2"], (2,)), (["0", "3"], (0, 3)), (["3,0"], (3, 0)), (["1-3"], (1, 2, 3)), (["0-0,0"], (0,)),
        (["GPU-abc0-1"], (0,)), (["gpu-ABC1"], (1,)), (["GPU-f"], (3,)), (["MIG-77aa"], (3,)),
        (["MIG-77"], (3,)),
        (["3b:00.0"], (0,)), (["0000:5e:00.0"], (1,)), (["00000001:3B:00.0"], (2,)), ([" 1 , 2 "], (1, 2)),
        (["MIG-GPU-f00d-4/1/0"], (3,)), ([], ()),
    ],
)  # fmt: skip
def test_names_of_every_kind(cards, spec, indices):
    """Indices, ranges, UUIDs and their starts, bus ids and slices find their cards, each once, in order."""
    assert select_gpus(cards, spec) == indices


@pytest.mark.parametrize(
    "name", ["4", "0-4", "2-1", "-1", "", "GPU-zzz", "GPU-", "abc0", "3c:00.0", "A", "1.5", "٣", "9" * 99]
)
def test_a_name_that_nothing_has(cards, name):
    """A name without a card is refused, and the error lists the cards there are."""
    with pytest.raises(UsageError) as caught:
        select_gpus(cards, [name])
    assert caught.value.exit_code == 2
    assert caught.value.fix == (
        "there are 0 (GPU-abc0-1), 1 (GPU-abc1-2), 2 (00000001:3B:00.0), 3 (GPU-f00d-4)"
    )


def test_a_start_that_two_cards_have(cards):
    """A start of two UUIDs is refused with both."""
    with pytest.raises(UsageError, match="it is the start of GPUs 0, 1"):
        select_gpus(cards, ["GPU-abc"])


def test_a_machine_without_cards():
    """Without cards, every name is refused."""
    with pytest.raises(UsageError, match="there are no GPUs"):
        select_gpus((), ["0"])


@given(st.text(st.sampled_from("0123456789,-:. GPUMIGabcf/٣"), max_size=20))
def test_any_name_finds_cards_or_is_refused(cards, text):
    """Whatever is typed gives cards that exist, or a usage error."""
    try:
        found = select_gpus(cards, [text])
    except UsageError:
        return
    assert set(found) <= {0, 1, 2, 3}
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("00000000:3B:00.0", (0, 0x3B, 0, 0)), ("3b:00.1", (0, 0x3B, 0, 1)),
        ("0001:3b:1f.0", (1, 0x3B, 0x1F, 0)),
        ("3b:00", None), ("a:b:c:d:e", None), ("x:y:z", None), ("", None), ("-1:00.0", None),
        ("3_b:00.0", None),
    ],
)  # fmt: skip
def test_pci_addresses(text, address):
    """Addresses are compared as numbers, so that zeros and case do not matter."""
    assert bus_id(text) == address


@pytest.mark.parametrize(
    ("value", "indices"),
    [
        ("0,2", (0, 2)), ("2,0", (2, 0)), (" 1 , 3", (1, 3)), ("", ()), ("-1", ()), ("0,-1,2", (0,)),
        ("1,9,2", (1,)),
        ("GPU-abc0", (0,)), ("GPU-abc", ()), ("GPU-f00d-4,GPU-abc1", (3, 1)), ("0,GPU-abc1", (0,)),
        ("MIG-77aa", (3,)),
        ("MIG-GPU-f00d-4/1/0", (3,)), ("0,0", ()), ("GPU-abc0,GPU-abc0-1", ()), ("NoDevFiles", ()),
        ("1,2,", (1, 2)),
        ("0" * 5000, ()),
    ],
)  # fmt: skip
def test_visible_devices_as_cuda_reads_them(cards, value, indices):
    """CUDA stops at the first entry that is no device, and shows none where one comes twice."""
    visible = visible_devices({"CUDA_VISIBLE_DEVICES": value}, cards)
    assert visible is not None
    assert visible.indices == indices


def test_without_the_variable_all_are_visible(cards):
    """Not set is not the same as set to nothing."""
    assert visible_devices({}, cards) is None
    assert visible_devices({"CUDA_VISIBLE_DEVICES": "0"}, cards) == Visible(indices=(0,))


def test_what_is_not_certain_is_noted(cards, build):
    """Where CUDA may mean other cards, or stops reading, it is said."""
    stopped = visible_devices({"CUDA_VISIBLE_DEVICES": "1,x"}, cards)
    assert stopped is not None
    assert stopped.note == "CUDA_VISIBLE_DEVICES stops at 'x', which is no device"
    unlike = (*cards, build.gpu(4, name="B"))
    by_speed = visible_devices({"CUDA_VISIBLE_DEVICES": "1"}, unlike)
    assert by_speed is not None
    assert "CUDA_DEVICE_ORDER=PCI_BUS_ID" in (by_speed.note or "")
    for environ in (
        {"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"},
        {"CUDA_VISIBLE_DEVICES": "GPU-abc1"},
    ):
        certain = visible_devices(environ, unlike)
        assert certain == Visible(indices=(1,))


@given(st.text(max_size=30) | st.text(st.sampled_from("0123,-GPUMIGabcf"), max_size=20))
def test_any_environment_is_read(cards, text):
    """Whatever the variable holds, what is visible exists."""
    visible = visible_devices({"CUDA_VISIBLE_DEVICES": text}, cards)
    assert visible is not None
    assert set(visible.indices) <= {0, 1, 2, 3}
