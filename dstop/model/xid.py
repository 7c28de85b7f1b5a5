"""What the driver's error numbers mean, in words that fit one line.

Source: NVIDIA, "XID Errors" and its Xid catalog (docs.nvidia.com/deploy/xid-errors), shortened to what a user
can act on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

XID_MEANINGS: Mapping[int, str] = {
    13: "a kernel did something illegal, often an array index out of range",
    31: "a kernel touched memory that is not mapped (GPU page fault)",
    32: "corrupted commands reached the GPU",
    43: "a program's fault stopped its work; the GPU itself goes on",
    45: "work was cleaned up after an earlier error or a kill",
    48: "uncorrectable (double-bit) memory error",
    61: "internal microcontroller warning",
    62: "internal microcontroller halted; the GPU needs a reset",
    63: "a bad memory row was recorded and is remapped at the next reset",
    64: "a bad memory row could not be recorded for remapping",
    68: "the video decoder failed",
    69: "a command the graphics engine does not know",
    74: "NVLink error: check the link and the GPU at its other end",
    79: "the GPU has fallen off the bus; only a reboot brings it back",
    92: "many corrected memory errors",
    94: "uncorrectable memory error, contained: restart the program it hit",
    95: "uncorrectable memory error, not contained: reset the GPU",
    119: "the GPU's system processor (GSP) did not answer in time",
    120: "the GPU's system processor (GSP) failed",
    121: "error on the chip-to-chip link (C2C)",
}
"""Xid -> plain words, for the numbers that GPU servers meet."""


def xid_meaning(code: int) -> str:
    """Give the plain words for an Xid; one that is not in the table says where to look it up."""
    return XID_MEANINGS.get(code, "see NVIDIA's Xid catalog")
