"""The alert rules: Prometheus takes them, and each fires on its example and not on its near miss."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from dstop.doctor.rules import RULES
from dstop.export.dashboards import RULES as RULES_FILE
from dstop.export.dashboards import read
from dstop.export.metrics.names import BY_NAME

HERE = Path(__file__).parent
TEXT = read(RULES_FILE)
ALERTS = re.findall(r"^ +- alert: (\w+)$", TEXT, re.MULTILINE)


def promtool(*words, cwd):
    """Run promtool, or skip where it is not."""
    program = shutil.which("promtool")
    if program is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    said = subprocess.run([program, *words], cwd=cwd, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
    return said.stdout


def test_prometheus_takes_them(tmp_path):
    """`promtool check rules` passes, and counts all of them."""
    (tmp_path / RULES_FILE).write_text(TEXT)
    assert f"{len(ALERTS)} rules found" in promtool("check", "rules", RULES_FILE, cwd=tmp_path)


def test_each_fires_on_its_example_alone(tmp_path):
    """`promtool test rules`: what fires, and near misses that do not. The sentences are left out of the comparison."""
    bare = re.sub(r"^ +annotations:\n(?: {10}.*\n)+", "", TEXT, flags=re.MULTILINE)
    assert "summary" not in bare
    (tmp_path / RULES_FILE).write_text(bare)
    shutil.copy(HERE / "dstop.rules.test.yml", tmp_path)
    promtool("test", "rules", "dstop.rules.test.yml", cwd=tmp_path)


@pytest.mark.parametrize("alert", ALERTS)
def test_no_alert_is_without_an_example(alert):
    """A rule that no test has seen fire may never fire."""
    tested = (HERE / "dstop.rules.test.yml").read_text()
    part = tested.split(f"alertname: {alert}\n")[1:]
    assert any("exp_labels" in each.split("alertname:")[0] for each in part)


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_speaks_of_what_there_is(alert):
    """Its metrics are in the table, the labels that it prints are theirs, the page it names is one of the doctor's."""
    block = TEXT.split(f"- alert: {alert}\n")[1].split("- alert: ")[0].split("\n  - name:")[0]
    expression = block.split("expr:")[1].split("\n        labels:")[0]
    names = set(re.findall(r"\bdstop_\w+", expression))
    assert names <= set(BY_NAME)
    labels = {"instance", "job"}.union(*(BY_NAME[name].labels for name in names))
    assert set(re.findall(r"\$labels\.(\w+)", block)) <= labels
    assert set(re.findall(r'\b(\w+)(?:=|=~|!=|!~)"', expression)) <= labels
    rules = {each.id for each in RULES}
    assert set(re.findall(r"DS\d{3}", block)) <= rules
    assert "summary:" in block
    assert "description:" in block
    assert re.search(r"severity: (critical|warning|info)\n", block)
