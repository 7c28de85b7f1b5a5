"""How long it takes to read a large log down to what may matter, and how much memory; beside grep on the same file.

    python benchmarks/doctor_log.py [--mib 1024] [--odd-mib 256] [--rounds 3] [NAME…]

Logs are made in a temporary directory. Each is read by a new process and by `grep -n -E 'out of memory|Error'` in turn;
the medians count. A log that is refused (`all-nul`, `random`) is one that dstop has found to be no text.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1 << 20
READ = """
import sys
from pathlib import Path
from dstop.doctor.text.read import read_log
from dstop.errors import DstopError
try:
    log = read_log(Path(sys.argv[1]))
except DstopError:
    print("refused")
else:
    found = any("CUDA out of memory" in line.text for line in log.lines)
    print(f"{len(log.lines):,} lines kept{', with the message' if found else ''}")
"""
MESSAGE = (
    "[rank3]: torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 20.00 MiB. GPU 3 has a total capacity of"
    " 79.15 GiB of which 14.69 MiB is free.\n"
)
_DICE = random.Random(7)  # noqa: S311 - the same log every time


def training(size: int) -> Iterator[bytes]:
    """Lines as training writes them, and one message in the middle."""
    names = (
        "loss",
        "lr",
        "grad_norm",
        "tokens/s",
        "tflops",
        "mem_reserved",
        "data_time",
        "iter_time",
        "samples",
    )
    lines = [
        f"2025-01-15 11:{k // 60 % 60:02}:{k % 60:02},{k % 1000:03} [rank{k % 8}] INFO trainer.py:412 step={k} "
        + " ".join(f"{name}={_DICE.random() * 100:.4f}" for name in names)
        for k in range(4 * MIB // 250)
    ]
    block = "\n".join((*lines, "")).encode()
    written = 0
    while written < size:
        if written < size // 2 <= written + len(block):
            yield MESSAGE.encode()
        yield block
        written += len(block)


def repeated(line: bytes) -> Callable[[int], Iterator[bytes]]:
    """Make a log of one line, again and again."""

    def write(size: int) -> Iterator[bytes]:
        block = line * (MIB // len(line))
        for _ in range(size // len(block)):
            yield block

    return write


def utf16(size: int) -> Iterator[bytes]:
    """Write as PowerShell does."""
    yield b"\xff\xfe"
    for block in training(size // 2):
        yield block.decode().encode("utf-16-le")


def noise(size: int) -> Iterator[bytes]:
    """Give random bytes."""
    for _ in range(size // MIB):
        yield os.urandom(MIB)


LOGS: dict[str, Callable[[int], Iterator[bytes]]] = {
    "training": training,
    "flood": repeated(b"step 12 error=0.01 memory=12GB loss=2.31 lr=0.0001 grad_norm=0.4\n"),
    "flood-of-all": repeated(
        b"Error: out of memory, failed, killed, exit, signal, oom-kill NVRM: KV cache exceeds Watchdog\n"
    ),
    "one-line": repeated(b"step 12 loss=2.31 lr=0.0001 grad_norm=0.4 "),
    "line-breaks": repeated(b"\n"),
    "all-nul": repeated(b"\0"),
    "random": noise,
    "utf-16": utf16,
}


def run(command: list[str]) -> tuple[float, float, str]:
    """Run a command to its end: seconds, MiB at most, the last line that it printed."""
    began = time.perf_counter()
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(command, stdout=output)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        output.seek(max(0, output.seek(0, os.SEEK_END) - 200))
        last = output.read().decode(errors="replace").strip().rpartition("\n")[2]
    return seconds, usage.ru_maxrss / 1024, last


def compare(path: Path, rounds: int) -> tuple[float, float, float | None, str]:
    """Read a log with dstop and with grep, in turn: median seconds, most MiB, grep's median seconds, what came out."""
    with path.open("rb", buffering=0) as file:
        while file.read(8 * MIB):
            """Both find it in the page cache."""
    grep = shutil.which("grep")
    own: list[tuple[float, float, str]] = []
    theirs: list[float] = []
    for _ in range(rounds):
        own.append(run([sys.executable, "-c", READ, str(path)]))
        if grep:
            theirs.append(run([grep, "-n", "-E", "out of memory|Error", str(path)])[0])
    seconds = statistics.median(each[0] for each in own)
    return seconds, max(each[1] for each in own), statistics.median(theirs) if theirs else None, own[-1][2]


def main() -> None:
    """Make each log, measure, and remove it again."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", default=list(LOGS), metavar="NAME", help=", ".join(LOGS))
    parser.add_argument("--mib", type=int, default=1024, help="of the log of a training run")
    parser.add_argument("--odd-mib", type=int, default=256, help="of the others")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    print("| log | MiB | seconds | peak MiB | grep s | x grep | |\n|---|--:|--:|--:|--:|--:|---|")
    with tempfile.TemporaryDirectory(prefix="dstop-logs-") as folder:
        for name in args.names:
            path = Path(folder) / f"{name}.log"
            with path.open("wb") as file:
                file.writelines(LOGS[name]((args.mib if name == "training" else args.odd_mib) * MIB))
            size = path.stat().st_size / MIB
            seconds, peak, grep, said = compare(path, args.rounds)
            ratio = f"{grep:.2f} | {seconds / grep:.2f}" if grep else "- | -"
            print(f"| {name} | {size:.0f} | {seconds:.2f} | {peak:.0f} | {ratio} | {said} |", flush=True)
            path.unlink()


if __name__ == "__main__":
    main()
