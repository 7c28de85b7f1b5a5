"""Incidents: what a process, or a run, left behind when it ended badly; one directory each."""
