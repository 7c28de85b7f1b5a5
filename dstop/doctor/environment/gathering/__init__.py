"""Readers of the machine's state; each gives what it found and raises nothing that a machine may cause."""
