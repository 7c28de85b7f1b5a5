"""The vLLM plugin against servers that speak as vLLM does, found as it would be found: by command line and socket."""

# ruff: noqa: S101

from __future__ import annotations

import importlib.util
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dstop.doctor.live.scene import Scene
from dstop.doctor.plugged import wrong_with
from dstop.model.process import ProcessFigure
from dstop.plugin import Loaded, plugin_manager
from dstop.plugin.engines import page_of
from dstop.plugin.figures import Figures
from dstop.testing import check_rule, make_facts, make_process, make_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    from dstop.model.process import GpuProcess

_PAGE = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="qwen"} 12.0
vllm:num_requests_running{engine="1",model_name="qwen"} 30.0
vllm:num_requests_waiting{engine="0",model_name="qwen"} 3.0
vllm:kv_cache_usage_perc{engine="0",model_name="qwen"} 0.25
vllm:kv_cache_usage_perc{engine="1",model_name="qwen"} 0.985
vllm:num_preemptions_total{engine="0",model_name="qwen"} 7.0
vllm:request_success_total{engine="0",finished_reason="stop",model_name="qwen"} 1.0e+06
"""

_SERVER = """\
import http.server, subprocess, sys
body = open(sys.argv[-1], "rb").read()
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/metrics" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), Page)
port = server.server_port
if "--again" not in sys.argv:
    # The port is known by now: begin again with it on the command line, as an engine that was told its port.
    server.server_close()
    import os
    told = [sys.argv[0], "serve", "qwen", "--port", str(port), "--again", sys.argv[-1]]
    os.execv(sys.executable, [sys.executable, *told])
port = int(sys.argv[sys.argv.index("--port") + 1])
server.server_close()
server = http.server.HTTPServer(("127.0.0.1", port), Page)
worker = subprocess.Popen(["/bin/sleep", "300"])
print(worker.pid, flush=True)
try:
    server.serve_forever()
finally:
    worker.kill()
"""


@pytest.fixture(name="vllm")
def _vllm() -> ModuleType:
    path = Path(__file__).parents[1] / "dstop_vllm.py"
    spec = importlib.util.spec_from_file_location("dstop_vllm", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(name="serve")
def _serve(tmp_path: Path) -> Iterator[Callable[[str], int]]:
    """Start a process whose command line is vLLM's, and give the PID of its worker."""
    started: list[tuple[subprocess.Popen[str], int]] = []

    def serve(page: str) -> int:
        program, body = tmp_path / "vllm", tmp_path / "page"
        program.write_text(_SERVER)
        body.write_text(page)
        server = subprocess.Popen(
            [sys.executable, str(program), "serve", "qwen", str(body)], stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        worker = int(server.stdout.readline())
        started.append((server, worker))
        return worker

    yield serve
    for server, worker in started:
        server.kill()
        server.wait()
        assert server.stdout is not None
        server.stdout.close()
        subprocess.run(["/bin/kill", "-9", str(worker)], check=False)


def _figures_of(row: GpuProcess) -> dict[str, float | str | None]:
    return {one.name: one.value if one.why is None else one.why for one in row.figures}


def test_an_engine_is_found_from_its_worker_and_its_figures_stand_on_the_row(
    vllm: ModuleType, serve: Callable[[str], int]
) -> None:
    """A worker's parent is `vllm serve --port N`: its page is read, through dstop's own plugin manager."""
    manager = plugin_manager(entry_points=False).manager
    manager.register(vllm, name="vllm")
    figures = Figures(lambda: Loaded(manager, ()), patience_s=20.0)
    row = make_process(0, serve(_PAGE))
    stranger = make_process(1, 1)
    seen = figures(make_sample(2, 0, processes=(row, stranger)))
    figures.close()
    assert _figures_of(seen.processes[0]) == {
        "kv_cache_pct": 98.5,
        "requests_running": 42.0,
        "requests_waiting": 3.0,
        "preemptions_total": 7.0,
    }
    assert seen.processes[1].figures == ()
    assert seen.notices == ()


def test_a_page_without_vllms_figures_says_so(vllm: ModuleType, serve: Callable[[str], int]) -> None:
    """What answers on the port but tells nothing of vLLM gives no figure, and the reason."""
    told = vllm.figures(make_facts(serve("up 1\n")))
    assert list(told) == ["engine"]
    assert "tells none of its figures" in told["engine"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("/usr/bin/python3 /usr/local/bin/vllm serve Qwen/Qwen3-8B --port 8123", 8123),
        ("vllm serve Qwen/Qwen3-8B --port=8124", 8124),
        ("vllm serve Qwen/Qwen3-8B", 8000),
        ("python -m vllm.entrypoints.openai.api_server --model x", 8000),
        ("vllm serve x --port 99999", None),
        ("vllm serve x --uds /run/vllm.sock", None),
    ],
)
def test_the_port_is_that_of_the_command_line(vllm: ModuleType, words: str, expected: int | None) -> None:
    """The option wins, else vLLM's own default; a Unix socket or nonsense is no port."""
    assert vllm.is_server(words.split())
    assert vllm.port_of(words.split()) == expected


