"""The allocator as a model: each rule by hand, and laws that hold whatever is asked for."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from dstop.snapshot.replay.model import Allocator
from dstop.snapshot.replay.rules import Rules, round_size
from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from dstop.snapshot.replay.blocks import Block

SMALL, LARGE = 2 * MIB, 20 * MIB
CONFIGURATIONS = st.sampled_from(
    [
        Rules(),
        Rules(oldest_first=True),
        Rules(expandable=True),
        Rules(expandable=True, oldest_first=True),
        Rules(max_split_bytes=32 * MIB),
        Rules(gc_threshold=0.5),
        Rules(divisions={1 << number: 4 for number in range(16)}),
    ]
)
SIZES = st.one_of(st.integers(1, 4096), st.integers(1, 3 * MIB), st.integers(1, 60 * MIB))
STEPS = st.lists(
    st.tuples(st.sampled_from(["ask", "ask", "free", "empty"]), SIZES, st.integers(0, 2), st.integers(0, 30)),
    max_size=60,
)


def _ask(allocator: Allocator, size: int, stream: int = 0) -> Block:
    block = allocator.malloc(size, stream)
    assert block is not None
    return block


def test_small_requests_share_a_segment_of_two_mib() -> None:
    """`kSmallBuffer`: requests up to 1 MiB are packed into 2 MiB, larger ones lie elsewhere."""
    allocator = Allocator()
    first, second = _ask(allocator, MIB), _ask(allocator, MIB)
    assert (allocator.reserved_bytes, second.address) == (SMALL, first.end)
    _ask(allocator, MIB + 1)
    assert allocator.reserved_bytes == SMALL + LARGE


def test_the_smallest_block_that_fits_is_taken() -> None:
    """`get_free_block` is best fit: not the first, not the largest."""
    allocator = Allocator()
    made = [_ask(allocator, size * MIB) for size in (40, 12, 20, 30)]
    for block in made:
        allocator.free(block)
    assert _ask(allocator, 11 * MIB).address == made[1].address
    assert _ask(allocator, 18 * MIB).address == made[2].address


def test_of_equal_blocks_the_lowest_or_the_oldest_is_taken() -> None:
    """Up to 2.8 the address decides; in 2.14 the segment that was made first, wherever the driver put it."""
    for oldest_first in (False, True):
        allocator = Allocator(Rules(oldest_first=oldest_first))
        allocator.driver.told = [(LARGE, 200 * MIB), (LARGE, 100 * MIB)]
        old, new = _ask(allocator, LARGE), _ask(allocator, LARGE)
        assert (old.address, new.address) == (200 * MIB, 100 * MIB)
        allocator.free(new)
        allocator.free(old)
        assert _ask(allocator, LARGE).address == (old if oldest_first else new).address


def test_a_remainder_of_one_mib_stays_with_its_block() -> None:
    """`should_split`: in the large pool more than 1 MiB must remain, in the small one 512 bytes do."""
    allocator = Allocator()
    assert _ask(allocator, 19 * MIB).size == LARGE
    assert _ask(allocator, 19 * MIB - 512).size == 19 * MIB - 512
    assert _ask(allocator, 1024).size == 1024


def test_expandable_segments_split_at_512_bytes() -> None:
    """`should_split`: with expandable segments the large pool splits as the small one does."""
    allocator = Allocator(Rules(expandable=True))
    assert _ask(allocator, 20 * MIB - 512).size == 20 * MIB - 512


def test_another_streams_free_block_is_not_used() -> None:
    """Free blocks serve their own stream alone."""
    allocator = Allocator()
    allocator.free(_ask(allocator, LARGE, stream=1))
    _ask(allocator, LARGE, stream=2)
    assert allocator.reserved_bytes == 2 * LARGE
    _ask(allocator, LARGE, stream=1)
    assert allocator.reserved_bytes == 2 * LARGE


def test_a_private_pools_free_block_is_not_used() -> None:
    """A CUDA graph's pool serves itself, and gives nothing back while its graph is in use."""
    allocator = Allocator(kept_pools={(0, 1)})
    block = allocator.malloc(LARGE, 0, (0, 1))
    assert block is not None
    allocator.free(block)
    _ask(allocator, LARGE)
    assert allocator.reserved_bytes == 2 * LARGE
    allocator.empty_cache()
    assert allocator.reserved_bytes == 2 * LARGE
    assert allocator.releasable == [0]


