"""The screen of a fleet: its tables, a host close up, any size, and a server that stops answering."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from test_sizes import is_whole

from dstop.draw.line import plain
from dstop.errors import SourceError
from dstop.model.finding import Severity
from dstop.model.fleet import Fleet, FleetFinding, FleetGpu, FleetHost, FleetProcess
from dstop.settings import Settings
from dstop.ui.fleet_live import FleetApp
from dstop.ui.screens.fleet_host import FleetHostScreen
from dstop.view.fleet import FleetView

GIB = 2**30
NOW_NS = 1_700_000_000 * 10**9


def card(host, gpu, used, **more):
    """Give a card of 80 GiB."""
    more = {"utilization_gpu_pct": 50, "power_mw": 300_000, "temperature_c": 60, **more}
    free = (80 - used) * GIB
    return FleetGpu(
        host=host,
        gpu=str(gpu),
        memory_used_bytes=used * GIB,
        memory_free_bytes=free,
        exporters=("dstop",),
        **more,
    )


def fleet_of(hosts=3):
    """Give a fleet whose second host has the fullest card, and whose job has an odd rank."""
    found = []
    for at in range(hosts):
        name = f"node-{at}"
        gpus = tuple(card(name, gpu, 79 if (at, gpu) == (1, 2) else 20 + gpu) for gpu in range(4))
        rows = tuple(
            FleetProcess(
                host=name,
                gpu=str(gpu),
                pid=str(100 + gpu),
                command="train.py",
                user="alice",
                job="run",
                rank=4 * at + gpu,
                gpu_memory_bytes=(78 if (at, gpu) == (1, 2) else 20) * GIB,
            )
            for gpu in range(4)
        )
        found.append(FleetHost(name=name, exporters=("dstop",), gpus=gpus, processes=rows))
    lost = FleetFinding(
        host="node-0", gpu="1", severity=Severity.WARNING, says="memory leak", rule="DS301", badge="DS301"
    )
    return Fleet(taken_at_ns=NOW_NS, server="http://p", hosts=tuple(found), findings=(lost,), series=9)


class Server:
    """Gives what it is told to give."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def __call__(self):
        """Give the next answer, the last again and again."""
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Stage:
    """The app with what it shows as text."""

    def __init__(self, app, pilot):
        self.app, self.pilot = app, pilot

    async def until_read(self):
        """Wait for the answer that is under way."""
        for _ in range(500):
            await self.pilot.pause(0.01)
            if not self.app.fleet.waiting:
                return
        raise AssertionError("it still waits")

    async def press(self, *keys):
        """Press keys and let them be drawn."""
        await self.pilot.press(*keys)
        await self.pilot.pause()

    def text(self):
        """Give the lines on the screen."""
        return "\n".join(plain(line) for line in self.app.screen.canvas._lines)


@asynccontextmanager
async def stage(*answers, size=(120, 30), **how):
    """Run the app over these answers."""
    read = Server(*(answers or (fleet_of(),)))
    app = FleetApp(read, "http://p", FleetView(), Settings(), theme="dark", interval_s=3600, **how)
    async with app.run_test(size=size) as pilot:
        found = Stage(app, pilot)
        await found.until_read()
        await pilot.pause()
        yield found


async def test_the_fullest_card_is_first():
    """What the screen is for."""
    async with stage() as on:
        lines = on.text().splitlines()
        assert "3 hosts  12 GPUs" in lines[0]
        row = next(line for line in lines[2:] if "node-" in line)
        assert row.startswith("node-1")
        assert " 99 " in row


async def test_every_table_has_its_rows():
    """Tab goes through cards, hosts, jobs and findings; the odd rank is marked."""
    async with stage() as on:
        await on.press("tab")
        assert "WORST" in on.text()
        await on.press("tab")
        assert "run  12 ranks on 3 hosts" in on.text()
        assert "*    6 node-1 GPU 2" in on.text()
        await on.press("4")
        assert "58.0G above the median of its peers" in on.text()
        await on.press("tab")
        assert on.app.fleet.show_at == 0


async def test_a_host_close_up_and_back():
    """Enter opens the host of the row; Esc comes back."""
    async with stage() as on:
        await on.press("enter")
        assert isinstance(on.app.screen, FleetHostScreen)
        assert "train.py" in on.text()
        assert "RANK" in on.text()
        await on.press("escape")
        assert "12 GPUs" in on.text()


async def test_it_can_begin_with_a_host():
    """--host."""
    async with stage(host="node-2") as on:
        assert isinstance(on.app.screen, FleetHostScreen)
        assert "node-2" in on.text()


async def test_the_filter_is_typed_and_forgotten():
    """Rows go while it is typed, and come back with Esc."""
    async with stage() as on:
        await on.press("slash", *"node-2", "enter")
        assert "node-1" not in on.text()
        assert "1 of 4" in on.text()
        await on.press("slash", *" mem>", "enter")
        assert "is no bound" in on.text()
        await on.press("escape")
        assert "1 of 12" in on.text()


async def test_orders():
    """S goes through them, r turns them round."""
    async with stage() as on:
        before = on.text()
        await on.press("s", "r")
        assert on.app.fleet.view.sort == "mem"
        assert on.app.fleet.view.reverse
        assert on.text() != before


async def test_a_server_that_is_down_at_first():
    """The reason and the next step instead of figures, until there are some."""
    async with stage(SourceError("the server cannot be reached", fix="check --prometheus"), fleet_of()) as on:
        assert "cannot be reached" in on.text()
        assert "check --prometheus" in on.text()
        await on.press("f5")
        await on.until_read()
        await on.pilot.pause()
        assert "12 GPUs" in on.text()


async def test_a_server_that_goes_leaves_figures_with_their_age():
    """What was read last stays, and it is said how old it is and why; so on the host's screen."""
    async with stage(fleet_of(), SourceError("the server answers 500")) as on:
        await on.press("f5")
        await on.until_read()
        await on.pilot.pause()
        assert "old: the server answers 500" in on.text()
        assert "12 GPUs" in on.text()
        await on.press("enter")
        assert "old: the server answers 500" in on.text()


async def test_an_empty_fleet_says_what_must_be_scraped():
    """A server without GPUs is no error, and no blank screen."""
    async with stage(Fleet(taken_at_ns=NOW_NS, server="http://p")) as on:
        assert "dcgm-exporter" in on.text()
        await on.press("enter", "end", "s", "tab", "enter", "tab", "down", "tab", "up")
        assert is_whole(on)


@pytest.mark.parametrize("size", [(80, 24), (200, 60), (40, 8), (20, 3)])
async def test_any_size_is_whole(size):
    """Every cell is drawn on every table, and on a host."""
    async with stage(size=size) as on:
        for key in ("1", "2", "3", "4", "enter"):
            await on.press(key)
            assert is_whole(on)
