"""The live screen: takes frames from the poller and gives them to the screen on top."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from textual.app import App
from textual.binding import Binding

from dstop.draw.event_lines import newest_grave
from dstop.draw.look import Look
from dstop.draw.palette import PALETTES
from dstop.errors import DstopError
from dstop.ui.commands import commands
from dstop.ui.messages import FrameReady, PollerFailed
from dstop.ui.screens.base import FrameScreen
from dstop.ui.screens.overview import OverviewScreen
from dstop.ui.signals import send, signal_question

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from textual.app import SystemCommand
    from textual.binding import BindingType
    from textual.screen import Screen
    from textual.timer import Timer

    from dstop.model.frame import Frame
    from dstop.model.guest import ProcessId
    from dstop.model.process import GpuProcess, ProcessKey
    from dstop.pytorch.incident.values import Incident
    from dstop.settings import Settings
    from dstop.sources.guests import Guests
    from dstop.sources.hands import Hands
    from dstop.ui.poller import Poller
    from dstop.view.arrange import View

Question: TypeAlias = "tuple[Callable[[], None], str]"
"""What is done on yes, and what is said on no."""
NOTICE_S = 4.0
LEAST_INTERVAL_S, MOST_INTERVAL_S = 0.25, 60.0
THEMES = tuple(PALETTES)


class DstopApp(App[None]):
    """Owns the frame, the theme and the question; screens own what they show."""

    TITLE = "dstop"
    CSS_PATH = "dstop.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q,f10", "quit", show=False),
        Binding("ctrl+c", "quit", show=False, priority=True),
        Binding("ctrl+z", "suspend_process", show=False),
        Binding("question_mark,f1,h", "help", show=False),
        Binding("l", "events", show=False),
        Binding("F", "findings", show=False),
        Binding("d", "doctor", show=False),
        Binding("p", "pause", show=False),
        Binding("r", "read_now", show=False),
        Binding("ctrl+l", "draw_again", show=False),
        Binding("plus,equals_sign", "interval(2.0)", show=False),
        Binding("minus", "interval(0.5)", show=False),
        Binding("f2", "next_theme", show=False),
        Binding("W", "save", show=False),
    ]

    def __init__(
        self,
        poller: Poller,
        settings: Settings,
        *,
        view: View,
        theme: str,
        hands: Hands | None = None,
        guests: Guests | None = None,
        open_processes: Sequence[ProcessId] = (),
        look: Look | None = None,
        save: Callable[[Settings], None] | None = None,
        incidents: Callable[[], Iterable[Incident]] | None = None,
    ) -> None:
        super().__init__()
        self._incidents = incidents
        self.poller = poller
        self.settings = settings
        self.hands = hands
        self.guests = guests
        self.look = look or Look()
        self.frame: Frame | None = None
        self.failure: BaseException | None = None
        self.notice = ""
        self.theme_name = theme
        self._open_first = tuple(open_processes)
        self._overview = OverviewScreen(view, settings.mode)
        self._save = save
        self._question: Question | None = None
        self._notice_timer: Timer | None = None
        self._fields: frozenset[str] = frozenset()

    # ---- frames ------------------------------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[None]:
        """Begin with the overview: no blank screen is ever composed."""
        return self._overview

    def on_mount(self) -> None:
        """Ask for frames; end in order when the system asks to, so that the terminal is given back."""
        self._apply_theme()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            with suppress(ValueError, RuntimeError):  # not in the main thread: somebody else's program
                loop.add_signal_handler(number, self.exit)
        self.poller.connect(
            lambda frame: self.post_message(FrameReady(frame)),
            lambda error: self.post_message(PollerFailed(error)),
        )
        for process in reversed(self._open_first):
            self.open_pid(process)

    def on_frame_ready(self, message: FrameReady) -> None:
        """Hand the frame to the screen on top; one that is covered takes the latest when it is back."""
        before = self.frame
        self.frame = message.frame
        if message.frame.bells > (0 if before is None else before.bells):
            self.bell()
        news = newest_grave(before.events if before is not None else (), message.frame.events)
        if news is not None and not self.notice:
            self.say(f"{news.text}  (l: log)")
        else:
            self._draw()

    def on_poller_failed(self, message: PollerFailed) -> None:
        """End, and let the caller raise it: a screen that stands still on old numbers is the worst lie."""
        self.failure = message.error
        self.exit(return_code=1)

    def _draw(self) -> None:
        screen = self.screen
        if isinstance(screen, FrameScreen):
            screen.draw()

    def on_unmount(self) -> None:
        """Let go of the driver."""
        self.poller.stop()

    @property
    def paused(self) -> bool:
        """Whether frames stand still because the user wants it."""
        return self.poller.paused

    def watch_fields(self, fields: Iterable[str]) -> None:
        """Have costly counters read from the next step on, and no others."""
        wanted = frozenset(fields)
        if wanted != self._fields and self.poller.monitor is not None:
            self._fields = wanted
            self.poller.monitor.watch(wanted)

    def watch_processes(self, keys: Sequence[ProcessKey]) -> None:
        """Have the histories of these processes in the frames."""
        if self.poller.monitor is not None:
            self.poller.monitor.watch_process(keys)
            self.poller.poke()

    # ---- words -------------------------------------------------------------------------------------------------

    def say(self, text: str) -> None:
        """Show a sentence in the status line for a while; a question that it takes the place of is dropped."""
        self._show_notice(text, None)

    def ask(self, question: str, do: Callable[[], None], dropped: str) -> None:
        """Ask in the status line; `do` is done on yes, `dropped` is said otherwise."""
        self._show_notice(question, (do, dropped))

    def confirm_question(self) -> None:
        """Do what was asked about."""
        if self._question is not None:
            do, _ = self._question
            self._show_notice("", None)
            do()
            self.poller.poke()

    def cancel_question(self) -> bool:
        """Drop the question; True when there was one."""
        if self._question is None:
            return False
        self.say(self._question[1])
        return True

    def _show_notice(self, text: str, question: Question | None) -> None:
        """Show a sentence; a question stays until it is answered, and is only valid while it can be read."""
        self.notice, self._question = text, question
        if self._notice_timer is not None:
            self._notice_timer.stop()
        brief = text and question is None
        self._notice_timer = self.set_timer(NOTICE_S, self._silence) if brief else None
        self._draw()

    def _silence(self) -> None:
        self.notice = ""
        self._draw()

    # ---- actions -----------------------------------------------------------------------------------------------

    def action_help(self) -> None:
        """Show keys and marks."""
        from dstop.ui.screens.help import HelpScreen  # noqa: PLC0415 - only when it is wanted

        self.push_screen(HelpScreen())

    def action_events(self) -> None:
        """Show the event log."""
        from dstop.ui.screens.events import EventScreen  # noqa: PLC0415

        self.push_screen(EventScreen())

    def action_findings(self) -> None:
        """Show what the live rules have found."""
        from dstop.ui.screens.findings import FindingsScreen  # noqa: PLC0415

        self.push_screen(FindingsScreen())

    def action_doctor(self) -> None:
        """Show past crashes, to be diagnosed."""
        from dstop.ui.screens.doctor import DoctorScreen  # noqa: PLC0415

        self.push_screen(DoctorScreen() if self._incidents is None else DoctorScreen(self._incidents))

    def open_process(self, process: GpuProcess, *, environment_first: bool = False) -> None:
        """Show one process."""
        from dstop.ui.screens.process import ProcessScreen  # noqa: PLC0415

        self.push_screen(ProcessScreen(process, environment_first=environment_first))

    def open_pid(self, process: ProcessId) -> None:
        """Show one process, whether or not the sample has a row of it."""
        from dstop.ui.screens.process import ProcessScreen  # noqa: PLC0415

        self.push_screen(ProcessScreen(process))

    def open_gpu(self, index: int) -> None:
        """Show one card."""
        from dstop.ui.screens.gpu import GpuScreen  # noqa: PLC0415

        self.watch_fields(("pcie", "nvlink", "activity"))
        self.push_screen(GpuScreen(index))

    def action_pause(self) -> None:
        """Stand still, or go on."""
        self.poller.paused = not self.poller.paused
        self.poller.poke()
        self.say("")

    def action_read_now(self) -> None:
        """Read at once."""
        self.poller.poke()

    def read_now(self) -> None:
        """Have a new frame at once."""
        self.poller.poke()

    def action_draw_again(self) -> None:
        """Repaint everything, for a terminal that something else has written to."""
        self.refresh(repaint=True, layout=True)
        self.screen.refresh(repaint=True, layout=True)

    def action_interval(self, factor: float) -> None:
        """Read less or more often."""
        seconds = max(LEAST_INTERVAL_S, min(MOST_INTERVAL_S, self.poller.interval_s * factor))
        self.poller.interval_s = seconds
        if self.poller.monitor is not None:
            self.poller.monitor.interval_s = seconds
        self.poller.poke()
        self.say(f"every {seconds:g} s")

    def action_next_theme(self) -> None:
        """Go to the next theme."""
        self.set_theme(THEMES[(THEMES.index(self.theme_name) + 1) % len(THEMES)])

    def set_theme(self, name: str) -> None:
        """Use this theme from now on."""
        self.theme_name = name
        self._apply_theme()
        self.say(f"theme {name} (W saves it)")

    def _apply_theme(self) -> None:
        self.theme = "textual-light" if self.theme_name == "light" else "textual-dark"
        for screen in self.screen_stack:
            if isinstance(screen, FrameScreen):
                screen.canvas.look(self.theme_name, ascii_only=self.settings.ascii)

    def action_save(self) -> None:
        """Write the settings to the configuration file."""
        if self._save is None:
            self.say("settings are not saved here")
            return
        try:
            self._save(self.current_settings())
        except DstopError as error:
            self.say(str(error))
        else:
            self.say("settings saved")

    def current_settings(self) -> Settings:
        """The settings as they are now on the screen."""
        from dstop.ui.saving import settings_now  # noqa: PLC0415

        chosen = settings_now(self.settings, self._overview)
        return replace(chosen, theme=self.theme_name, interval_s=self.poller.interval_s)

    # ---- signals -----------------------------------------------------------------------------------------------

    def choose_signal(self, processes: tuple[GpuProcess, ...]) -> None:
        """Show which signals there are."""
        from dstop.ui.screens.signal import SignalScreen  # noqa: PLC0415

        if self._may_signal(processes):
            self.push_screen(SignalScreen(processes))

    def ask_signal(self, name: str, processes: tuple[GpuProcess, ...]) -> None:
        """Ask before anything is sent; the answer is y or n."""
        if not self._may_signal(processes):
            return
        hands = self.hands
        if hands is not None:
            self.ask(
                signal_question(name, processes),
                lambda: self.say(send(hands, name, processes)),
                "nothing was sent",
            )

    def _may_signal(self, processes: tuple[GpuProcess, ...]) -> bool:
        if self.settings.readonly:
            self.say("read-only: no signals are sent (started with --readonly)")
        elif self.hands is None:
            self.say("there are no processes behind this source")
        elif not processes:
            self.say("no process under the cursor")
        else:
            return True
        return False

    # ---- the command palette -----------------------------------------------------------------------------------

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Offer every action by its name."""
        del screen
        return commands(self, self._overview)
