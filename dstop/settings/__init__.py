"""What the user chose: built-in values, then the configuration file, then the environment, then flags."""

from __future__ import annotations

from dstop.settings.load import config_path, load
from dstop.settings.save import save
from dstop.settings.values import Settings

__all__ = ["Settings", "config_path", "load", "save"]
