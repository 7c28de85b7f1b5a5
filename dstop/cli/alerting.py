"""The alerts of the configuration file, for a face that goes on: the screen, and the recorder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dstop.cli.terminal import in_browser

if TYPE_CHECKING:
    from dstop.alerts.alarms import Alarms
    from dstop.settings import Settings


def alarms_of(settings: Settings) -> Alarms | None:
    """Give what has others told; None where nobody wants to be.

    Raises:
        SettingsError: an alert's condition is none.
    """
    if not settings.alerts or in_browser(os.environ):  # one tab after the other would tell the same
        return None
    from dstop.alerts.alarms import Alarms  # noqa: PLC0415 - most have none
    from dstop.alerts.turn import Turn, lock_path  # noqa: PLC0415 - as above

    return Alarms(settings.alerts, turn=Turn(lock_path(settings.alerts, os.environ)))
