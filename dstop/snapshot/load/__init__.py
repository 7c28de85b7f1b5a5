"""Reading snapshot files: any of them, safely, and a million events in seconds."""

from dstop.snapshot.load.read import load_snapshot, read_snapshot

__all__ = ["load_snapshot", "read_snapshot"]
