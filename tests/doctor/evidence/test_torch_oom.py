"""PyTorch's out-of-memory message in the wording of every version."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.doctor.evidence.collect import facts_of
from dstop.doctor.text.read import log_of_text
from dstop.units import GIB, MIB

NEW = (
    "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 996.00 MiB. GPU 3 has a total capacity of 44.43 GiB of"
    " which 120.00 MiB is free. Process 2102129 has 17.54 GiB memory in use. Including non-PyTorch memory, this process"
    " has 26.75 GiB memory in use. 40.00 GiB allowed; Of the allocated memory 24.50 GiB is allocated by PyTorch, with"
    " 1.50 GiB allocated in private pools (e.g., CUDA Graphs), and 1.25 GiB is reserved by PyTorch but unallocated. If"
    " reserved but unallocated memory is large try setting PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True"
)


def only(text):
    """Give the one failure of a text."""
    failures = facts_of(log_of_text(text, "a.log")).failures
    assert len(failures) == 1, failures
    return failures[0]


def test_the_newest_wording():
    """Every clause becomes a figure; what follows the message is no part of it."""
    failure = only(NEW)
    assert (failure.family, failure.device, str(failure.place)) == ("torch", 3, "a.log:1")
    assert failure.tried_bytes == 996 * MIB
    assert failure.total_bytes == round(44.43 * GIB)
    assert failure.free_bytes == 120 * MIB
    assert failure.allowed_bytes == 40 * GIB
    assert failure.allocated_bytes == round(24.5 * GIB)
    assert failure.private_pool_bytes == round(1.5 * GIB)
    assert failure.reserved_unallocated_bytes == round(1.25 * GIB)
    assert failure.reserved_bytes == round(25.75 * GIB)
    assert failure.process_bytes == round(26.75 * GIB)
    assert failure.others == ((2102129, round(17.54 * GIB)),)
    assert failure.text.endswith("is reserved by PyTorch but unallocated.")
    assert failure.rounding_bytes > 25 * MIB


@pytest.mark.parametrize(
    ("text", "tried", "allocated", "reserved"),
    [
        (
            "(GPU 0; 3.95 GiB total capacity; 1.50 GiB already allocated; 23.00 MiB free; 8.00 MiB cached)",
            338,
            1536,
            1544,
        ),
        (
            "(GPU 0; 3.95 GiB total capacity; 1.50 GiB already allocated; 23.00 MiB free; 2.00 GiB cached)",
            338,
            1536,
            2048,
        ),
        (
            "(GPU 0; 3.95 GiB total capacity; 1.50 GiB already allocated; 23.00 MiB free; 2.00 GiB reserved in total by"
            " PyTorch) If reserved memory is >> allocated memory try setting max_split_size_mb",
            338,
            1536,
            2048,
        ),
        (
            "(GPU 0; 3.95 GiB total capacity; 1.50 GiB already allocated; 23.00 MiB free; 3.00 GiB allowed; 2.00 GiB"
            " reserved in total by PyTorch)",
            338,
            1536,
            2048,
        ),
        (
            "GPU 0 has a total capacty of 3.95 GiB of which 23.00 MiB is free. Of the allocated memory 1.50 GiB is allocated"
            " by PyTorch, and 512.00 MiB is reserved by PyTorch but unallocated.",
            338,
            1536,
            2048,
        ),
    ],
)
def test_older_wordings(text, tried, allocated, reserved):
    """`cached` is beside the allocated or includes it, `reserved in total` includes it, 2.1 misspells the capacity."""
    joint = ". " if text.startswith("GPU") else " "
    failure = only(f"RuntimeError: CUDA out of memory. Tried to allocate {tried}.00 MiB{joint}{text}")
    assert failure.tried_bytes == tried * MIB
    assert failure.total_bytes == round(3.95 * GIB)
    assert failure.free_bytes == 23 * MIB
    assert failure.allocated_bytes == allocated * MIB
    assert failure.reserved_bytes == reserved * MIB
    assert failure.reserved_unallocated_bytes == (reserved - allocated) * MIB


def test_a_message_that_is_cut_gives_what_it_has():
    """People quote half a line."""
    failure = only(
        "OutOfMemoryError: CUDA out of memory. Tried to allocate 214.00 MiB (GPU 0; 79.18 GiB total capacity"
    )
    assert (failure.tried_bytes, failure.total_bytes) == (214 * MIB, round(79.18 * GIB))
    assert failure.free_bytes is None
    assert failure.reserved_bytes is None


def test_two_ranks_on_one_line_are_two_failures():
    """Without a newline between them, each message keeps its own figures."""
    one = "CUDA out of memory. Tried to allocate 2.00 GiB (GPU {}; 79.15 GiB total capacity; {} GiB already allocated; 1.00 GiB free; 78.00 GiB reserved in total by PyTorch)"
    found = facts_of(log_of_text(one.format(0, "77.00") + one.format(3, "76.00"), "a")).failures
    # They share a line and a request: what knows most of them is kept, and neither has the other's figures.
    assert found
    assert all(failure.allocated_bytes in {77 * GIB, 76 * GIB} for failure in found)


def test_a_message_over_several_lines_of_one_rank_is_read_in_its_own_stream():
    """Others have written between its lines."""
    text = (
        "[rank0]: RuntimeError: CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.15 GiB of\n"
        "[rank1]: something else\n"
        "[rank0]: which 1.00 GiB is free.\n"
    )
    failure = only(text)
    assert (failure.rank, failure.free_bytes) == (0, GIB)


def test_in_a_container_who_holds_what_we_reserved_is_us():
    """NVML gives host PIDs, and PyTorch does not find itself among them."""
    text = NEW.replace(
        "Including non-PyTorch memory, this process has 26.75 GiB memory in use. ",
        "Process 77 has 26.30 GiB memory in use. ",
    )
    failure = only(text)
    assert failure.process_bytes == round(26.3 * GIB)
    assert failure.others == ((2102129, round(17.54 * GIB)),)


def test_nonsense_figures_are_dropped():
    """Windows does not tell: 2^64 bytes are no figure."""
    failure = only(NEW.replace("26.75 GiB", "17179869184.00 GiB"))
    assert failure.process_bytes is None


def test_words_that_are_no_failure():
    """Advice about the error is not the error."""
    text = (
        "To avoid CUDA out of memory errors, lower the batch size.\nIf out of memory error occurs, retry.\n"
    )
    assert facts_of(log_of_text(text)).failures == ()


@pytest.mark.parametrize(
    ("text", "family"),
    [
        ("CUDA out of memory. Tried to allocate more than 1EB memory.", "torch"),
        (
            "CUDA out of memory. Allocation was preemptively rejected because it would exceed per_process_memory_fraction"
            " limit. Requested size: 2147483648",
            "torch_fraction",
        ),
        ("torch.AcceleratorError: CUDA error: out of memory", "cuda"),
        ("RuntimeError: HIP error: out of memory", "cuda"),
        ("torch.cuda.OutOfMemoryError", "torch_bare"),
    ],
)
def test_other_forms(text, family):
    """Policies, absurd sizes, and refusals beside the caching allocator."""
    assert only(text).family == family


def test_a_refusal_by_policy_has_its_size():
    """The limit's own message gives plain bytes."""
    text = "CUDA out of memory. Allocation was preemptively rejected because it would exceed per_process_memory_fraction limit. Requested size: 2147483648"
    assert only(text).tried_bytes == 2147483648


def test_cuda_malloc_async():
    """The other backend has a message of its own, over seven lines."""
    text = """RuntimeError: Allocation on device 5 would exceed allowed memory. (out of memory)
Currently allocated     : 54.14 GiB
Requested               : 686.41 MiB
Device limit            : 79.35 GiB
Free (according to CUDA): 27.19 MiB
PyTorch limit (set by user-supplied memory fraction)
                        : 17179869184.00 GiB"""
    failure = only(text)
    assert (failure.family, failure.device) == ("cuda_async", 5)
    assert failure.total_bytes == round(79.35 * GIB)
    assert failure.tried_bytes == round(686.41 * MIB)
    assert failure.allowed_bytes is None


@given(
    st.text(
        alphabet=st.sampled_from("CUDA out of memory. Tried to allocate 1.00 GiB (GPU 0; total\n[rank3]:")
    )
)
def test_any_text_is_read(text):
    """Whatever is made of its own words, nothing is raised and nothing is negative."""
    for failure in facts_of(log_of_text(text)).failures:
        assert (failure.tried_bytes or 0) >= 0
