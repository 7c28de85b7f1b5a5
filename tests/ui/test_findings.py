"""The screens of the doctor: what is wrong now, and what crashes left."""

from __future__ import annotations

from pathlib import Path

import pytest
from incidents import demo_incidents
from stage import Scene, playing

from dstop.pytorch.incident.place import incident_name
from dstop.pytorch.incident.write import write_incident
from dstop.ui.past import diagnosed, incidents_here, runs_of
from dstop.ui.screens.doctor import DiagnosisScreen, DoctorScreen
from dstop.ui.screens.findings import FindingScreen, FindingsScreen
from dstop.ui.screens.gpu import GpuScreen

LEAKING = Scene(at_s=118.0, past_s=110)
SIZES = [(80, 24), (200, 60), (40, 12)]


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_the_findings_are_listed_and_opened(size):
    """F lists them, the worst first; Enter shows the proof, the fixes and the page of the rule."""
    async with playing(LEAKING, size=size) as (stage, pilot):
        await pilot.press("F")
        lines = stage.lines()
        assert "findings, the worst first" in lines[0]
        assert "LEAK" in lines[1]
        await pilot.press("enter")
        await stage.read_to_the_end(pilot)
        assert isinstance(stage.app.screen, FindingScreen)
        assert "DS301 leak" in stage.lines()[0]
        await pilot.press("end")
        assert "from then on" in stage.text()
        await pilot.press("escape")
        assert isinstance(stage.app.screen, FindingsScreen)
        await pilot.press("F")
        assert stage.app.screen is stage.overview


async def test_a_fix_is_copied():
    """The key y copies the first line to paste, a digit that of its fix; one without a line says so."""
    async with playing(LEAKING, size=(120, 40)) as (stage, pilot):
        await pilot.press("F", "enter")
        await stage.read_to_the_end(pilot)
        await pilot.press("y")
        assert stage.app.clipboard == "total_loss += loss.item()"
        assert "copied: total_loss += loss.item()" in stage.text()
        await pilot.press("3")
        assert stage.app.clipboard == "gc.collect(); torch.cuda.empty_cache()"
        await pilot.press("2")
        assert "no line to paste" in stage.text()
        await pilot.press("9")
        assert "there are 4 fixes" in stage.text()
        await pilot.press("g")
        assert isinstance(stage.app.screen, GpuScreen)
        assert stage.app.screen.index == 3


async def test_the_cursor_stays_on_its_finding():
    """Others come above it while one reads."""
    async with playing(Scene(at_s=60.0, past_s=55), size=(120, 40)) as (stage, pilot):
        await pilot.press("F", "end")
        before = stage.app.screen.findings[stage.app.screen.cursor]
        count = len(stage.app.screen.findings)
        await stage.step(pilot, 45)
        screen = stage.app.screen
        assert len(screen.findings) > count
        assert screen.findings[screen.cursor].rule == before.rule


async def test_a_finding_that_is_over_stays_readable():
    """It says that it is over; its fixes can still be copied."""
    async with playing(Scene(at_s=149.0), size=(120, 40)) as (stage, pilot):
        await pilot.press("F")
        screen = stage.app.screen
        while screen.findings[screen.cursor].rule != "DS301":
            await pilot.press("down")
        await pilot.press("enter")
        await stage.step(pilot, 6)
        assert "it is over" in stage.lines()[0]
        await pilot.press("y")
        assert "copied" in stage.text()


async def test_without_a_finding_the_screen_says_what_that_means():
    """An empty list is no blank screen, and Enter does nothing."""
    async with playing(Scene(gpus=1, past_s=2), size=(120, 24)) as (stage, pilot):
        await stage.give(pilot, type(stage.app.frame)(sample=stage.app.frame.sample))
        await pilot.press("F", "enter", "down", "end")
        assert "nothing is found" in stage.text()
        assert isinstance(stage.app.screen, FindingsScreen)


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_a_crash_is_diagnosed(size):
    """The key d lists what crashes left, newest first; Enter says what happened, with figures and a fix to copy."""
    async with playing(Scene(past_s=2), size=size, incidents=demo_incidents) as (stage, pilot):
        await pilot.press("d")
        await stage.read_to_the_end(pilot)
        assert "2 past crashes" in stage.lines()[0]
        assert "out of memory" in stage.lines()[1]
        await pilot.press("enter")
        await stage.read_to_the_end(pilot)
        assert isinstance(stage.app.screen, DiagnosisScreen)
        text = stage.text()
        for _ in range(12):
            await pilot.press("pagedown")
            text += stage.text()
        assert "1.50 GiB was asked for" in text
        assert "live tensors" in text
        await pilot.press("y")
        assert "copied" in stage.text()
        await pilot.press("escape", "d")
        assert stage.app.screen is stage.overview


async def test_a_machine_without_a_crash_says_how_one_would_be_kept():
    """Enter does nothing there, r looks again."""
    found = []
    async with playing(Scene(past_s=2), size=(120, 24), incidents=lambda: found) as (stage, pilot):
        await pilot.press("d")
        await stage.read_to_the_end(pilot)
        await pilot.press("enter", "y")
        assert isinstance(stage.app.screen, DoctorScreen)
        assert "none is left here" in stage.text()
        found.extend(demo_incidents())
        await pilot.press("r")
        await pilot.pause()
        await stage.read_to_the_end(pilot)
        assert "killed by SIGKILL" in stage.text()


async def test_the_palette_knows_both_screens():
    """Findings and doctor can be found by name."""
    async with playing(Scene(past_s=2)) as (stage, pilot):
        await pilot.pause()
        titles = {command.title for command in stage.app.get_system_commands(stage.app.screen)}
        assert {"Findings", "Doctor"} <= titles


def test_incidents_are_found_where_hooks_put_them(tmp_path, monkeypatch):
    """In every place, each once; those of one run together, oldest first, the newest run first."""
    monkeypatch.setenv("DSTOP_INCIDENTS", str(tmp_path / "a"))
    monkeypatch.setenv("DSTOP_DIR", str(tmp_path / "b"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "c"))
    for number, (place, run) in enumerate([("a", "one"), ("b/incidents", "two"), ("a", "two"), ("a", None)]):
        at_ns = (1_775_000_000 + number) * 10**9
        (tmp_path / place).mkdir(parents=True, exist_ok=True)
        facts = {"schema": 1, "at_ns": at_ns, **({} if run is None else {"run": run})}
        write_incident(tmp_path / place, incident_name(at_ns, 7, "exit"), facts, {})
    found = [one for one in incidents_here() if one.directory.is_relative_to(tmp_path)]
    assert len(found) == 4
    runs = runs_of(found)
    assert [len(run) for run in runs] == [1, 2, 1]
    assert [one.at_ns for one in runs[1]] == sorted(one.at_ns for one in runs[1])


def test_what_the_doctor_says_of_a_run_is_its_report():
    """The screen and the verb say the same."""
    (run, killed) = runs_of(demo_incidents())
    assert diagnosed(run).diagnoses[0].balance.short_bytes == 1536 * 2**20 - 12 * 2**20
    assert diagnosed(killed).diagnoses[0].cause == "host_ram_oom"
    assert {Path(one.directory).name for one in run} == {one.name for one in run}
