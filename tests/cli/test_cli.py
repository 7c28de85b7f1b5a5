"""Every option, every exit code, and no traceback."""

from __future__ import annotations

import csv
import io
import json

import pytest

from dstop import __version__
from dstop.errors import SourceError
from dstop.sources.demo.source import SIMULATED
from dstop.testing import make_gpu, make_sample

GONE = SourceError("the NVIDIA driver does not answer", fix="load the nvidia module")


def _json(said):
    assert said.code == 0, said.err
    return json.loads(said.out)


def _one_line(said, code, *words):
    assert (said.code, said.out) == (code, "")
    assert said.err.startswith("dstop: ")
    assert said.err.count("\n") == 1
    for word in words:
        assert word in said.err


def test_one_sample_as_text_without_a_terminal(dstop, machine):
    """Into a pipe, bare `dstop` prints one sample as plain text and stops."""
    source = machine(make_sample(2, 1))
    said = dstop()
    assert said.code == 0, said.err
    assert "H100" in said.out
    assert "\x1b" not in said.out
    assert (source.reads, source.closed, source.patience_s) == (1, True, 5.0)
    assert dstop("--once").out == dstop("-1").out != ""


def test_json_is_one_object_on_one_line(dstop, machine):
    """--json is one line that a program can read."""
    machine(make_sample(2, 3))
    said = dstop("--json")
    assert said.out.count("\n") == 1
    assert (len(_json(said)["gpus"]), len(_json(said)["processes"])) == (2, 6)


def test_json_with_an_interval_is_one_line_per_sample(dstop, machine):
    """With -i each line is a sample of its own, -n ends it."""
    machine(*[make_sample(1, 1, taken_at_ns=at) for at in (10, 20, 30, 40)])
    said = dstop("--json", "-i", "0.25", "-n", "3")
    assert [json.loads(line)["taken_at_ns"] for line in said.out.splitlines()] == [10, 20, 30]


def test_a_driver_that_goes_meanwhile_is_told_in_the_line(dstop, machine):
    """The lines go on with the cards, the problem and no old figure, and then with new ones."""
    machine(make_sample(1, 1, taken_at_ns=10), GONE, make_sample(1, 1, taken_at_ns=30))
    lines = [json.loads(line) for line in dstop("--json", "-i", "0.25", "-n", "3").out.splitlines()]
    assert [line["taken_at_ns"] for line in lines][::2] == [10, 30]
    assert lines[1]["taken_at_ns"] > 30
    assert [line["gpus"][0]["memory_used_bytes"] is None for line in lines] == [False, True, False]
    assert [len(line["processes"]) for line in lines] == [1, 0, 1]
    assert lines[1]["gpus"][0]["fault"] == lines[1]["gpus"][0]["unavailable"]["power_mw"] == GONE.message
    assert lines[1]["host_stats"]["cpu_count"] is None
    assert [line["problem"] and line["problem"]["message"] for line in lines] == [None, GONE.message, None]


def test_a_driver_that_goes_meanwhile_is_told_in_the_text(dstop, machine):
    """Old figures are printed under the reason that there are no new ones."""
    machine(make_sample(1, 1), GONE)
    said = dstop("--once", "-i", "0.25", "-n", "2")
    assert said.code == 0
    assert [GONE.message in line for line in said.out.splitlines()].count(True) == 1
    assert said.out.count("1×H100") == 2


def test_a_driver_that_goes_meanwhile_leaves_cells_empty(dstop, machine):
    """A spreadsheet gets no figure twice: the card's line has the reason, and there are no processes."""
    machine(make_sample(1, 1), GONE)
    rows = list(csv.DictReader(io.StringIO(dstop("--csv", "-i", "0.25", "-n", "2").out)))
    assert [row["fault"] for row in rows] == ["", GONE.message]
    assert [row["memory_used_bytes"] == "" for row in rows] == [False, True]
    machine(make_sample(1, 1), GONE)
    said = dstop("--csv=processes", "-i", "0.25", "-n", "2")
    assert len(list(csv.DictReader(io.StringIO(said.out)))) == 1


