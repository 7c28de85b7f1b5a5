"""The flight recorder: what a machine's cards and processes did, at falling resolution, in one SQLite file."""
