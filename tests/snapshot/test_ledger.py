"""The account of each category agrees with counting the lives that are live."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from dstop.snapshot.ledger import accounts_of
from dstop.snapshot.lives import Lives
from dstop.snapshot.timeline import alive_at

EVENTS, CATEGORIES = 40, 4


@st.composite
def _lives(draw):
    rows = draw(
        st.lists(
            st.tuples(
                st.integers(-1, EVENTS - 1),
                st.integers(0, EVENTS),
                st.integers(1, 1 << 40),
                st.integers(0, CATEGORIES - 1),
            ),
            max_size=30,
        )
    )
    rows = sorted(
        (begin, min(EVENTS, begin + 1 + length), size, category) for begin, length, size, category in rows
    )
    begin, end, size, category = (np.array([row[place] for row in rows], np.int64) for place in range(4))
    zeros = np.zeros(len(rows), np.int64)
    lives = Lives(
        device=0,
        events=EVENTS,
        address=zeros,
        size=size,
        requested=size,
        begin=begin,
        freed=end,
        end=end,
        stack=zeros.astype(np.int32),
        stream=zeros,
    )
    return lives, category.astype(np.int8)


@given(_lives(), st.lists(st.integers(0, EVENTS), min_size=1, max_size=10))
def test_an_account_is_what_is_live_of_its_category(drawn, positions):
    """At any positions, in any order, also where nothing has begun or all has ended."""
    lives, category = drawn
    accounts = accounts_of(lives, category, CATEGORIES)
    for number, account in enumerate(accounts):
        for position, held in zip(positions, account.at(np.array(positions)).tolist(), strict=True):
            rows = alive_at(lives, position)
            assert held == int(lives.size[rows][category[rows] == number].sum())
