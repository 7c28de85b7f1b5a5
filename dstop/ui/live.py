"""`dstop` on a terminal: the driver opens, the first frame is painted, and Textual comes up behind it."""

from __future__ import annotations

import gc
import os
import select
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dstop.draw.look import look_of
from dstop.draw.palette import theme_for
from dstop.monitor import Monitor
from dstop.ui.poller import Poller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from dstop.draw.look import Look
    from dstop.model.frame import Frame
    from dstop.model.guest import ProcessId
    from dstop.monitor.expectations import Expectations
    from dstop.monitor.loop import Alarms
    from dstop.pytorch.incident.values import Incident
    from dstop.settings import Settings
    from dstop.sources import Source
    from dstop.sources.guests import Guests
    from dstop.sources.hands import Hands
    from dstop.ui.app import DstopApp
    from dstop.ui.poller import Steps
    from dstop.view.arrange import View

QUICK_S = 0.15
"""A driver that answers within this is waited for; behind a slower one Textual is imported meanwhile."""
IMPORT_S = 0.35
"""Textual is needed for the first key and the second frame: its import begins this long before that frame."""
PATIENCE_S = 1.0
"""How long a blank terminal is better than a screen that says nothing: a driver that hangs must not hide dstop."""


def run_live(
    make_source: Callable[[], Source],
    settings: Settings,
    view: View,
    *,
    hands: Hands | None = None,
    guests: Guests | None = None,
    expectations: Expectations | None = None,
    alarms: Alarms | None = None,
    open_pids: Sequence[ProcessId] = (),
    save: Callable[[Settings], None] | None = None,
) -> None:
    """Show the live screen until the user leaves it.

    Args:
        make_source: opens the source; called in the polling thread.
        settings: what the user has configured.
        view: what the table shows first.
        hands: asks and signals processes; None where there are none behind the source.
        guests: asks the hooks in PyTorch processes; None where there are none behind the source.
        expectations: what the models of the source should hold; None where nobody works that out.
        alarms: has others told of what is found; None where nobody wants to be.
        open_pids: the processes to show first, on top of each other; Esc goes to the next, and at last to all.
            Their screens need no row in the sample.
        save: writes the settings when the user asks for it.

    Raises:
        SourceError: when there is nothing to show.
    """
    interval_s = settings.interval_s

    from dstop.monitor.findings import of_plugins  # noqa: PLC0415 - only what shows a machine asks plugins

    def monitor() -> Monitor:
        return Monitor(
            make_source(),
            interval_s=interval_s,
            guests=guests,
            expectations=expectations,
            alarms=alarms,
            more_rules=of_plugins(defer=1),
        )

    show_live(monitor, settings, view, hands=hands, guests=guests, open_pids=open_pids, save=save)


def show_live(
    make_monitor: Callable[[], Steps],
    settings: Settings,
    view: View,
    *,
    hands: Hands | None = None,
    guests: Guests | None = None,
    open_pids: Sequence[ProcessId] = (),
    save: Callable[[Settings], None] | None = None,
    incidents: Callable[[], Iterable[Incident]] | None = None,
    replays: bool = False,
) -> None:
    """Show the frames of a monitor, or of a recording, until the user leaves.

    Args:
        make_monitor: makes what gives them; called in the polling thread.
        settings: what the user has configured.
        view: what the table shows first.
        hands: as for `run_live`, as are guests, open_pids and save.
        guests: see there.
        open_pids: see there.
        save: see there.
        incidents: gives past crashes; those of this machine unless given.
        replays: whether it is a recording, which has keys of its own.

    Raises:
        DstopError: when there is nothing to show.
    """
    theme, look = theme_for(settings.theme, os.environ), look_of(settings)
    poller = Poller(make_monitor, settings.interval_s)
    poller.start()
    try:
        frame = poller.first_frame(QUICK_S)
        with _terminal():
            if frame is not None and sys.stdout.isatty():  # a browser's tab takes packets of Textual's alone
                _paint(frame, settings, view, theme, look)
                _until_textual_is_needed(settings.interval_s)
            with _without_tls():
                app_class = _app_class(replays=replays)

            poller.first_frame(PATIENCE_S)
            # What is loaded by now stays: the collector need not look at it again.
            gc.freeze()
            gc.enable()
            app = app_class(
                poller,
                settings,
                view=view,
                theme=theme,
                hands=hands,
                guests=guests,
                open_processes=open_pids,
                look=look,
                save=save,
                incidents=incidents,
            )
            app.run()
        if app.failure is not None:
            raise app.failure
    finally:
        poller.stop()


def _app_class(*, replays: bool) -> type[DstopApp]:
    """Import Textual: this is what the painting hides."""
    if replays:
        from dstop.ui.replay_app import ReplayApp  # noqa: PLC0415 - see above

        return ReplayApp
    from dstop.ui.app import DstopApp  # noqa: PLC0415 - see above

    return DstopApp


def _until_textual_is_needed(interval_s: float) -> None:
    """Wait for a key, which stays where Textual will read it, or for the second frame to come near."""
    select.select([sys.stdin], [], [], max(0.0, min(interval_s, PATIENCE_S) - IMPORT_S))


@contextmanager
def _without_tls() -> Iterator[None]:
    """Have asyncio do without OpenSSL, as it does where Python has none: a tenth of our memory, and no use for it."""
    if "ssl" in sys.modules:
        yield
        return
    sys.modules["ssl"] = None  # type: ignore[assignment]  # what makes an import fail, says importlib
    try:
        yield
    finally:
        del sys.modules["ssl"]


def _paint(frame: Frame, settings: Settings, view: View, theme: str, look: Look) -> None:
    from dstop.draw.overview import OverviewState, overview  # noqa: PLC0415 - after the poller has its start
    from dstop.draw.splash import painted  # noqa: PLC0415
    from dstop.ui.keys import OVERVIEW_KEYS, REPLAY_KEYS  # noqa: PLC0415
    from dstop.view.arrange import arrange  # noqa: PLC0415

    width, height = os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ else 1)
    state = OverviewState(
        mode=settings.mode,
        sort=view.sort,
        reverse=view.reverse,
        columns=view.columns,
        keys=OVERVIEW_KEYS if frame.replay is None else REPLAY_KEYS,
        now_ns=time.time_ns() if frame.replay is None else frame.replay.at_ns,
    )
    drawn = overview(frame, arrange(frame.sample, view), state, width=width, height=height, look=look)
    sys.stdout.write(painted(drawn.lines, theme, os.environ, marked=drawn.marked, ascii_only=settings.ascii))
    sys.stdout.flush()


@contextmanager
def _terminal() -> Iterator[None]:
    """Keep keys from being echoed until Textual takes the terminal, and give it back as it was whatever happens."""
    import termios  # noqa: PLC0415 - only with a terminal

    from dstop.draw.splash import LEAVE  # noqa: PLC0415

    descriptor = sys.stdin.fileno()
    try:
        before = termios.tcgetattr(descriptor)
    except termios.error:
        yield
        return
    quiet = termios.tcgetattr(descriptor)
    quiet[3] &= ~(termios.ECHO | termios.ICANON)
    termios.tcsetattr(descriptor, termios.TCSANOW, quiet)
    try:
        yield
    except BaseException:
        # Textual leaves its own screen; ours is left here when it never came up.
        sys.stdout.write(LEAVE)
        sys.stdout.flush()
        raise
    finally:
        termios.tcsetattr(descriptor, termios.TCSANOW, before)