def test_csv_has_one_header_for_all_samples(dstop, machine):
    """--csv prints its header once, then a line per GPU and sample."""
    machine(make_sample(2, 1))
    said = dstop("--csv", "-i", "0.25", "-n", "2")
    rows = list(csv.DictReader(io.StringIO(said.out)))
    assert [row["index"] for row in rows] == ["0", "1", "0", "1"]
    assert said.code == 0


def test_csv_of_processes(dstop, machine):
    """--csv=processes prints a line per process."""
    machine(make_sample(2, 3))
    rows = list(csv.DictReader(io.StringIO(dstop("--csv=processes").out)))
    assert len(rows) == 6
    assert rows[0]["pid"].isdigit()


@pytest.mark.parametrize(
    ("words", "indices"),
    [
        (["-o", "1"], [1]),
        (["--only", "0-2"], [0, 1, 2]),
        (["-o", "0,3", "-o", "1"], [0, 1, 3]),
        (["-o", "GPU-00000000-0000-0000-0000-000000000002"], [2]),
        (["-o", "00000000:1A:00.0"], [2]),
    ],
)
def test_only_these_gpus(dstop, machine, words, indices):
    """GPUs are chosen by index, range, UUID and bus id, and their processes go with them."""
    machine(make_sample(4, 1))
    given = _json(dstop("--json", *words))
    assert [gpu["index"] for gpu in given["gpus"]] == indices
    assert {row["gpu_index"] for row in given["processes"]} == set(indices)


def test_a_gpu_that_is_not_there_is_a_usage_error(dstop, machine):
    """An unknown GPU is told with those there are, and the source is closed."""
    source = machine(make_sample(2, 1))
    _one_line(dstop("--json", "-o", "7"), 2, "7", "there are 0")
    assert source.closed


def test_a_gpu_that_was_chosen_stays_when_it_is_lost(dstop, machine):
    """A card that falls off the bus is still the card that was asked for."""
    lost = make_sample([make_gpu(0), make_gpu(1, uuid=None, fault="GPU is lost")], 0)
    machine(make_sample(2, 0), lost)
    lines = dstop(
        "--json", "-o", "GPU-00000000-0000-0000-0000-000000000001", "-i", "0.25", "-n", "2"
    ).out.splitlines()
    assert [json.loads(line)["gpus"][0]["fault"] for line in lines] == [None, "GPU is lost"]


@pytest.mark.parametrize(
    ("visible", "indices"), [("2,0", [0, 2]), ("", []), ("1,-1,2", [1]), (None, [0, 1, 2, 3])]
)
def test_only_visible_gpus(dstop, machine, monkeypatch, visible, indices):
    """--only-visible reads CUDA_VISIBLE_DEVICES as CUDA does."""
    machine(make_sample(4, 0))
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [gpu["index"] for gpu in _json(dstop("--json", "--only-visible"))["gpus"]] == indices


def test_processes_by_user_pid_and_filter(dstop, machine):
    """-u, -p and -f leave out processes and no GPU."""
    sample = make_sample(2, 3)
    machine(sample)
    pids = sorted(row.pid for row in sample.processes)
    user = sample.processes[0].facts.user
    mine = [row.pid for row in sample.processes if row.facts.user == user]
    assert (
        sorted(row["pid"] for row in _json(dstop("--json", "-p", f"{pids[0]},{pids[1]}"))["processes"])
        == pids[:2]
    )
    assert [row["pid"] for row in _json(dstop("--json", "-u", user))["processes"]] == mine
    given = _json(dstop("--json", "-f", f"pid:{pids[2]}"))
    assert [row["pid"] for row in given["processes"]] == [pids[2]]
    assert len(given["gpus"]) == 2


def test_no_processes(dstop, machine):
    """--no-processes is GPUs alone."""
    machine(make_sample(2, 3))
    assert _json(dstop("--json", "--no-processes"))["processes"] == []
    assert "COMMAND" not in dstop("--once", "--no-processes").out


