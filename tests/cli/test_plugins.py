"""`dstop plugins`, and what the hooks of plugins do to the verbs they are for."""

from __future__ import annotations

import json
import sys

import pytest

_LAB = """
import pluggy
from dstop.doctor.rule import SAYS_SO, Assessment, Rule
from dstop.footprint.architecture.families.llama import read
from dstop.model.evidence import Evidence
mark = pluggy.HookimplMarker("dstop")

@mark
def labels(environ):
    return {"lab": "vision"}

@mark
def figures(process):
    return {"kv_cache_pct": 12.5, "requests_waiting": "it does not say", "Bad Name": 1, "nan_pct": float("nan")}

@mark
def evidence(lines):
    return [(number, "lab.flood", {"litres": 40}) for number, line in enumerate(lines) if "water" in line]

def examine(case):
    sign = case.first("lab.flood")
    return sign and Assessment(strength=SAYS_SO, at=sign.place,
        evidence=(Evidence(source=str(sign.place), says=sign.text, value=sign.number("litres")),))

@mark
def rules():
    page = "The lab is under water\\n\\nWhat it means\\n    Run."
    return [Rule(id="LB910", name="flood", cause="flood", title="The lab is under water", page=page, examine=examine),
            Rule(id="DS910", name="thief", cause="x", title="x", page="x"), "no rule"]

@mark
def models():
    return {"labformer": lambda fields, family: read(fields, "llama")}
"""


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Give a function that installs a module as a plugin, as pip would."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def put(name, code):
        (site / f"{name}.py").write_text(code)
        info = site / f"{name}-1.5.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n")
        (info / "entry_points.txt").write_text(f"[dstop]\n{name.removeprefix('plugin_of_')} = {name}\n")
        # What was known of this path is of before it was installed.
        monkeypatch.syspath_prepend(str(tmp_path / name))

    yield put
    for name in [name for name in sys.modules if name.startswith("plugin_of_")]:
        del sys.modules[name]


def test_without_plugins_it_says_how_to_begin(dstop):
    """An empty list names the way to a first one; JSON has an empty list."""
    said = dstop("plugins")
    assert (said.code, said.out.count("\n")) == (0, 1)
    assert "dstop plugins --new" in said.out
    assert json.loads(dstop("plugins", "--json").out) == {"schema": 1, "plugins": [], "notices": []}


def test_all_are_listed_with_what_they_add_and_why_one_is_not_used(dstop, install):
    """Name, package, version, hooks; a broken one with its reason; rules that are none by their fault."""
    install("plugin_of_lab", _LAB)
    install("plugin_of_bad", "raise SystemExit('no licence')")
    listed = json.loads(dstop("plugins", "--json").out)
    bad, lab = listed["plugins"]
    assert bad == {
        "name": "bad",
        "package": "plugin_of_bad",
        "version": "1.5",
        "hooks": [],
        "used": False,
        "trouble": "SystemExit: no licence",
    }
    assert (lab["used"], lab["hooks"]) == (True, ["labels", "figures", "rules", "evidence", "models"])
    assert len(listed["notices"]) == 2
    assert "DS910" in listed["notices"][0]
    text = dstop("plugins").out
    assert "bad  plugin_of_bad 1.5  not used: SystemExit: no licence\n" in text


def test_a_rule_of_a_plugin_explains_a_crash(dstop, install, tmp_path):
    """What its reader finds in a log, its rule explains, first of all; `dstop explain` prints its page."""
    install("plugin_of_lab", _LAB)
    log = tmp_path / "crash.log"
    log.write_text("step 1\nwater in the server room\n")
    said = dstop("doctor", str(log), "--json")
    assert said.code == 3
    first = json.loads(said.out)["diagnoses"][0]
    assert (first["rule"], first["cause"], first["evidence"][0]["value"]) == ("LB910", "flood", 40)
    assert "The lab is under water" in dstop("explain", "lb910").out
    assert "LB910" in dstop("explain").out
    assert "LB910" not in dstop("explain", "--markdown").out


@pytest.mark.parametrize(
    ("body", "words"),
    [("raise ZeroDivisionError('x')", "ZeroDivisionError"), ("return 7", "no Assessment")],
    ids=["raises", "answers-nonsense"],
)
def test_a_rule_that_fails_is_named_and_stops_no_other(dstop, install, tmp_path, body, words):
    """The doctor's own diagnosis stands, and a note says which rule of which plugin was left out."""
    install("plugin_of_lab", _LAB.replace('sign = case.first("lab.flood")', body))
    log = tmp_path / "crash.log"
    log.write_text(
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of "
        "79.15 GiB of which 10.25 MiB is free. Of the allocated memory 77.00 GiB is allocated by PyTorch, and "
        "1.00 GiB is reserved by PyTorch but unallocated.\n"
    )
    report = json.loads(dstop("doctor", str(log), "--json").out)
    assert report["diagnoses"]
    assert any("rule LB910 is left out" in note and words in note for note in report["notes"])


def test_labels_and_figures_stand_on_the_row(dstop, machine, install):
    """One sample on paper waits for the figures; a figure without a value has its reason, a bad name is dropped."""
    from dstop.testing import make_process, make_sample

    install("plugin_of_lab", _LAB)
    machine(make_sample(1, 0, processes=(make_process(0, 7),)))
    (row,) = json.loads(dstop("--json").out)["processes"]
    assert row["labels"] == {"lab": "vision"}
    assert row["figures"] == {
        "kv_cache_pct": 12.5,
        "requests_waiting": None,
        "nan_pct": None,
        "unavailable": {"requests_waiting": "it does not say", "nan_pct": "not a number"},
    }


def test_a_model_of_a_plugin_can_be_planned(dstop, install, tmp_path):
    """A family that dstop has no reader for is read by a plugin's; without it, it is refused by name."""
    config = {
        "model_type": "labformer",
        "hidden_size": 1024,
        "num_hidden_layers": 4,
        "num_attention_heads": 16,
        "num_key_value_heads": 4,
        "intermediate_size": 4096,
        "vocab_size": 32000,
        "max_position_embeddings": 4096,
    }
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    refused = dstop("plan", str(path), "--json")
    assert refused.code == 2
    assert "labformer" in refused.err
    install("plugin_of_lab", _LAB)
    said = dstop("plan", str(path), "--json")
    assert said.err == ""
    planned = json.loads(said.out)
    # Two embeddings of 32000 x 1024, four layers of attention (2.5 x 1024^2) and three matrices of 4 x 1024^2, norms.
    assert planned["parameters"]["total"] == 2 * 32000 * 1024 + 4 * (2.5 + 12) * 2**20 + 9 * 1024
