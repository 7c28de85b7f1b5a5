"""Run a program with a notice on its standard input: the user's own, or notify-send."""

from __future__ import annotations

import html
import os
import shutil
import signal
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING

from dstop.alerts.courier import DeliveryError
from dstop.model.finding import Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dstop.alerts.notice import Notice

COMMAND_S = 10.0
"""How long a program may run: it is to tell somebody, not to mend anything."""


class Command:
    """Runs one program for each notice, without a shell.

    Args:
        argv: the program and its words, as they are; nothing in them is replaced.
        patience_s: after this it is killed, with all that it started.
    """

    def __init__(self, argv: Sequence[str], *, patience_s: float = COMMAND_S) -> None:
        self._argv, self._patience_s = tuple(argv), patience_s

    def __call__(self, notice: Notice) -> None:
        """Run it with the notice's JSON on standard input; DSTOP_ALERT and DSTOP_ALERT_STATUS name it.

        Raises:
            DeliveryError: it cannot be run, fails, or takes too long.
        """
        environ = {"DSTOP_ALERT": notice.title, "DSTOP_ALERT_STATUS": notice.status}
        _run(self._argv, notice.as_json(), self._patience_s, environ)


def show_on_desktop(notice: Notice) -> None:
    """Have notify-send show it.

    Raises:
        DeliveryError: there is none, or no desktop to show it on.
    """
    program = shutil.which("notify-send")
    if program is None:
        raise DeliveryError(
            "there is no notify-send here: install libnotify, or use another way", again=False
        )
    urgency = "critical" if notice.severity is Severity.CRITICAL and notice.status != "resolved" else "normal"
    # The body may have markup (the desktop notification specification): a command line must not become some.
    argv = (program, "--app-name=dstop", f"--urgency={urgency}", "--", notice.title, html.escape(notice.text))
    _run(argv, b"", COMMAND_S, {})


def _run(argv: Sequence[str], given: bytes, patience_s: float, environ: dict[str, str]) -> None:
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **environ},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DeliveryError(f"cannot run {argv[0]}: {reason}", again=False) from None
    with process:
        try:
            process.communicate(given, timeout=patience_s)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise DeliveryError(f"{argv[0]} took longer than {patience_s:g} s") from None
    if process.returncode != 0:
        raise DeliveryError(f"{argv[0]} ended with {process.returncode}")
