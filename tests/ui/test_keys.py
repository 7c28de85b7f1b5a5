"""Every key of the first screen does what the help says."""

from __future__ import annotations

import asyncio
import signal

import pytest
from stage import Scene, playing
from textual.binding import Binding
from twins import RecordingHands

from dstop.ui.app import DstopApp
from dstop.ui.keys import OVERVIEW_BINDINGS
from dstop.ui.screens.doctor import DoctorScreen
from dstop.ui.screens.events import EventScreen
from dstop.ui.screens.findings import FindingsScreen
from dstop.ui.screens.gpu import GpuScreen
from dstop.ui.screens.help import HelpScreen
from dstop.ui.screens.overview import SHIFT
from dstop.ui.screens.process import ProcessScreen
from dstop.ui.screens.signal import SignalScreen
from dstop.view.rows import ProcessRow

SIZE = (80, 18)
"""So low that the table does not show all of its rows."""


def _user(row):
    return row.process.facts.user if isinstance(row, ProcessRow) else None


def _on(screen):
    return lambda stage: type(stage.app.screen) is screen


def _view(**wanted):
    return lambda stage: all(getattr(stage.overview.view, name) == value for name, value in wanted.items())


def _state(**wanted):
    return lambda stage: all(getattr(stage.overview.state, name) == value for name, value in wanted.items())


def _index(at):
    return lambda stage: stage.overview.selection.index == at(stage.overview)


def _says(words):
    return lambda stage: words in stage.text()


DOES = {
    "move(-1)": (("down", "down"), _index(lambda _: 1)),
    "move(1)": ((), _index(lambda _: 1)),
    "page(-1)": (
        ("end",),
        _index(lambda overview: len(overview._rows) - overview._drawn.table_rows),
    ),
    "page(1)": ((), _index(lambda overview: overview._drawn.table_rows - 1)),
    "first": (("down", "down"), _index(lambda _: 0)),
    "last": ((), _index(lambda overview: len(overview._rows) - 1)),
    "shift(-1)": (("right", "right"), _state(shift=SHIFT)),
    "shift(1)": ((), _state(shift=SHIFT)),
    "tag": (
        (),
        lambda stage: len(stage.overview.selection.tags) == 1 and stage.overview.selection.index == 1,
    ),
    "clear": (("space", "space"), lambda stage: not stage.overview.selection.tags),
    "open": ((), _on(ProcessScreen)),
    "environment": ((), _says("WANDB_API_KEY=••• (redacted)")),
    "open_gpu": (("down",), lambda stage: _on(GpuScreen)(stage) and stage.app.screen.index == 1),
    "filter": ((), lambda stage: stage.app.focused is stage.overview._prompt is not None),
    "filter_user": (
        (),
        lambda stage: {_user(row) for row in stage.overview._rows} == {"deepa"},
    ),
    "tree": ((), _view(tree=True)),
    "group('user')": ((), _view(group="user")),
    "group('job')": ((), _view(group="job")),
    "fold": (
        ("U", "home"),
        lambda stage: stage.overview._rows[0].folded and stage.overview.selection.index == 0,
    ),
    "mode('auto')": (("f",), _state(mode="auto")),
    "mode('full')": ((), _state(mode="full")),
    "mode('compact')": ((), _state(mode="compact")),
    "counters": ((), lambda stage: stage.overview.counters and "counters" in stage.text()),
    "sort_next(-1)": ((), _view(sort="command")),
    "sort_next(1)": ((), _view(sort="pid")),
    "sort('mem')": ((), _view(sort="mem", reverse=False)),
    "sort('cpu')": (("P",), _view(sort="cpu", reverse=True)),
    "sort('pid')": ((), _view(sort="pid", reverse=False)),
    "sort('sm')": ((), _view(sort="sm", reverse=False)),
    "reverse": ((), _view(sort="gpu", reverse=True)),
    "ask_signal('SIGTERM')": ((), _says("send SIGTERM to 484586 train.py?  y: yes   n: no")),
    "ask_signal('SIGKILL')": ((), _says("send SIGKILL to 484586 train.py?  y: yes   n: no")),
    "ask_signal('SIGINT')": ((), _says("send SIGINT to 484586 train.py?  y: yes   n: no")),
    "choose_signal": ((), _on(SignalScreen)),
    "answer(True)": (("T",), lambda stage: [sent[2] for sent in stage.app.hands.sent] == [signal.SIGTERM]),
    "answer(False)": (("T",), lambda stage: "nothing was sent" in stage.text() and not stage.app.hands.sent),
    "focus_gpu(-1)": (("3",), _view(gpu_index=None)),
    **{f"focus_gpu({place})": ((), _view(gpu_index=place)) for place in range(8)},
    "focus_gpu(8)": ((), _says("there are 8 GPUs")),
}
APP_DOES = {
    "quit": ((), lambda stage: stage.app._exit),
    "help": ((), _on(HelpScreen)),
    "events": ((), _on(EventScreen)),
    "findings": ((), _on(FindingsScreen)),
    "doctor": ((), _on(DoctorScreen)),
    "pause": ((), lambda stage: stage.poller.paused and " paused " in stage.text()),
    "read_now": ((), lambda stage: stage.poller.pokes == 1),
    "draw_again": ((), _says("484586")),
    "suspend_process": ((), _says("484586")),
    "interval(2.0)": ((), lambda stage: stage.poller.interval_s == stage.monitor.interval_s == 2),
    "interval(0.5)": ((), lambda stage: stage.poller.interval_s == stage.monitor.interval_s == 0.5),
    "next_theme": ((), lambda stage: stage.app.theme_name == "light" and "theme light" in stage.text()),
    "save": ((), _says("settings saved")),
}


