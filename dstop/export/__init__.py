"""Samples for other programs: JSON and CSV."""