@pytest.mark.parametrize(
    "words",
    [
        ["--nonsense"],
        ["nonsense"],
        ["--interval", "0.2"],
        ["--interval", "fast"],
        ["--interval", "nan"],
        ["--interval"],
        ["--count", "0"],
        ["--count", "many"],
        ["--pid", "one"],
        ["--pid", "-1"],
        ["--pid", "²"],
        ["--color", "red"],
        ["--theme", "pink"],
        ["--mode", "tiny"],
        ["--csv=rows"],
        ["--json", "--csv"],
        ["--filter", "mem>"],
        ["--filter", "(a"],
        ["--source", "nowhere"],
        ["--json", "demo"],
        ["--config", "/nowhere/at/all.toml"],
        ["--config", "/"],
        ["demo", "--gpus", "0"],
        ["demo", "--gpus", "65"],
        ["demo", "--speed", "-1"],
        ["demo", "surplus"],
        ["pick", "-n", "0"],
        ["pick", "-f", "much"],
        ["pick", "-f", "-1G"],
        ["pick", "--max-util", "101"],
        ["pick", "--sort", "random"],
        ["completion"],
        ["completion", "tcsh"],
    ],
)
def test_what_cannot_be_asked_for_is_one_line_and_exit_code_2(dstop, machine, words):
    """A mistake on the command line is told in one line, with no traceback and nothing on stdout."""
    machine(make_sample(1, 1))
    _one_line(dstop(*words), 2)


@pytest.mark.parametrize("words", [[], ["--json"], ["--csv"], ["--once"], ["pick"]])
def test_no_driver_is_one_line_and_exit_code_1(dstop, machine, words):
    """Without a driver there is the reason and the next step, and exit code 1."""
    source = machine(GONE)
    _one_line(dstop(*words), 1, GONE.message, GONE.fix)
    assert source.closed


def test_words_of_a_driver_cannot_move_the_cursor(dstop, machine):
    """What a driver says in an error is one printable line."""
    machine(SourceError("bad\x1b[2J\nnews", fix="none"))
    said = dstop()
    _one_line(said, 1)
    assert "\x1b" not in said.err


@pytest.mark.parametrize("words", [["-h"], ["--help"], ["demo", "-h"], ["pick", "--help"]])
def test_help_is_printed(dstop, words):
    """-h and --help explain, with exit code 0."""
    said = dstop(*words)
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("Usage: dstop")


def test_help_lists_the_verbs_there_are(dstop):
    """The help shows what works, and nothing that is still to come."""
    listed = dstop("--help").out.split("Commands:")[1]
    assert [line.split()[0] for line in listed.strip().splitlines()] == [
        "attach",
        "completion",
        "demo",
        "doctor",
        "explain",
        "export",
        "fleet",
        "pick",
        "plan",
        "plugins",
        "record",
        "recorder",
        "replay",
        "run",
        "snapshot",
        "web",
    ]


def test_the_version(dstop):
    """-V and --version print it."""
    assert dstop("-V").out == dstop("--version").out == f"dstop {__version__}\n"


def test_the_demo_says_that_it_is_one(dstop):
    """Simulated numbers are labelled in text, JSON and CSV."""
    assert SIMULATED in dstop("demo", "--once").out
    assert _json(dstop("demo", "--json"))["simulated"] == SIMULATED
    assert SIMULATED in dstop("demo", "--csv").out


def test_the_demo_has_as_many_cards_as_asked_for(dstop):
    """--gpus is the number of cards, and the other options work on them."""
    assert len(_json(dstop("demo", "--json", "--gpus", "3"))["gpus"]) == 3
    assert [gpu["index"] for gpu in _json(dstop("demo", "--json", "--gpus", "3", "-o", "2"))["gpus"]] == [2]


def test_the_demo_needs_no_driver(dstop, machine):
    """The demo never asks for the driver."""
    source = machine(GONE)
    assert dstop("demo", "--once", "--speed", "5").code == 0
    assert source.reads == 0


def test_ascii_is_ascii(dstop, machine):
    """--ascii, or DSTOP_ASCII, prints nothing but ASCII."""
    machine(make_sample(2, 2))
    assert not dstop("--once").out.isascii()
    assert dstop("--once", "--ascii").out.isascii()


def test_the_configuration_file_counts(dstop, machine, tmp_path):
    """--config names the file, and a flag beats it."""
    machine(make_sample(2, 2))
    (tmp_path / "my.toml").write_text('ascii = true\ncolor = "always"\n')
    said = dstop("--once", "--config", str(tmp_path / "my.toml"))
    assert said.out.isascii()
    assert "\x1b[" in said.out
    assert "\x1b[" not in dstop("--once", "--config", str(tmp_path / "my.toml"), "--color", "never").out


