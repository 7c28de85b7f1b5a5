"""What PyTorch's caching allocator hands out beyond what was asked for: ends of segments too small to split off."""

from __future__ import annotations

from dstop.units import MIB

LARGE, SEGMENT, STEP, SPLIT = 10 * MIB, 20 * MIB, 2 * MIB, MIB
"""`kMinLargeAlloc`, `kLargeBuffer`, `kRoundLarge`, and the least remainder that is split off (`kSmallSize`)."""


def unsplit(size: float) -> float:
    """Give the bytes at the end of a block's own segment that count as handed out with it.

    From 10 MiB on a segment is the size rounded up to 2 MiB; a remainder of at most 1 MiB is not split off
    (`get_allocation_size` and `should_split` of c10's CUDACachingAllocator). It explains what vLLM and Hugging Face
    report above the parameters: 144 MiB for the 144 MLP matrices of Qwen2.5-14B, 26.5 MiB for DeepSeek-V2-Lite.
    """
    if size < LARGE:
        return 0.0
    rest = -size % STEP
    return rest if rest <= SPLIT else 0.0


def unused_equal(size: float) -> float:
    """Give what each of many blocks of one size between 1 and 10 MiB leaves unused of its segment of 20 MiB.

    Three experts of 5.5 MiB fill one, and 3.5 MiB stay for tensors that are smaller: DeepSeek-V2-Lite has 4992 of them
    in transformers, and 6.05 GB more reserved than allocated once it is loaded.
    """
    if not SPLIT < size < LARGE:
        return 0.0
    blocks = SEGMENT // size
    rest = SEGMENT - blocks * size
    return rest / blocks if rest > SPLIT else 0.0


def unsplit_equal(size: float) -> float:
    """Give the same for each of many blocks of one size between 1 and 10 MiB, which share segments of 20 MiB.

    The last block of a segment takes a remainder of at most 1 MiB with it: 13 experts of 1.5 MiB in 20 MiB.
    """
    if not SPLIT < size < LARGE:
        return unsplit(size)
    blocks = SEGMENT // size
    rest = SEGMENT - blocks * size
    return rest / blocks if rest <= SPLIT else 0.0
