"""Recordings of a whole monitor: a file that is written block by block, and a source that gives it again."""

from __future__ import annotations
