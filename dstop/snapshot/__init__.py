"""PyTorch's memory snapshots: read safely, followed through time, explained, and replayed.

`load` gives a `Snapshot`; `lives` says what was allocated when; everything else is a pure function of these two.
"""
