"""What a plugin can add, and loading that survives a plugin that is broken, or that never comes back.

A plugin is any installed package with an entry point in the group `dstop`; first-party ones live in
`plugins/` and use nothing that a third party could not.
"""

from __future__ import annotations

from dstop.plugin.hooks import GROUP, Hooks
from dstop.plugin.labels import MOST_LABELS, LabelledSource, Labeller, read_environ
from dstop.plugin.loading import Loaded, PluginFacts, any_installed, installed, plugin_manager

__all__ = [
    "GROUP",
    "MOST_LABELS",
    "Hooks",
    "LabelledSource",
    "Labeller",
    "Loaded",
    "PluginFacts",
    "any_installed",
    "installed",
    "plugin_manager",
    "read_environ",
]
