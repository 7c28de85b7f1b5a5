"""The catalog of GPUs and servers: every entry holds together, and people find what they mean."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.errors import PlanError
from dstop.footprint.catalog import hardware
from dstop.footprint.catalog.entries import blocks, key, names_in, parsed
from dstop.footprint.catalog.hardware import find_gpu, find_server, gpus, servers
from dstop.units import GIB, MIB


@pytest.mark.parametrize(
    ("said", "short"),
    [
        ("A100", "A100-80"),
        ("A100-80", "A100-80"),
        ("a100 80gb", "A100-80"),
        ("A100-80GB", "A100-80"),
        ("A100-40GB", "A100-40"),
        ("NVIDIA A100-SXM4-80GB", "A100-80"),
        ("NVIDIA A100-SXM4-40GB", "A100-40"),
        ("NVIDIA A100 80GB PCIe", "A100-80 PCIe"),
        ("NVIDIA A100-PCIE-40GB", "A100-40 PCIe"),
        ("H100", "H100-80"),
        ("NVIDIA H100 80GB HBM3", "H100-80"),
        ("NVIDIA H100 PCIe", "H100 PCIe"),
        ("4090", "RTX 4090"),
        ("rtx4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 4090", "RTX 4090"),
        ("NVIDIA GeForce RTX 5090", "RTX 5090"),
        ("Tesla T4", "T4"),
        ("Tesla V100-SXM2-32GB", "V100-32"),
        ("MI300X", "MI300X"),
        ("AMD Instinct MI300X", "MI300X"),
        ("NVIDIA RTX PRO 6000 Blackwell Workstation Edition", "RTX PRO 6000"),
        ("A10", "A10"),
        ("A10G", "A10G"),
        ("L4", "L4"),
        ("L40S", "L40S"),
        ("H200", "H200"),
        ("B200", "B200"),
        ("B300", "B300"),
    ],
)
def test_a_card_is_found_by_what_people_and_drivers_call_it(said: str, short: str):
    """Short names, aliases and the names of NVML all lead to the same card."""
    assert find_gpu(said).short == short


def test_an_unknown_card_is_refused_with_the_nearest():
    """A misspelt name is never another card in silence."""
    with pytest.raises(PlanError, match=r"H10O.*did you mean H100-80"):
        find_gpu("H10O")
    with pytest.raises(PlanError, match="known are"):
        find_gpu("abacus")


def test_a_name_of_any_kind_is_refused_in_one_line():
    """Control characters and long names do not reach the terminal as they are."""
    with pytest.raises(PlanError) as caught:
        find_gpu("\x1b[31m" + "x" * 10_000)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_no_two_cards_share_a_name():
    """A name means one card: else which one is found would depend on the order of the file."""
    names = [key(name) for gpu in gpus() for name in {gpu.name, gpu.short, *gpu.aliases}]
    unique = {(key(name), gpu.short) for gpu in gpus() for name in (gpu.name, gpu.short, *gpu.aliases)}
    assert len({name for name, _ in unique}) == len(unique), sorted(names)


def test_no_two_servers_share_a_name():
    """A name means one server."""
    unique = {(key(name), one.name) for one in servers() for name in (one.name, *one.aliases)}
    assert len({name for name, _ in unique}) == len(unique)


def test_every_card_holds_together():
    """Memory, what the driver keeps of it, and speeds are in the bounds that any card is in."""
    assert len(gpus()) >= 36
    for gpu in gpus():
        assert 14 * GIB < gpu.memory_bytes < 300 * GIB, gpu.short
        assert 0 <= gpu.reserved_bytes <= 0.03 * gpu.memory_bytes, gpu.short
        assert gpu.usable_bytes == gpu.memory_bytes - gpu.reserved_bytes
        assert gpu.kept, gpu.short
        assert gpu.source, gpu.short
        assert gpu.bandwidth_gb_s is None or 200 <= gpu.bandwidth_gb_s <= 8000, gpu.short
        assert gpu.tdp_w is not None, gpu.short


def test_eight_bits_are_at_least_as_fast_as_sixteen():
    """Dense figures against dense ones: a figure with sparsity would stand out as four times the 16-bit one."""
    for gpu in gpus():
        half = gpu.bf16_tflops or gpu.fp16_tflops
        if half is None or gpu.fp8_tflops is None:
            continue
        assert 1.9 <= gpu.fp8_tflops / half <= 2.1, gpu.short


def test_cards_without_bf16_and_fp8_say_so():
    """V100 and T4 have no bf16 units and Ampere has no fp8: a plan warns by these fields."""
    for name in ("V100-16", "V100-32", "T4"):
        assert find_gpu(name).bf16_tflops is None
        assert find_gpu(name).fp16_tflops is not None
    for name in ("A100-80", "A10", "A800-80", "RTX 3090", "V100-32"):
        assert find_gpu(name).fp8_tflops is None


@pytest.mark.parametrize(
    ("name", "total_mib"),
    [("H100-80", 81559), ("A100-80", 81920), ("A10", 23028), ("H200", 143771), ("RTX 4090", 24564)],
)
def test_memory_is_what_the_driver_reports(name: str, total_mib: int):
    """Not what is marketed: 80 GB are 81559 MiB on an H100 and 81920 MiB on an A100."""
    assert find_gpu(name).memory_bytes == total_mib * MIB


def test_what_the_driver_keeps_is_measured_or_says_that_it_is_not():
    """An A100 of 80 GiB shows 79.15 GiB to CUDA; a card of which nobody has said it has the default."""
    assert find_gpu("A100-80").usable_bytes == pytest.approx(79.15 * GIB, abs=MIB)
    assert find_gpu("H100-80").usable_bytes == pytest.approx(79.10 * GIB, abs=MIB)
    defaults = {gpu.reserved_bytes for gpu in gpus() if gpu.kept == "default"}
    assert defaults == {600 * MIB}


def test_every_server_has_a_card_of_the_catalog():
    """A server names a card by its short name, and has a count that machines have."""
    shorts = {gpu.short for gpu in gpus()}
    for server in servers():
        assert server.gpu in shorts, server.name
        assert server.count in {1, 2, 4, 8, 16, 72}, server.name
        assert (server.interconnect != "") == (server.count > 1), server.name


def test_every_price_has_a_day_and_a_source():
    """A price is a list entry of a day, never a bare number; what could not be checked has none."""
    priced = [server for server in servers() if server.price is not None]
    assert len(priced) > 40
    for server in priced:
        assert server.price is not None
        assert 0.05 < server.price.per_hour / server.count < 20, server.name
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", server.price.as_of), server.name
        assert server.price.source, server.name
    assert find_server("DGX H100").price is None


def test_the_instances_of_the_guide_are_as_they_are():
    """p4d.24xlarge has cards of 40 GB, p4de.24xlarge of 80: the guide names the first for work of the second."""
    assert find_server("p4d.24xlarge").gpu == "A100-40"
    assert find_server("p4de.24xlarge").gpu == "A100-80"
    assert find_server("nd h100 v5").gpu == "H100-80"
    assert find_server("DGX-A100").count == 8


@given(st.text(max_size=200))
def test_any_name_is_found_or_refused(name: str):
    """Whatever is typed, the answer is a card or a PlanError."""
    try:
        found = find_gpu(name)
    except PlanError:
        return
    assert found in gpus()


@pytest.mark.parametrize("name", ["gpus", "servers", "tiers"])
def test_entries_are_parsed_one_by_one_as_the_whole_file_would_be(name: str):
    """An entry by itself says what it says in its file, and begins with its names: that is how it is found."""
    path = Path(hardware.__file__).with_name(f"{name}.toml")
    whole = tomllib.loads(path.read_text("utf-8"))[name.removesuffix("s")]
    assert [parsed(block) for block in blocks(name)[1:]] == whole
    for entry, block in zip(whole, blocks(name)[1:], strict=True):
        named = [entry["name"], *([entry["short"]] if "short" in entry else []), *entry.get("aliases", [])]
        assert names_in(block) == named
