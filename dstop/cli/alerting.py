"""The alerts of the configuration file, for a face that goes on: the screen, and the recorder."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dstop.cli import terminal
from dstop.errors import SettingsError

if TYPE_CHECKING:
    from dstop.alerts.alarms import Alarms
    from dstop.settings import Settings


def alarms_of(settings: Settings) -> Alarms | None:
    """Give what has others told; None where nobody wants to be.

    Raises:
        SettingsError: an alert's condition is none.
    """
    if not settings.alerts or terminal.in_browser(os.environ):  # one tab after the other would tell the same
        return None
    from dstop.alerts.alarms import Alarms  # noqa: PLC0415 - most have none
    from dstop.alerts.turn import Turn, lock_path  # noqa: PLC0415 - as above

    return Alarms(settings.alerts, turn=Turn(lock_path(settings.alerts, os.environ)))


def try_alerts(config: str | None) -> int:
    """Send each alert's message once, as a trial, and print what came of it; gives the exit code.

    Args:
        config: the configuration file; the usual one unless given.

    Raises:
        SettingsError: the file is not usable, has no alerts, or a condition is none.
    """
    import platform  # noqa: PLC0415 - a verb loads what it needs
    import time  # noqa: PLC0415 - as above

    from dstop.alerts.alarms import Alarms  # noqa: PLC0415 - as above
    from dstop.alerts.notice import plain  # noqa: PLC0415 - as above
    from dstop.settings.load import load  # noqa: PLC0415 - as above

    settings = load(config, environ=os.environ)
    if not settings.alerts:
        raise SettingsError("there are no alerts to try", fix="add [[alerts]] to the configuration file")
    tried = Alarms(settings.alerts).attempt(platform.node() or "host", time.time_ns())
    for whom, wrong in tried:
        terminal.write(f"{plain(whom)}: {'arrived' if wrong is None else plain(wrong)}\n".encode())
    if not tried:
        terminal.write(b"the alerts ring the terminal's bell alone\n")
    return 0 if all(wrong is None for _, wrong in tried) else 1
