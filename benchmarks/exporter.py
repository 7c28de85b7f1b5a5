"""What a scrape costs: the page in this process, and over HTTP beside nvitop-exporter, on the same simulated machine.

    python benchmarks/exporter.py [--gpus 8] [--procs 64] [--scrapes 40] [--pages-only]

Both halves give ratios within one run: our page to prometheus-client's own writing of the same families, and our scrape
to nvitop-exporter's. On a shared machine, trust those.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import os
import re
import socket
import statistics
import subprocess
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from machine import build_simulator, dstop, installed, machine
from prometheus_client.openmetrics.exposition import generate_latest

from dstop.export.metrics.labels import labels
from dstop.export.metrics.library import registry_of
from dstop.export.metrics.moment import Moment
from dstop.export.metrics.page import page
from dstop.export.metrics.text import number, openmetrics
from dstop.testing import make_allocator, make_expectation, make_frame, make_sample
from dstop.units import GIB

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

MOST_MS = 20.0
"""What a scrape of 8 cards with 64 processes each may take."""
ACCEPT = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}
"""What Prometheus asks for."""
QUIET_S = 10.0
"""Over which the cost of the readings alone is measured."""
_PATIENCE_S = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")


class Scrape(NamedTuple):
    """One answer."""

    seconds: float
    sent: int
    text: bytes


def machine_at(step: int, gpus: int, procs: int, hooks: int) -> Moment:
    """Give one of many moments: every process holds something else each time; `hooks` of a card have an allocator."""
    sample = make_sample(gpus, procs)
    seen: dict[int, int] = {}
    rows = []
    for row in sample.processes:
        place = seen[row.gpu_index] = seen.get(row.gpu_index, 0) + 1
        held = GIB + 7919 * (step * 4096 + row.pid)
        found = replace(row, gpu_memory_bytes=held, sm_pct=(step + row.pid) % 101, rss_bytes=held // 3)
        if place <= hooks:
            allocator = make_allocator(
                row.gpu_index, allocated_bytes=held // 2, active_bytes=held // 2 + 4096
            )
            expectation = make_expectation(held // 2, held, 2 * held, live=held)
            found = replace(found, allocator=allocator, expectation=expectation)
        rows.append(found)
    return Moment(frame=make_frame(replace(sample, processes=tuple(rows))), age_s=0.1)


class Cost(NamedTuple):
    """CPU milliseconds."""

    median: float
    least: float
    """What it costs when nobody else uses the caches."""

    def __str__(self) -> str:
        return f"{self.median:.1f} ({self.least:.1f})"


def cpu_ms(work: Callable[[Moment], object], moments: Sequence[Moment]) -> Cost:
    """Run something for each moment, and give the CPU time that it took."""
    took = []
    for moment in moments:
        began = time.thread_time()
        work(moment)
        took.append(time.thread_time() - began)
    return Cost(1e3 * statistics.median(took), 1e3 * min(took))


def whole(moment: Moment) -> bytes:
    """Gather and write a page."""
    return openmetrics(page(moment))


def first(moment: Moment) -> bytes:
    """Gather and write a page of processes that no page has had."""
    labels.cache_clear()
    number.cache_clear()
    return whole(moment)


def packed(moment: Moment) -> bytes:
    """Gather, write and compress a page."""
    return gzip.compress(whole(moment), 1)


def library(moment: Moment) -> bytes:
    """Gather a page, and have prometheus-client write it."""
    families = page(moment)
    written: bytes = generate_latest(registry_of(lambda: families))  # type: ignore[no-untyped-call]
    return written


def pages(gpus: int, procs: int) -> None:
    """Print what pages cost in this process."""
    print(
        f"{gpus} GPUs x {procs} processes, OpenMetrics; CPU ms a scrape, median (least); {MOST_MS:g} are asked for\n"
    )
    print(
        "| hooks a card | samples | page | scrape | the first | with gzip | written by prometheus-client | |"
    )
    print("|--:|--:|--:|--:|--:|--:|--:|--:|")
    for hooks in sorted({0, 1, procs}):
        moments = [machine_at(step, gpus, procs, hooks) for step in range(25)]
        cold, warm = cpu_ms(first, moments), cpu_ms(whole, moments)
        zipped, theirs = cpu_ms(packed, moments), cpu_ms(library, moments[:5])
        samples = sum(len(each.samples) for each in page(moments[0]))
        print(
            f"| {hooks} | {samples} | {len(whole(moments[0])) / 1e6:.2f} MB | {warm} | {cold} "
            f"| {zipped} | {theirs} | {theirs.median / warm.median:.0f}x |"
        )
    print()


def free_port() -> int:
    """Give a port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def scrape(port: int) -> Scrape:
    """Ask as Prometheus does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_PATIENCE_S)
    try:
        began = time.perf_counter()
        connection.request("GET", "/metrics", headers=ACCEPT)
        answer = connection.getresponse()
        body = answer.read()
        seconds = time.perf_counter() - began
        packed = answer.getheader("Content-Encoding") == "gzip"
    finally:
        connection.close()
    return Scrape(seconds, len(body), gzip.decompress(body) if packed else body)


@contextmanager
def running(command: tuple[str, ...], env: Mapping[str, str], port: int) -> Iterator[int]:
    """Run an exporter until its page comes; gives its PID."""
    with subprocess.Popen(
        command, env=dict(env), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as child:
        due = time.monotonic() + _PATIENCE_S
        while True:
            try:
                scrape(port)
                break
            except OSError:
                if child.poll() is not None or time.monotonic() > due:
                    raise SystemExit(f"{command[0]} does not serve") from None
                time.sleep(0.1)
        try:
            yield child.pid
        finally:
            child.terminate()


def cpu_s(pid: int) -> float:
    """Give the CPU time of a process, user and system (proc(5), fields 14 and 15 of stat)."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:  # noqa: PTH123 - no path to build
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def exporters(gpus: int, procs: int, scrapes: int) -> None:
    """Print what scrapes cost over HTTP, one exporter after the other."""
    simulator = build_simulator()
    ours, theirs = free_port(), free_port()
    subject = dstop()
    commands = {
        "dstop export": ((*subject.live, "export", "--port", str(ours)), ours),
        "nvitop-exporter": ((str(installed("nvitop-exporter")), "--port", str(theirs)), theirs),
    }
    print(
        f"{gpus} GPUs x {procs} processes, simulated driver, one reading a second, medians; CPU is the exporter's own\n"
    )
    print(
        "| exporter | scrape ms | slowest ms | sent | samples | of processes | CPU ms a scrape | CPU ms/s at rest |"
    )
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    with machine(simulator, gpus, procs) as host:
        for name, (command, port) in commands.items():
            with running(command, host.env | dict(subject.env), port) as pid:
                time.sleep(5.0)
                began, cpu = time.monotonic(), cpu_s(pid)
                time.sleep(QUIET_S)
                rate = (cpu_s(pid) - cpu) / (time.monotonic() - began)
                found = []
                began, cpu = time.monotonic(), cpu_s(pid)
                for _ in range(scrapes):
                    time.sleep(0.2)
                    found.append(scrape(port))
                beyond = cpu_s(pid) - cpu - rate * (time.monotonic() - began)
            lines = [line for line in found[-1].text.splitlines() if line and not line.startswith(b"#")]
            of_rows = sum(bool(re.search(rb'\bpid="', line)) for line in lines)
            took = [1e3 * each.seconds for each in found]
            print(
                f"| {name} | {statistics.median(took):.1f} | {max(took):.1f} | {found[-1].sent / 1e3:.0f} kB "
                f"| {len(lines)} | {of_rows} | {1e3 * beyond / scrapes:.1f} | {1e3 * rate:.0f} |",
                flush=True,
            )


def main() -> None:
    """Measure, and print two tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gpus", type=int, default=8)
    parser.add_argument("--procs", type=int, default=64, help="per GPU")
    parser.add_argument("--scrapes", type=int, default=40)
    parser.add_argument("--pages-only", action="store_true", help="no exporter is started")
    args = parser.parse_args()
    pages(args.gpus, args.procs)
    if not args.pages_only:
        exporters(args.gpus, args.procs, args.scrapes)


if __name__ == "__main__":
    main()
