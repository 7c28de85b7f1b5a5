"""`dstop export`: a page that a real server takes, on a simulated driver, and that it ends in order."""

from __future__ import annotations

import configparser
import http.client
import json
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as plain_families

from dstop.cli.export import run
from dstop.errors import SourceError
from dstop.export.metrics.names import METRICS
from dstop.export.scrape.newest import Newest
from dstop.monitor import Monitor
from dstop.testing import FakeSource, make_sample

ROOT = Path(__file__).parents[2]
OPENMETRICS = {"Accept": "application/openmetrics-text;version=1.0.0"}


@contextmanager
def exporter(environ, tmp_path, *words):
    """Run the exporter on a free port; gives the process and where its page is."""
    command = [sys.executable, "-m", "dstop", "export", "--port", "0", *words]
    given = {**environ, "PYTHONPATH": str(ROOT), "XDG_CONFIG_HOME": str(tmp_path)}
    with subprocess.Popen(command, env=given, stderr=subprocess.PIPE, text=True) as child:
        try:
            lines = []
            while not (lines and "serving at" in lines[-1]):
                line = child.stderr.readline()
                assert line, lines
                lines.append(line)
            yield child, re.search(r"serving at (\S+),", lines[-1])[1]
        finally:
            child.kill()


def fetch(url):
    """Get a page in OpenMetrics; gives its samples by name."""
    with urllib.request.urlopen(urllib.request.Request(url, headers=OPENMETRICS), timeout=30) as answer:  # noqa: S310
        text = answer.read().decode()
    samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append(sample)
    return samples


def test_a_machine_is_served(rig, tmp_path):
    """On a simulated driver: eight cards, their processes, and readings that go on."""
    with exporter(rig.env(8, 2), tmp_path, "--interval", "0.25") as (_, url):
        found = fetch(url)
        assert found["dstop_up"][0].value == 1
        assert len(found["dstop_gpu_memory_used_bytes"]) == 8
        assert len(found["dstop_process_gpu_memory_bytes"]) == 16
        first = found["dstop_sample_timestamp_seconds"][0].value
        for _ in range(100):
            if fetch(url)["dstop_sample_timestamp_seconds"][0].value > first:
                break
            time.sleep(0.05)
        else:
            pytest.fail("no second reading")


def first_value(url, name, **labels):
    """Give the one sample of a name that has these labels, as the page has it now."""
    found = [each.value for each in fetch(url).get(name, ()) if labels.items() <= each.labels.items()]
    return found[0] if found else None


def test_a_machine_that_breaks_is_told_as_it_is(rig, tmp_path):
    """A lost card is down alone; a driver that goes takes all figures with it; when it comes back, so do they."""
    with exporter(rig.env(2, 1), tmp_path, "--interval", "0.25") as (_, url):
        rig.faults("gpu 0 lost")
        until(lambda: first_value(url, "dstop_gpu_up", gpu="0") == 0)
        assert first_value(url, "dstop_gpu_memory_used_bytes", gpu="0") is None
        assert first_value(url, "dstop_gpu_memory_used_bytes", gpu="1") is not None
        rig.faults("driver gone")
        until(lambda: first_value(url, "dstop_up") == 0)
        assert first_value(url, "dstop_gpu_memory_used_bytes") is None
        assert first_value(url, "dstop_gpu_info", gpu="1") == 1
        rig.faults("")
        until(lambda: first_value(url, "dstop_gpu_memory_used_bytes", gpu="0") is not None)
        assert first_value(url, "dstop_up") == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_it_ends_in_order(rig, tmp_path, number):
    """Told to stop, it answers who is waiting, and leaves without a word; the port is free again."""
    with exporter(rig.env(2, 1), tmp_path) as (child, url):
        port = int(re.search(r":(\d+)/", url)[1])
        child.send_signal(number)
        _, err = child.communicate(timeout=60)
    assert child.returncode == (130 if number == signal.SIGINT else 0)
    assert err == ""
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_no_driver_is_an_error_at_once(dstop, machine):
    """A service is started again; a person reads why."""
    source = machine(SourceError("no driver answers", fix="load it"))
    said = dstop("export", "--port", "0")
    assert (said.code, said.err) == (1, "dstop: no driver answers: load it\n")
    assert source.closed


