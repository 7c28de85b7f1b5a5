"""Thin widgets over the pure functions of `dstop.draw`."""
