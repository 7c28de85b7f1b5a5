"""The dashboard: panels that do not overlap, queries that Prometheus can read, of figures that there are."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from dstop.export.dashboards import DASHBOARD, read
from dstop.export.metrics.names import BY_NAME

BOARD = json.loads(read(DASHBOARD))
PANELS = BOARD["panels"]
QUERIES = [target["expr"] for panel in PANELS for target in panel.get("targets", ())]
OTHERS = {"up", "scrape_duration_seconds"}
"""Series that Prometheus makes itself."""


def test_panels_have_names_and_do_not_overlap():
    """Every cell of the grid has one panel at most, and none is wider than the grid."""
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    taken = set()
    for panel in PANELS:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (place["x"] + across, place["y"] + down)
            for across in range(place["w"])
            for down in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["title"]


def test_queries_ask_for_what_the_exporter_has():
    """Names and labels are those of the table, and every query is bounded by job and host."""
    assert len(QUERIES) > 30
    for query in QUERIES:
        names = set(re.findall(r"\b(dstop_\w+|up|scrape_duration_seconds)(?=\{)", query))
        assert names, query
        assert names - OTHERS <= set(BY_NAME), query
        labels = {"job", "instance"}.union(*(BY_NAME[name].labels for name in names - OTHERS))
        for selector in re.findall(r"\{([^}]*)\}", query):
            assert set(re.findall(r"(\w+)(?:=~|!~|!=|=)", selector)) <= labels, query
            assert 'job="$job"' in selector, query
            assert 'instance=~"$instance"' in selector, query


def test_legends_name_labels_of_their_series():
    """`{{gpu}}` in a legend is a label that the series has."""
    for panel in PANELS:
        for target in panel.get("targets", ()):
            names = set(re.findall(r"\bdstop_\w+(?=\{)", target["expr"]))
            labels = {"job", "instance"}.union(*(BY_NAME[name].labels for name in names))
            assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels, target


def test_variables_are_defined():
    """What a query or a data source names is a variable of the dashboard, or Grafana's own."""
    known = {each["name"] for each in BOARD["templating"]["list"]} | {"__rate_interval"}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(PANELS))) <= known


def test_prometheus_can_read_every_query(tmp_path):
    """Each is a rule for promtool once Grafana has put its values in."""
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    lines = ["groups:", "- name: panels", "  rules:"]
    for number, query in enumerate(QUERIES):
        ready = query.replace("$__rate_interval", "1m").replace("$job", "dstop")
        ready = re.sub(r"\$(instance|gpu)", ".*", ready)
        lines += [f"  - record: panel:{number}", f"    expr: {json.dumps(ready)}"]
    (tmp_path / "panels.yml").write_text("\n".join(lines) + "\n")
    words = [promtool, "check", "rules", "panels.yml"]
    said = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stdout + said.stderr
