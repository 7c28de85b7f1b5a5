"""`dstop fleet` over a real Prometheus server that scrapes 200 simulated hosts x 8 GPUs: first screen, CPU a refresh.

python benchmarks/fleet.py [--hosts 200] [--rounds 5]

The server is Debian's package prometheus; a small page generator stands in for the exporters, a quarter of the hosts
DCGM's, a quarter nvitop's, half dstop's own with a training process a card. Figures are invented, their number is not.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tests" / "sources" / "prometheus")]

from fleet_pages import Pages, dcgm_page, dstop_page, nvitop_page  # type: ignore[import-not-found]  # noqa: E402
from prometheus_server import PROGRAM, config_text, prometheus  # type: ignore[import-not-found]  # noqa: E402
from terminal import Terminal  # noqa: E402

DSTOP = (sys.executable, "-m", "dstop", "fleet", "--prometheus")
REFRESHES = 8
INTERVAL_S = 3
PATIENCE_S = 120.0


def pages_of(hosts: int) -> tuple[dict[str, str], dict[str, str]]:
    """Give a page and a job for each host."""
    pages, targets = {}, {}
    for at in range(hosts):
        name = f"node-{at}"
        if at % 4 == 1:
            pages[name], targets[name] = dcgm_page(name), "dcgm"
        elif at % 4 == 2:  # noqa: PLR2004 - the third of four
            pages[name], targets[name] = nvitop_page(name), "nvitop"
        else:
            pages[name] = dstop_page(name, first_rank=at // 4 * 8, job=f"run-{at % 4}")
            targets[name] = "dstop"
    return pages, targets


def run(*words: str) -> tuple[float, float, int]:
    """Run a command to its end: wall seconds, CPU seconds, bytes it wrote.

    Raises:
        RuntimeError: it fails.
    """
    began = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        child = subprocess.Popen(words, stdout=out)
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise RuntimeError(f"{' '.join(words)} ends with {child.returncode}")
        return wall, usage.ru_utime + usage.ru_stime, out.tell()


def screen(address: str, gpus: int) -> tuple[float, float, float, float]:
    """Give seconds to the first full screen, CPU seconds until then, CPU seconds a refresh, and MiB, at 200x60."""
    env = {**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor"}
    marks = rf"{gpus} GPUs".encode()
    with Terminal([*DSTOP, address, "-i", str(INTERVAL_S)], env, 200, 60) as terminal:
        until = time.monotonic() + PATIENCE_S
        while terminal.seen_at(marks) is None:
            if not terminal.pump(0.05) or time.monotonic() > until:
                raise RuntimeError(f"no screen: {terminal.text()[-500:]!r}")
        first, begun = terminal.seen_at(marks) or 0.0, terminal.cpu_s()
        terminal.pump(1.0)
        before = terminal.cpu_s()
        terminal.pump(REFRESHES * INTERVAL_S)
        each = (terminal.cpu_s() - before) / REFRESHES
        memory = terminal.rss_bytes() / 2**20
        terminal.quit("q", 5.0)
    return first, begun, each, memory


def main() -> None:
    """Start the fleet, wait until every host is scraped, and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    if PROGRAM is None:
        sys.exit("prometheus is not installed: apt-get install prometheus")
    pages, targets = pages_of(asked.hosts)
    served = Pages(pages)
    gpus = 8 * asked.hosts
    with (
        tempfile.TemporaryDirectory() as folder,
        prometheus(folder, config_text(served.port, targets, interval="15s")) as address,
    ):
        until = time.monotonic() + PATIENCE_S
        while (
            f"{gpus} GPUs"
            not in subprocess.run(
                [*DSTOP, address, "--once", "--top", "1"], capture_output=True, text=True, check=True
            ).stdout
        ):
            if time.monotonic() > until:
                sys.exit("not all hosts are scraped")
            time.sleep(1)
        print(
            f"{asked.hosts} hosts x 8 GPUs, medians of {asked.rounds}, on {os.cpu_count()} cores shared with the server"
        )
        rows = [screen(address, gpus) for _ in range(asked.rounds)]
        first, begun, each, memory = (statistics.median(column) for column in zip(*rows, strict=True))
        print(f"screen at 200x60: first after {first:.2f} s ({begun * 1e3:.0f} ms of CPU)")
        print(f"  a refresh {each * 1e3:.0f} ms of CPU, {memory:.0f} MiB")
        for words in (("--once",), ("--json",)):
            taken = [run(*DSTOP, address, *words) for _ in range(asked.rounds)]
            wall, cpu, size = (statistics.median(column) for column in zip(*taken, strict=True))
            print(f"{words[0]}: {wall:.2f} s, {cpu * 1e3:.0f} ms of CPU, {size / 1e3:.0f} kB")
    served.close()


if __name__ == "__main__":
    main()
