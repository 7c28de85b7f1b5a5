"""The command palette: every action by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.app import SystemCommand

from dstop.draw.palette import PALETTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dstop.ui.app import DstopApp
    from dstop.ui.screens.overview import OverviewScreen


def commands(app: DstopApp, view: OverviewScreen) -> Iterator[SystemCommand]:
    """Offer what the app and its first screen can do."""
    yield SystemCommand("Help", "keys, marks, filters", app.action_help)
    yield SystemCommand("Event log", "what has happened since the start", app.action_events)
    yield SystemCommand("Findings", "what is wrong now, with proof and fixes", app.action_findings)
    yield SystemCommand("Doctor", "past crashes: cause, proof, smallest fix", app.action_doctor)
    yield SystemCommand("Filter", "user:alice mem>10G", view.action_filter)
    yield SystemCommand("Tree", "processes under their parents", view.action_tree)
    yield SystemCommand("Group by user", "sums per user", lambda: view.action_group("user"))
    yield SystemCommand("Group by job", "ranks of a job together", lambda: view.action_group("job"))
    yield SystemCommand("GPU close up", "every figure of one card", view.action_open_gpu)
    yield SystemCommand("Counters", "PCIe, NVLink, SM activity", view.action_counters)
    for name in PALETTES:
        yield SystemCommand(f"Theme {name}", "colours", lambda chosen=name: app.set_theme(chosen))
    yield SystemCommand("Save settings", "to the configuration file", app.action_save)
    yield SystemCommand("Pause", "stand still, or go on", app.action_pause)
    yield SystemCommand("Quit", "leave dstop", app.exit)