def test_blocks_above_the_split_limit_stay_whole() -> None:
    """`max_split_size_mb`: small requests do not get them; large ones do, if they are at most 20 MiB larger."""
    allocator = Allocator(Rules(max_split_bytes=32 * MIB))
    allocator.free(_ask(allocator, 60 * MIB))
    _ask(allocator, 4 * MIB)
    assert allocator.reserved_bytes == 60 * MIB + LARGE
    _ask(allocator, 40 * MIB)
    assert allocator.reserved_bytes == 100 * MIB + LARGE
    assert _ask(allocator, 41 * MIB).size == 60 * MIB


def test_what_is_cached_goes_back_before_a_request_fails() -> None:
    """The driver is full: everything whole and free is given back, and the request is tried again."""
    allocator = Allocator(capacity_bytes=100 * MIB)
    allocator.free(_ask(allocator, 60 * MIB))
    assert _ask(allocator, 80 * MIB).size == 80 * MIB
    assert (allocator.reserved_bytes, allocator.flushes) == (80 * MIB, 1)
    assert allocator.malloc(30 * MIB) is None
    assert allocator.driver.missing_bytes == 10 * MIB


def test_one_oversize_block_is_given_back_first() -> None:
    """`release_available_cached_blocks`: with a split limit the rest of the cache survives."""
    allocator = Allocator(Rules(max_split_bytes=32 * MIB), capacity_bytes=200 * MIB)
    for block in [_ask(allocator, size * MIB) for size in (12, 70, 100)]:
        allocator.free(block)
    _ask(allocator, 45 * MIB)
    assert (allocator.reserved_bytes, allocator.flushes) == ((12 + 100 + 46) * MIB, 0)


def test_the_collector_gives_back_what_was_not_used_for_long() -> None:
    """`garbage_collect_cached_blocks`: above the threshold, whole blocks older than the average age go."""
    allocator = Allocator(Rules(gc_threshold=0.5), capacity_bytes=200 * MIB)
    old, new = _ask(allocator, 60 * MIB, stream=1), _ask(allocator, 58 * MIB)
    allocator.free(old)
    for _ in range(8):
        allocator.free(_ask(allocator, 4 * MIB))
    allocator.free(new)
    _ask(allocator, 62 * MIB)
    assert old.address not in allocator.driver.taken
    assert new.address in allocator.driver.taken


def test_expandable_segments_grow_by_pages_in_one_piece() -> None:
    """One segment a stream and pool: the second request maps behind the first, 20 MiB at a time."""
    allocator = Allocator(Rules(expandable=True))
    first, second = _ask(allocator, 30 * MIB), _ask(allocator, 15 * MIB)
    assert second.address == first.end
    assert allocator.reserved_bytes == 60 * MIB
    _ask(allocator, 15 * MIB)
    assert allocator.reserved_bytes == 60 * MIB


def test_a_flush_unmaps_whole_pages_of_free_blocks() -> None:
    """`unmap_block`: a free block gives back the pages that lie wholly in it, and the hole is filled first."""
    allocator = Allocator(Rules(expandable=True))
    first, _ = _ask(allocator, 50 * MIB), _ask(allocator, 10 * MIB)
    address = first.address
    allocator.free(first)
    allocator.empty_cache()
    assert allocator.reserved_bytes == LARGE
    assert _ask(allocator, 45 * MIB).address == address
    assert allocator.reserved_bytes == 60 * MIB


def test_an_expandable_segment_that_is_unmapped_is_given_up() -> None:
    """`release_expandable_segment`: nothing of it stays, and the next request begins a new one."""
    allocator = Allocator(Rules(expandable=True))
    allocator.free(_ask(allocator, 50 * MIB))
    allocator.empty_cache()
    assert allocator.reserved_bytes == 0
    assert all(not shelf.unmapped and not shelf.blocks for shelf in allocator.shelves())
    _ask(allocator, 1)
    assert allocator.reserved_bytes == SMALL


def test_a_refused_page_leaves_what_was_mapped_before() -> None:
    """The driver refuses in the middle of a request: torch flushes, and asks again from the lowest address."""
    allocator = Allocator(Rules(expandable=True), capacity_bytes=100 * MIB)
    first = _ask(allocator, 40 * MIB)
    allocator.free(_ask(allocator, 40 * MIB))
    assert _ask(allocator, 60 * MIB).address == first.end
    assert allocator.malloc(2 * MIB) is None
    assert allocator.reserved_bytes == 100 * MIB