def test_a_wrong_configuration_file_is_told(dstop, machine, tmp_path):
    """A mistake in the file is one line with file and line, and exit code 2."""
    machine(make_sample(1))
    (tmp_path / "my.toml").write_text('theme = "dark"\ninterval = 3\n')
    _one_line(dstop("--config", str(tmp_path / "my.toml")), 2, "my.toml, line 2", "interval_s")


@pytest.mark.parametrize(
    ("asked", "colored"),
    [
        (([], {}), False),
        ((["--color", "always"], {}), True),
        (([], {"FORCE_COLOR": "1"}), True),
        (([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}), False),
        ((["--color", "always"], {"NO_COLOR": "1"}), True),
        ((["--color", "never"], {"FORCE_COLOR": "1"}), False),
        (([], {"DSTOP_COLOR": "always"}), True),
        ((["--theme", "mono"], {"FORCE_COLOR": "1"}), False),
    ],
)
def test_colour_is_for_those_who_want_it(dstop, machine, monkeypatch, asked, colored):
    """Flags beat variables, NO_COLOR beats FORCE_COLOR, and a pipe gets none unless asked."""
    machine(make_sample(1, 1))
    words, environ = asked
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert ("\x1b[" in dstop("--once", *words).out) is colored


@pytest.mark.parametrize("columns", ["100", "240", "0", "wide", "9" * 30])
def test_the_width_is_bounded_and_never_a_crash(dstop, machine, monkeypatch, columns):
    """COLUMNS is honoured, and nonsense in it is not believed."""
    machine(make_sample(2, 2))
    monkeypatch.setenv("COLUMNS", columns)
    said = dstop("--once")
    assert said.code == 0
    widest = max(len(line) for line in said.out.splitlines())
    assert widest <= (int(columns) if columns in {"100", "240"} else 160)


def _room():
    gpus = [make_gpu(index, memory_used_bytes=used * 2**30) for index, used in enumerate((70, 10, 40, 0))]
    return make_sample(gpus, 0)


@pytest.mark.parametrize(
    ("words", "printed"),
    [
        ([], "3"),
        (["-n", "2"], "3,1"),
        (["-n", "2", "-f", "60GiB"], "3,1"),
        (["-n", "2", "--sort", "index"], "0,1"),
        (["-o", "0-2"], "1"),
        (["--uuid"], "GPU-00000000-0000-0000-0000-000000000003"),
    ],
)
def test_pick_prints_the_freest(dstop, machine, words, printed):
    """Pick prints what CUDA_VISIBLE_DEVICES takes, the freest first."""
    source = machine(_room())
    said = dstop("pick", *words)
    assert (said.code, said.out) == (0, printed + "\n")
    assert source.closed


@pytest.mark.parametrize(
    "words", [["-n", "3", "-f", "60GiB"], ["--max-util", "5"], ["--mig"], ["-f", "900G"]]
)
def test_pick_says_why_there_are_too_few(dstop, machine, words):
    """With too few cards nothing is printed, each refusal is explained, and the exit code is 1."""
    machine(_room())
    _one_line(dstop("pick", *words), 1, "GPU 0")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(dstop, shell):
    """The script names the program and the variable that asks it for words."""
    said = dstop("completion", shell)
    assert said.code == 0
    assert "dstop" in said.out
    assert "_DSTOP_COMPLETE" in said.out


@pytest.mark.parametrize("words", [("demo", "--once", "--speed"), ("pick", "--max-util")])
def test_a_number_that_is_none_is_one_line(dstop, machine, words):
    """NaN is within no range, whatever a comparison says."""
    machine(make_sample(1, 1))
    said = dstop(*words, "nan")
    assert (said.code, said.out) == (2, "")
    assert "'nan' is not a number" in said.err


@pytest.mark.parametrize("size", ["10%", "1.2.3G", "1e", "--5"])
def test_a_size_that_is_none_is_one_line(dstop, machine, size):
    """What was typed is named, in dstop's own words."""
    machine(make_sample(1, 1))
    said = dstop("pick", f"--free={size}")
    assert said.code == 2
    assert f"--free: {size!r} is not a size" in said.err