def test_once_prints_the_page(dstop, machine):
    """In the format that node_exporter's textfile collector reads."""
    source = machine(make_sample(2, 3))
    said = dstop("export", "--once")
    assert said.code == 0, said.err
    names = {sample.name for family in plain_families(said.out) for sample in family.samples}
    assert {"dstop_gpu_memory_used_bytes", "dstop_process_gpu_memory_bytes"} <= names
    assert said.err == ""
    assert source.closed


def test_the_bound_is_an_option(dstop, machine):
    """Two processes have series of their own, the other four are added up."""
    machine(make_sample(2, 3))
    said = dstop("export", "--once", "--most-processes", "2")
    pids = re.findall(r'^dstop_process_gpu_memory_bytes\{.*pid="(\w+)"', said.out, re.MULTILINE)
    assert (len(pids), pids.count("other")) == (4, 2)


def test_the_demo_says_that_it_is_one(dstop):
    """No simulated figure is taken for a machine's."""
    said = dstop("export", "--demo", "--once")
    assert said.code == 0, said.err
    assert "\ndstop_simulated 1.0\n" in said.out
    assert "dstop_torch_allocated_bytes{" in said.out
    assert "dstop_process_expected_bytes{" in said.out


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--key", "k"), 2, "add --cert"),
        (("--client-ca", "c"), 2, "add --cert"),
        (("--names", "--print-rules"), 2, "choose one"),
        (("--demo", "--source", "x"), 2, "choose one"),
        (("--interval", "0.01"), 2, "--interval"),
        (("--port", "70000"), 2, "--port"),
        (("--cert", "nowhere.pem"), 1, "--cert nowhere.pem: No such file"),
        (("--auth-file", "nowhere"), 1, "--auth-file nowhere: No such file"),
        (("--bind", "192.0.2.1"), 1, "--bind 192.0.2.1 is no address of this machine"),
        (("--source", "mars"), 2, "no plugin has a source"),
    ],
    ids=[
        "key",
        "client-ca",
        "two-papers",
        "two-sources",
        "interval",
        "port",
        "cert",
        "auth-file",
        "bind",
        "source",
    ],
)
def test_what_is_wrong_is_one_line(dstop, machine, words, code, says):
    """What, where, and the next step; nothing is served."""
    machine(make_sample(1, 0))
    said = dstop("export", *words, "--for", "0")
    assert (said.code, said.out) == (code, "")
    assert says in said.err
    assert said.err.count("\n") == 1


def test_a_port_that_is_taken_is_named(dstop, machine):
    """Before the driver is asked for anything."""
    source = machine(make_sample(1, 0))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = dstop("export", "--port", str(port), "--for", "0")
    assert said.code == 1
    assert f"port {port} of 127.0.0.1 is in use" in said.err
    assert source.reads == 0


def test_an_open_address_is_warned_of(dstop, machine):
    """Whoever listens to a network without a password is told so, once."""
    machine(make_sample(1, 0))
    said = dstop("export", "--bind", "0.0.0.0", "--port", "0", "--for", "0")  # noqa: S104 - what is tested
    assert said.code == 0
    assert "--auth-file" in said.err
    machine(make_sample(1, 0))
    said = dstop("export", "--port", "0", "--for", "0")
    assert "--auth-file" not in said.err


def test_the_papers_are_printed(dstop):
    """Names, dashboard and rules come without a driver."""
    table = dstop("export", "--names").out
    assert all(f"`{each.name}`" in table for each in METRICS)
    assert json.loads(dstop("export", "--print-dashboard").out)["uid"] == "dstop"
    assert dstop("export", "--print-rules").out.startswith("# Alert rules")