def _cases(bindings, does):
    for keys, action in bindings:
        for key in keys.split(","):
            yield pytest.param(key, *does[action], id=f"{key}: {action}")


APP_BINDINGS = [
    (binding.key, binding.action) for binding in DstopApp.BINDINGS if isinstance(binding, Binding)
]


def _saved(settings):
    assert settings.theme == "dark"


@pytest.mark.parametrize(
    ("key", "before", "holds"), [*_cases(OVERVIEW_BINDINGS, DOES), *_cases(APP_BINDINGS, APP_DOES)]
)
async def test_a_key_does_what_the_help_says(key, before, holds):
    """The key, from the first screen or after the keys it needs, has its effect."""
    async with playing(Scene(past_s=2), size=SIZE, hands=RecordingHands(), save=_saved) as (stage, pilot):
        await pilot.press(*before)
        held_before = not before and holds(stage) and key not in {"a", "ctrl+l", "ctrl+z"}
        await pilot.press(key)
        await stage.read_to_the_end(pilot)
        assert holds(stage)
        assert not held_before


@pytest.mark.parametrize("gone", [False, True], ids=["no processes", "no figures at all"])
async def test_no_key_fails_where_there_is_nothing(gone):
    """On a machine without a process, and before the first frame, every key is at worst without effect."""
    empty = Scene(past_s=2, gpus=1, at_s=180)
    async with playing(empty, size=SIZE, hands=None) as (stage, pilot):
        frame = stage.app.frame
        nothing = type(frame.sample)(taken_at_ns=frame.sample.taken_at_ns, host=frame.sample.host)
        stage.app.frame = None if gone else frame
        if not gone:
            await stage.give(pilot, type(frame)(sample=nothing))
        for keys, _ in [*OVERVIEW_BINDINGS, *(pair for pair in APP_BINDINGS if pair[1] != "quit")]:
            for key in keys.split(","):
                await pilot.press(key)
                while len(stage.app.screen_stack) > 1 or stage.overview._prompt is not None:
                    await pilot.press("escape")
                await asyncio.sleep(0)
        assert stage.app.is_running
        assert stage.app._exception is None


async def test_sorting_by_the_next_column_comes_round():
    """`>` walks through every order that the columns have and comes back to the first, at any width."""
    for width in (80, 120, 200):
        async with playing(Scene(past_s=2), size=(width, 30)) as (stage, pilot):
            orders = [stage.overview.view.sort]
            while len(orders) < 30:
                await pilot.press("greater_than_sign")
                if stage.overview.view.sort == orders[0]:
                    break
                orders.append(stage.overview.view.sort)
            assert sorted(orders) == sorted(
                {column.sort_key for column in stage.overview._drawn.columns if column.sort_key}
            )