class _Play:
    """Requests and frees, as steps say."""

    def __init__(self, rules: Rules, steps: list[tuple[str, int, int, int]], capacity: int | None) -> None:
        self.allocator = Allocator(rules, capacity)
        self.held: list[tuple[Block, int]] = []
        for what, size, stream, which in steps:
            if what == "empty":
                self.allocator.empty_cache()
            elif what == "free" and self.held:
                self.allocator.free(self.held.pop(which % len(self.held))[0])
            elif what == "ask":
                block = self.allocator.malloc(size, stream)
                if block is not None:
                    self.held.append((block, size))

    def chains(self) -> list[list[Block]]:
        """Give every segment as its blocks in order, found from any of them."""
        known = [block for block, _ in self.held]
        for shelf in self.allocator.shelves():
            known += [*shelf.free_blocks(), *(block for _, block in shelf.unmapped)]
        heads: dict[int, Block] = {}
        for block in known:
            while block.prev is not None:
                block = block.prev  # noqa: PLW2901 - walk to the head
            heads[id(block)] = block
        return [list(_along(head)) for head in heads.values()]


def _along(block: Block | None):
    while block is not None:
        yield block
        block = block.next


@given(CONFIGURATIONS, STEPS, st.sampled_from([None, 64 * MIB, 256 * MIB]))
def test_blocks_tile_their_segments(
    rules: Rules, steps: list[tuple[str, int, int, int]], capacity: int | None
) -> None:
    """Neighbours touch, no two free ones are neighbours, and what is mapped adds up to what is reserved."""
    play = _Play(rules, steps, capacity)
    mapped = 0
    for chain in play.chains():
        for before, after in itertools.pairwise(chain):
            assert before.end == after.address
            assert not (before.free and after.free and before.mapped == after.mapped)
        mapped += sum(block.size for block in chain if block.mapped)
    assert mapped == play.allocator.reserved_bytes
    assert capacity is None or mapped <= capacity


@given(CONFIGURATIONS, STEPS)
def test_what_is_held_is_large_enough_and_apart(rules: Rules, steps: list[tuple[str, int, int, int]]) -> None:
    """Each block holds its request, and no two that are held overlap."""
    play = _Play(rules, steps, None)
    spans = sorted((block.address, block.end) for block, _ in play.held)
    assert all(block.size >= round_size(size, rules) and not block.free for block, size in play.held)
    assert all(first[1] <= second[0] for first, second in itertools.pairwise(spans))


@given(CONFIGURATIONS, STEPS)
def test_what_is_said_to_go_back_goes_back(rules: Rules, steps: list[tuple[str, int, int, int]]) -> None:
    """`releasable` is what `empty_cache` then gives back, and nothing is left of it."""
    allocator = _Play(rules, steps, GIB).allocator
    reserved, releasable = allocator.reserved_bytes, allocator.releasable[0]
    allocator.empty_cache()
    assert reserved - allocator.reserved_bytes == releasable
    assert allocator.releasable == [0]


@given(CONFIGURATIONS, STEPS)
def test_when_all_is_given_back_nothing_is_reserved(
    rules: Rules, steps: list[tuple[str, int, int, int]]
) -> None:
    """Free everything, empty the cache: the driver has all of it again."""
    play = _Play(rules, steps, None)
    for block, _ in play.held:
        play.allocator.free(block)
    play.allocator.empty_cache()
    assert play.allocator.reserved_bytes == 0


@given(CONFIGURATIONS, STEPS, SIZES)
def test_best_fit_is_best(rules: Rules, steps: list[tuple[str, int, int, int]], size: int) -> None:
    """A block that is reused is the smallest that fits, unless smaller ones are the ends of expandable segments."""
    allocator = _Play(rules, steps, None).allocator
    rounded = round_size(size, rules)
    shelf = allocator.shelf((0, 0), 0, small=rounded <= MIB)
    fitting = [block.size for block in shelf.free_blocks(rounded)]
    found = shelf.fitting(rounded, rules)
    if found is not None and not rules.expandable:
        assert found.size == min(fitting)
    if found is None:
        assert not fitting or rules.max_split_bytes is not None
