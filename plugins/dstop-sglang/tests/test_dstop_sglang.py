"""The SGLang plugin: pages in SGLang's format, and one served by a process with SGLang's command line."""

# ruff: noqa: S101

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dstop.doctor.live.scene import Scene
from dstop.doctor.plugged import wrong_with
from dstop.model.process import ProcessFigure
from dstop.plugin.engines import page_of
from dstop.testing import check_rule, make_facts, make_process, make_sample

if TYPE_CHECKING:
    from types import ModuleType

_PAGE = """\
sglang:num_running_reqs{dp_rank="0",tp_rank="0"} 12.0
sglang:num_running_reqs{dp_rank="0",tp_rank="1"} 12.0
sglang:num_running_reqs{dp_rank="1",tp_rank="0"} 5.0
sglang:num_queue_reqs{model_name="m"} 3.0
sglang:token_usage{dp_rank="0"} 0.28
sglang:token_usage{dp_rank="1"} 0.75
"""

_SERVER = """\
import http.server, socket, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_error(404)
    def log_message(self, *_):
        pass
port = int(sys.argv[sys.argv.index("--port") + 1])
server = http.server.HTTPServer(("127.0.0.1", port), Page)
print("up", flush=True)
server.serve_forever()
"""


@pytest.fixture(name="sglang")
def _sglang() -> ModuleType:
    path = Path(__file__).parents[1] / "dstop_sglang.py"
    spec = importlib.util.spec_from_file_location("dstop_sglang", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_replicas_are_summed_and_ranks_are_not(sglang: ModuleType) -> None:
    """Two tensor-parallel ranks tell of the same twelve requests; the other replica has five more."""
    names = ("sglang:num_running_reqs", "sglang:num_queue_reqs", "sglang:token_usage")
    assert sglang.tell(page_of(_PAGE, names, 0.0), None) == {
        "kv_pool_pct": 75.0,
        "requests_running": 17.0,
        "requests_waiting": 3.0,
    }


def test_an_engine_without_metrics_says_which_option_is_missing(sglang: ModuleType, tmp_path: Path) -> None:
    """A server found by its command line that has no such page gives the reason, with SGLang's own switch."""
    import socket  # noqa: PLC0415 - for a free port alone

    program = tmp_path / "sglang"
    program.write_text(_SERVER)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = [sys.executable, str(program), "serve", "--model", "m", "--port", str(port)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "up\n"
            told = sglang.figures(make_facts(server.pid))
        finally:
            server.kill()
    assert told == {
        "engine": f"port {port} answers 404 for /metrics: SGLang tells its figures with --enable-metrics"
    }


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("python -m sglang.launch_server --model-path m --port 31000", 31000),
        ("python3 -m sglang.launch_server --model-path m", 30000),
        ("/usr/local/bin/sglang serve m --port=31001", 31001),
    ],
)
def test_the_port_is_that_of_the_command_line(sglang: ModuleType, words: str, expected: int) -> None:
    """The option wins, else SGLang's own default."""
    assert sglang.is_server(words.split())
    assert sglang.port_of(words.split()) == expected


@pytest.mark.parametrize(
    "words", ["python -m sglang.bench_serving --port 30000", "sglang::scheduler_TP0", ""], ids=str
)
def test_what_is_no_server_is_none(sglang: ModuleType, words: str) -> None:
    """Neither a client nor a worker."""
    assert not sglang.is_server(words.split())


def _scene(**row: float) -> Scene:
    figures = tuple(ProcessFigure(name=name, value=value) for name, value in row.items())
    return Scene(sample=make_sample(1, 0, processes=(make_process(0, 4000, figures=figures),)))


def test_a_full_pool_is_found_only_while_requests_wait(sglang: ModuleType) -> None:
    """Full and a queue is a finding; full alone is none."""
    (found,) = sglang.watch_pool(_scene(kv_pool_pct=99.0, requests_waiting=8.0))
    assert found.rule == "SG510"
    assert sglang.watch_pool(_scene(kv_pool_pct=99.0, requests_waiting=0.0)) == []
    assert sglang.watch_pool(_scene(kv_pool_pct=60.0, requests_waiting=8.0)) == []


def test_retractions_are_found_when_as_many_as_requests_run(sglang: ModuleType) -> None:
    """Twenty a minute with ten running is a storm; with a hundred running it is none."""
    row = {"kv_pool_pct": 99.0, "retractions_per_min": 20.0}
    (found,) = sglang.watch_retractions(_scene(**row, requests_running=10.0))
    assert found.rule == "SG511"
    assert sglang.watch_retractions(_scene(**row, requests_running=100.0)) == []


def test_the_rules_keep_what_a_rule_promises(sglang: ModuleType) -> None:
    """Their pages are whole, and dstop takes them."""
    for rule in sglang.rules():
        check_rule(rule)
        assert wrong_with(rule) is None
