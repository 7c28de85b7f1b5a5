"""What `dstop record` costs and takes up, and how fast a replay opens, jumps and plays.

    python benchmarks/recording.py [--seconds 95] [--parts record replay]

`record`: the program itself on a simulated driver, whose figures move as real ones do; its CPU time is read from the
kernel between the tenth second and the end. `replay`: a machine on which every figure of every process is another one
each second, and eight processes of a card carry the hook: harder than any real one.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from machine import build_simulator, dstop, machine

from dstop.monitor.player import Player
from dstop.sources.replay.guests import ReplayGuests
from dstop.sources.replay.recording import Recording
from dstop.sources.replay.source import ReplaySource
from dstop.sources.replay.writer import RecordingWriter
from dstop.testing import make_allocator, make_frame, make_guest, make_sample
from dstop.units import GIB

if TYPE_CHECKING:
    from dstop.model.frame import Frame

MACHINES = ((8, 8), (8, 64))
SETTLE_S = 10.0
_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """Give the CPU time of a process so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def record(gpus: int, procs: int, seconds: float) -> None:
    """Run the program for a while, and print what it took."""
    library = build_simulator()
    subject = dstop()
    with machine(library, gpus, procs) as host, tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.dstop"
        command = [*subject.live, "record", str(path)]
        with subprocess.Popen(
            command, env=host.env | dict(subject.env), stderr=subprocess.DEVNULL
        ) as program:
            time.sleep(SETTLE_S)
            began, used = time.monotonic(), cpu_s(program.pid)
            time.sleep(seconds - SETTLE_S)
            share = (cpu_s(program.pid) - used) / (time.monotonic() - began)
            rss = int(Path(f"/proc/{program.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            program.send_signal(signal.SIGTERM)
        size = path.stat().st_size
        recording = Recording(str(path))
        length_s = (recording.end_ns - recording.begin_ns) / 1e9
        recording.close()
    print(
        f"| {gpus} x {procs} | {1e3 * share:.1f} ms | {rss / 2**20:.0f} MiB | {size / length_s * 3600 / 1e6:.1f} MB |"
    )


def restless(gpus: int, procs: int, step: int) -> Frame:
    """Give a frame of a machine on which everything moves."""
    sample = make_sample(gpus, procs)
    now_ns = sample.taken_at_ns + step * 10**9
    rows = tuple(
        replace(
            row,
            gpu_memory_bytes=GIB + 7919 * (step * 4096 + row.pid),
            sm_pct=(step + row.pid) % 101,
            cpu_pct=(step * row.pid) % 1000 / 10,
            rss_bytes=GIB + 4096 * (step * row.pid % 1_000_003),
        )
        for row in sample.processes
    )
    cards = tuple(
        replace(gpu, power_mw=600_000 + step * 37 % 90_000, energy_mj=(gpu.energy_mj or 0) + step * 650_000)
        for gpu in sample.gpus
    )
    guests = {}
    for row in rows:
        if row.pid % 100 < 8:  # noqa: PLR2004 - eight of a card
            held = row.gpu_memory_bytes or 0
            device = make_allocator(
                0, gpu_uuid=row.gpu_uuid, allocated_bytes=held // 2, active_bytes=held // 2
            )
            guest = make_guest(row.pid, [device], started_at_s=row.facts.started_at_s, taken_at_ns=now_ns)
            guests[guest.id] = guest
    sample = replace(sample, taken_at_ns=now_ns, gpus=cards, processes=rows)
    return replace(make_frame(sample), guests=guests)


def replay(gpus: int, procs: int, seconds: int) -> None:
    """Write and play a restless machine in this process, and print what each took."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "bench.dstop")
        frames = [restless(gpus, procs, step) for step in range(seconds)]
        writer = RecordingWriter(path, step_s=1.0)
        began = time.thread_time()
        for frame in frames:
            writer.add(frame)
        writer.close()
        writing = (time.thread_time() - began) / seconds
        size = Path(path).stat().st_size
        began = time.thread_time()
        source = ReplaySource(Recording(path))
        player = Player(source, guests=ReplayGuests(source))
        player.step()
        opening = time.thread_time() - began
        jumps = []
        for forward in (1, -1) * 3:
            player.seek_by(forward * (seconds - 10))
            began = time.thread_time()
            player.step()
            jumps.append(time.thread_time() - began)
        player.seek_end(last=False)
        player.step()
        began = time.thread_time()
        steps = 0
        while player.step_one() is not None:
            steps += 1
        playing = (time.thread_time() - began) / steps
        player.close()
    print(
        f"| {gpus} x {procs} | {size / seconds * 3600 / 1e6:.1f} MB | {1e3 * writing:.1f} ms | {1e3 * opening:.0f} ms "
        f"| {1e3 * statistics.median(jumps):.0f} ms | {1e3 * playing:.1f} ms |"
    )


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=95)
    parser.add_argument("--parts", nargs="*", choices=("record", "replay"), default=("record", "replay"))
    args = parser.parse_args()
    if "record" in args.parts:
        print("| dstop record | CPU a second | memory | an hour |\n|---|--:|--:|--:|")
        for gpus, procs in MACHINES:
            record(gpus, procs, args.seconds)
    if "replay" in args.parts:
        print(
            "| everything moves | an hour | write a second | open | jump | a second of it |\n|---|--:|--:|--:|--:|--:|"
        )
        for gpus, procs in MACHINES:
            replay(gpus, procs, 300)


if __name__ == "__main__":
    main()