@pytest.mark.parametrize("words", ["python train.py vllm", "vllm bench serve", "VLLM::EngineCore", ""])
def test_what_is_no_server_is_none(vllm: ModuleType, words: str) -> None:
    """Neither a client, nor a worker, nor a mention of its name."""
    assert not vllm.is_server(words.split())


def test_an_older_engine_is_read_by_its_older_name(vllm: ModuleType) -> None:
    """Until 0.9 the cache's metric was called gpu_cache_usage_perc."""
    page = page_of('vllm:gpu_cache_usage_perc{model_name="x"} 0.5\n', ("vllm:gpu_cache_usage_perc",), 0.0)
    assert vllm.tell(page, None) == {"kv_cache_pct": 50.0}


def _scene(*rows: dict[str, float]) -> Scene:
    processes = tuple(
        make_process(
            index,
            4000 + index,
            ppid=77,
            figures=tuple(ProcessFigure(name=name, value=value) for name, value in row.items()),
        )
        for index, row in enumerate(rows)
    )
    return Scene(sample=make_sample(max(1, len(rows)), 0, processes=processes))


def test_a_full_cache_is_found_only_while_requests_wait(vllm: ModuleType) -> None:
    """Full and a queue is a finding, once for all workers of one engine; full alone, or a queue alone, is none."""
    full = {"kv_cache_pct": 99.0, "requests_waiting": 8.0}
    (found,) = vllm.watch_cache(_scene(full, full))
    assert (found.rule, found.gpu_index) == ("VL510", 0)
    assert "8 requests wait" in found.says
    assert vllm.watch_cache(_scene({**full, "requests_waiting": 0.0})) == []
    assert vllm.watch_cache(_scene({**full, "kv_cache_pct": 90.0})) == []


def test_preemptions_are_found_when_as_many_as_requests_run(vllm: ModuleType) -> None:
    """Twenty a minute with ten running is a storm; five, or twenty with a hundred running, is none."""
    row = {"kv_cache_pct": 99.0, "requests_running": 10.0, "preemptions_per_min": 20.0}
    (found,) = vllm.watch_preemptions(_scene(row))
    assert (found.rule, found.fixes[0].id) == ("VL511", "reduce_max_num_seqs")
    assert vllm.watch_preemptions(_scene({**row, "preemptions_per_min": 5.0, "requests_running": 1.0})) == []
    assert vllm.watch_preemptions(_scene({**row, "requests_running": 100.0})) == []


def test_the_rules_keep_what_a_rule_promises(vllm: ModuleType) -> None:
    """Their pages are whole, and dstop takes them."""
    for rule in vllm.rules():
        check_rule(rule)
        assert wrong_with(rule) is None


def test_a_server_that_is_gone_gives_a_reason(vllm: ModuleType, tmp_path: Path) -> None:
    """A command line without a listening socket is an engine that starts: said in words, without waiting."""
    program = tmp_path / "vllm"
    program.write_text("import time\nprint('up', flush=True)\ntime.sleep(300)\n")
    with subprocess.Popen(
        [sys.executable, str(program), "serve", "qwen", "--port", "1"], stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            assert server.stdout.readline() == "up\n"
            told = vllm.figures(make_facts(server.pid, started_at_s=time.time()))
            assert told == {"engine": "it does not listen on port 1: it may be starting"}
        finally:
            server.kill()
