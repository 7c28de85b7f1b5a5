"""What models should hold, by way of the command line: the demo's own, a tier, and the configuration file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from dstop.testing import make_process, make_sample
from dstop.units import GIB


def _rows(said):
    assert (said.code, said.err) == (0, "")
    return json.loads(said.out)["processes"]


def test_the_demo_knows_its_models_and_says_of_the_rest_why_not(dstop):
    """Ranks by their hook, the engine by its server's command line, a notebook by nothing; all of it is simulated."""
    said = dstop("demo", "--once", "--json")
    by_name = {row["command"]: row for row in _rows(said)}
    assert json.loads(said.out)["simulated"]
    assert by_name["train.py"]["footprint"]["sources"]["model"] == "hook"
    engine = by_name["VLLM::EngineCore"]["footprint"]
    assert (engine["sources"]["model"], engine["sources"]["gpu_memory_utilization"]) == (
        "catalog",
        "command line",
    )
    assert engine["verdict"] == "within"
    assert by_name["ipykernel_launcher"]["footprint"] is None
    assert by_name["ipykernel_launcher"]["unavailable"]["footprint"]


def test_a_tier_is_for_models_that_nothing_else_tells(dstop):
    """The notebook gets the guide's range; ranks and engine keep what is known of them."""
    by_name = {row["command"]: row for row in _rows(dstop("demo", "--once", "--json", "--tier", "pro"))}
    assert by_name["ipykernel_launcher"]["footprint"]["model"] == "DeepSeek-Pro"
    assert by_name["train.py"]["footprint"]["model"] == "DeepSeek-V2-Lite"


def test_a_misspelt_tier_is_refused_before_anything_is_shown(dstop):
    """One line, exit 2, with the tiers that there are."""
    said = dstop("demo", "--once", "--tier", "deepseek-prp")
    assert (said.code, said.out) == (2, "")
    assert "DeepSeek-Pro" in said.err
    assert said.err.count("\n") == 1


def test_the_configuration_file_says_what_a_script_is(dstop, machine, tmp_path):
    """An entry that fits the command line gives the model, and the fields that it names."""
    path = tmp_path / "c.toml"
    path.write_text(
        '[[footprint]]\nmatch = "mine.py"\nmodel = "meta-llama/Llama-3.1-8B"\nphase = "inference"\nbatch = 1\n'
        "sequence = 2048\n"
    )
    row = make_process(gpu_memory_bytes=20 * GIB, cmdline=("python", "mine.py"), model=None, pid=2**22 - 1)
    machine(make_sample(1, 0, processes=(row,)))
    (told,) = _rows(dstop("--once", "--json", "--config", str(path)))
    assert told["footprint"]["model"] == "Llama-3.1-8B"
    assert told["footprint"]["sources"]["sequence"] == "user"


@pytest.mark.parametrize("face", [["--json"], ["--csv=processes"], []], ids=["json", "csv", "text"])
def test_every_face_has_what_is_expected(dstop, face):
    """As an object, as columns, and as a column of the table."""
    said = dstop("demo", "--once", *face)
    assert said.code == 0
    assert any(word in said.out for word in ("expected_bytes", "EXPECT"))


def test_a_machine_without_models_imports_none_of_the_arithmetic():
    """Start-up time is a feature: dstop.footprint comes with the first process that names a model."""
    program = """
import sys
from dstop.monitor import Monitor
from dstop.monitor.expectations import Expectations
from dstop.testing import FakeSource, make_process, make_sample
row = make_process(cmdline=("sleep", "9"), model=None, framework=None)
monitor = Monitor(FakeSource([make_sample(1, 0, processes=(row,))]), interval_s=1, expectations=Expectations())
monitor.step()
import dstop.cli.program, dstop.cli.watching, dstop.draw.once, dstop.export.json
print([name for name in sys.modules if name.startswith(("dstop.footprint", "tomllib"))])
"""
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout == "[]\n"
