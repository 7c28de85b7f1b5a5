"""PyTorch's allocator settings."""

from __future__ import annotations

import pytest

from dstop.doctor.environment.checks.alloc_conf import parse_alloc_conf
from dstop.doctor.environment.facts import SHELL, Facts, Scope, TorchBuild


def _shell(**variables: str) -> Scope:
    return Scope(name=SHELL, variables=variables)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "expandable_segments:True",
        "expandable_segments:True,",
        "max_split_size_mb:512, garbage_collection_threshold:0.8",
        "roundup_power2_divisions:[256:1,512:2,1024:4,>:8],backend:native",
        "roundup_power2_divisions:4",
        "backend:cudaMallocAsync",
        "pinned_use_cuda_host_register:True,pinned_num_register_threads:8",
        "per_process_memory_fraction:0.5,throw_on_cudamalloc_oom:True",
    ],
)
def test_settings_that_pytorch_takes_have_no_error(text) -> None:
    """Spaces and a comma at the end do no harm."""
    assert parse_alloc_conf(text).errors == ()


@pytest.mark.parametrize(
    "text",
    [
        "expandable_segments:true",
        "expandable_segments=True",
        "expandable_segments",
        "expandable_segment:True",
        "max_split_size_mb:10",
        "max_split_size_mb:big",
        "garbage_collection_threshold:80",
        "roundup_power2_divisions:[256:3]",
        "roundup_power2_divisions:[256:1",
        "backend:async",
        ",,",
        "pinned_num_register_threads:3",
    ],
)
def test_settings_that_pytorch_refuses_fail(by_id, text) -> None:
    """It raises at the first CUDA call, so this does before."""
    assert len(parse_alloc_conf(text).errors) >= 1
    assert by_id(Facts(shell=_shell(PYTORCH_CUDA_ALLOC_CONF=text)))["allocator.conf"].status == "fail"


def test_options_that_make_others_useless_warn(by_id) -> None:
    """Two ways against fragmentation at once, or options of the other backend."""
    for text in (
        "expandable_segments:True,max_split_size_mb:512",
        "backend:cudaMallocAsync,max_split_size_mb:512",
    ):
        assert by_id(Facts(shell=_shell(PYTORCH_ALLOC_CONF=text)))["allocator.conf_options"].status == "warn"


def test_two_variables_that_differ_warn(by_id) -> None:
    """Which one counts depends on the version; the same in both is no matter."""
    one, other = "expandable_segments:True", "expandable_segments:False"
    differing = _shell(PYTORCH_CUDA_ALLOC_CONF=one, PYTORCH_ALLOC_CONF=other)
    assert by_id(Facts(shell=differing))["allocator.conf_twice"].status == "warn"
    same = _shell(PYTORCH_CUDA_ALLOC_CONF=one, PYTORCH_ALLOC_CONF=one)
    assert "allocator.conf_twice" not in by_id(Facts(shell=same))


def test_settings_of_a_newer_pytorch_are_told(by_id) -> None:
    """A name that 2.8 does not read, an option that it does not know."""
    old = (TorchBuild("/x", "2.8.0+cu128", "12.8", None),)
    unread = Facts(shell=_shell(PYTORCH_ALLOC_CONF="backend:native"), torches=old)
    assert by_id(unread)["allocator.conf_version"].status == "warn"
    unknown = Facts(shell=_shell(PYTORCH_CUDA_ALLOC_CONF="throw_on_cudamalloc_oom:True"), torches=old)
    assert by_id(unknown)["allocator.conf_version"].status == "fail"
