"""Deterministic wobble: what makes a simulated figure breathe without a random number generator.

A generator has a state, and a state would make the figures depend on how often they were asked for.
"""

from __future__ import annotations

from math import floor

_MASK = 0xFFFFFFFF


def scramble(first: int, second: int = 0, third: int = 0) -> int:
    """Mix whole numbers into one of 32 bits: a sum of odd multiples, then Murmur3's finaliser."""
    state = (first * 0x9E3779B1 + second * 0x27D4EB2F + third * 0x165667B1 + 0x2545F491) & _MASK
    state = ((state ^ (state >> 16)) * 0x85EBCA6B) & _MASK
    state = ((state ^ (state >> 13)) * 0xC2B2AE35) & _MASK
    return state ^ (state >> 16)


def wobble(seed: int, channel: int, at: float) -> float:
    """Give a value of -1 … 1 that moves smoothly with `at` and turns about once a unit."""
    whole = floor(at)
    part = at - whole
    left = scramble(seed, channel, whole) / 0x7FFFFFFF - 1
    right = scramble(seed, channel, whole + 1) / 0x7FFFFFFF - 1
    return left + (right - left) * part * part * (3 - 2 * part)