def test_the_unit_starts_this_program_with_these_options(dstop, tmp_path):
    """What is printed is a unit that systemd reads, with whole paths."""
    cert = str(tmp_path / "my cert 100%.pem")
    said = dstop("export", "--print-unit", "--bind", "::", "--cert", cert, "--interval", "5", "--links")
    assert said.code == 0, said.err
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str
    unit.read_string(said.out)
    words = shlex.split(unit["Service"]["ExecStart"].replace("%%", "%").replace("$$", "$"))
    options = words[words.index("export") + 1 :]
    assert options == [
        *("--bind", "::", "--port", "9778", "--most-processes", "512", "--interval", "5"),
        *("--cert", cert, "--links"),
    ]


def test_a_driver_that_goes_meanwhile_ends_nothing():
    """The loop goes on; the page says that nothing answers, and later that it does again."""
    gone = SourceError("the driver does not answer", fix="wait")
    monitor = Monitor(FakeSource([make_sample(1, 1), gone, make_sample(1, 1)]), interval_s=1.0, capacity=5)
    newest = Newest(monitor)
    newest.step(patience_s=0.1)
    seen = []

    def wait(_seconds):
        seen.append(newest.moment().is_fresh)
        return len(seen) == 3

    run(newest, wait, interval_s=0.0)
    assert seen == [True, False, True]


@pytest.fixture
def prometheus(tmp_path):
    """Start a real Prometheus on the loopback that scrapes what it is told to; gives a way to ask it."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not installed (Debian: prometheus)")
    started = []

    def start(url, *, rules):
        target = url.removeprefix("http://").removesuffix("/metrics")
        (tmp_path / "prometheus.yml").write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            f"rule_files: [{rules}]\n"
            "scrape_configs:\n"
            "  - job_name: dstop\n"
            f"    static_configs: [{{targets: ['{target}']}}]\n"
        )
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        words = [f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/data"]
        words.append(f"--web.listen-address=127.0.0.1:{port}")
        log = (tmp_path / "prometheus.log").open("w")
        started.append((subprocess.Popen([program, *words], stdout=log, stderr=log), log))

        def ask(path):
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            try:
                connection.request("GET", path)
                answer = json.loads(connection.getresponse().read())
            finally:
                connection.close()
            assert answer["status"] == "success", answer
            return answer["data"]

        return ask

    yield start
    for child, log in started:
        child.terminate()
        child.wait(timeout=60)
        log.close()


def until(look):
    """Ask again until there is something; a server that starts refuses at first."""
    for _ in range(300):
        try:
            found = look()
        except (OSError, ValueError, http.client.HTTPException):
            found = None
        if found:
            return found
        time.sleep(0.1)
    return pytest.fail("it did not come")


def test_a_real_prometheus_takes_the_page(rig, tmp_path, prometheus):
    """Scraped once: up, every sample in, and the packaged rules are loaded and evaluated."""
    rules = ROOT / "dstop" / "export" / "dashboards" / "dstop.rules.yml"
    with exporter(rig.env(4, 2), tmp_path) as (_, url):
        ask = prometheus(url, rules=rules)
        query = "/api/v1/query?query="
        until(lambda: ask(f"{query}dstop_up")["result"])
        (target,) = ask("/api/v1/targets")["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")
        memory = ask(f"{query}dstop_gpu_memory_used_bytes")["result"]
        assert {each["metric"]["gpu"] for each in memory} == {"0", "1", "2", "3"}
        rows = ask(f"{query}dstop_process_gpu_memory_bytes")["result"]
        assert len(rows) == 8
        assert not any("exported_job" in each["metric"] for each in rows)
        groups = until(
            lambda: [
                group
                for group in ask("/api/v1/rules")["groups"]
                if all(rule["health"] == "ok" for rule in group["rules"])
            ]
        )
        assert len(groups) >= 1
        assert not [
            rule
            for group in ask("/api/v1/rules")["groups"]
            for rule in group["rules"]
            if rule.get("lastError")
        ]
