"""Frames to lines of styled spans: pure functions that know neither Textual nor ANSI codes.

A span is a piece of text and its role (`warn`, `seg.free`, …); a palette gives each role its look. The live screen and
`--once` draw with the same functions, so no figure can exist on one face only.
"""
