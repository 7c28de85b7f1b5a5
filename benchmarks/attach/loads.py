"""A process to attach to: loads.py KIND PAGE HEARTBEAT. It runs in the target.

PAGE is a file of 4096 bytes, seen as 64-bit numbers: 0 ticks of the heartbeat (a native thread), 1 its longest gap in
ns, 3 steps of the main thread, 4 its longest gap in ns, 7 set from outside: stop, 9 wrong results, 10 says ready, 11
set from outside: ask for more device memory than there is, 12 how many ns that took to be refused, 13 the processor
time of the main thread in ns, as of the last step. HEARTBEAT is `tests/pytorch/targets/heartbeat.c`, built.
"""

from __future__ import annotations

import ctypes
import importlib
import mmap
import struct
import sys
import time
from typing import Any

NUMBER = struct.Struct("<Q")
STEPS, GAP_NS, STOP, WRONG, READY, ASK_OOM, OOM_NS, CPU_NS = 3, 4, 7, 9, 10, 11, 12, 13
TOO_MANY_BYTES = 1 << 44
HOLDS_GIL_MS = 1000


class Page:
    """The counters that are shared with the benchmark."""

    def __init__(self, path: str) -> None:
        with open(path, "r+b") as file:  # noqa: PTH123 - a small script does not import pathlib
            self._data = mmap.mmap(file.fileno(), 4096)
        self._last = time.perf_counter_ns()

    def get(self, slot: int) -> int:
        """Read one counter."""
        return int(NUMBER.unpack_from(self._data, 8 * slot)[0])

    def put(self, slot: int, value: int) -> None:
        """Write one counter."""
        NUMBER.pack_into(self._data, 8 * slot, value)

    def ready(self) -> None:
        """Say that the work begins."""
        self._last = time.perf_counter_ns()
        self.put(READY, 1)

    def step(self) -> int:
        """Count one step and keep the longest gap; gives whether to stop."""
        now = time.perf_counter_ns()
        gap, self._last = now - self._last, now
        self.put(CPU_NS, time.thread_time_ns())
        self.put(STEPS, self.get(STEPS) + 1)
        if gap > self.get(GAP_NS):
            self.put(GAP_NS, gap)
        return self.get(STOP)

    def check(self) -> None:
        """Compute what is known, and count it when it comes out wrong: a register was clobbered."""
        if work() != RIGHT:
            self.put(WRONG, self.get(WRONG) + 1)


def work() -> tuple[int, float]:
    """Compute something in whole and in real numbers."""
    whole, real = 0, 1.0
    for number in range(400):
        whole += number * number
        real = real * 1.0009765625 + 0.5
    return whole, real


RIGHT = work()


def sleep(page: Page, _: str) -> None:
    """Sleep for ever."""
    page.ready()
    time.sleep(1e6)


def recv(page: Page, _: str) -> None:
    """Wait for a byte that never comes."""
    import socket  # noqa: PLC0415 - the others are scripts that import little

    one, _other = socket.socketpair()
    page.ready()
    one.recv(1)


def busy(page: Page, _: str) -> None:
    """Compute in Python, which holds the GIL all the time."""
    page.ready()
    while not page.step():
        page.check()


def gilsleep(page: Page, library: str) -> None:
    """Be in a C call that holds the GIL for a second, then in Python for a second."""
    native = ctypes.PyDLL(library)
    page.ready()
    while not page.step():
        native.sleep_ms(HOLDS_GIL_MS)
        until = time.perf_counter() + 1
        while time.perf_counter() < until and not page.step():
            page.check()


def malloc(page: Page, _: str) -> None:
    """Let Python allocate and free what is too large for its own allocator."""
    kept: list[bytes | bytearray | None] = [None] * 97
    place = 0
    page.ready()
    while not page.step():
        for number in range(40):
            place = (place * 31 + number) % 97
            kept[place] = bytearray(600 + (place * 7919) % 200000)
            kept[(place * 5) % 97] = b"x" * (700 + place * 131)
        page.check()


def cmalloc(page: Page, library: str) -> None:
    """Be in malloc and free all the time, without the GIL."""
    native = ctypes.CDLL(library)
    page.ready()
    while not page.step():
        native.malloc_ms(5)


def threads8(page: Page, _: str) -> None:
    """Have eight threads beside the main one: two compute, two allocate, two nap, two wait."""
    import queue  # noqa: PLC0415 - the others are scripts that import little
    import threading  # noqa: PLC0415 - likewise

    items: queue.Queue[None] = queue.Queue()

    def wait() -> None:
        try:
            items.get(timeout=1.0)
        except queue.Empty:
            return

    bodies = (page.check, lambda: time.sleep(0.01), lambda: [bytearray(5000) for _ in range(50)], wait)

    def repeat(body: Any) -> None:
        while not page.get(STOP):
            body()

    for body in bodies * 2:
        threading.Thread(target=repeat, args=(body,), daemon=True).start()
    page.ready()
    while not page.step():
        time.sleep(0.002)


def numpy(page: Page, _: str) -> None:
    """Multiply matrices in native threads."""
    module: Any = importlib.import_module("numpy")
    matrix = module.random.default_rng(0).random((200, 200))
    right = (matrix @ matrix).sum()
    page.ready()
    while not page.step():
        if abs((matrix @ matrix).sum() - right) > 1e-6:  # noqa: PLR2004 - rounding
            page.put(WRONG, page.get(WRONG) + 1)


def torch(page: Page, _: str) -> None:
    """Train with AdamW, on the device where there is one; ask for too much memory when told to."""
    module: Any = importlib.import_module("torch")
    device = "cuda" if module.cuda.is_available() else "cpu"
    module.backends.cudnn.enabled = False
    module.set_num_threads(1)
    layers = [module.nn.Linear(256, 256) for _ in range(24)]
    model = module.nn.Sequential(*layers).to(device)
    optimizer = module.optim.AdamW(model.parameters())
    inputs = module.randn(64, 256, device=device)

    def train() -> None:
        optimizer.zero_grad()
        model(inputs).square().mean().backward()
        optimizer.step()

    for _step in range(3):  # autograd's threads and the optimizer's states come with the first steps
        train()
    page.ready()
    while not page.step():
        train()
        page.check()
        if page.get(ASK_OOM):
            began = time.perf_counter_ns()
            try:
                module.empty(TOO_MANY_BYTES, dtype=module.uint8, device=device)
            except RuntimeError:
                page.put(OOM_NS, time.perf_counter_ns() - began)
            page.put(ASK_OOM, 0)


KINDS = {
    load.__name__: load for load in (busy, sleep, recv, gilsleep, malloc, cmalloc, threads8, numpy, torch)
}


def main() -> None:
    """Start the heartbeat, then the load, until told to stop."""
    kind, path, library = sys.argv[1:4]
    if ctypes.CDLL(library).heartbeat(path.encode()) != 0:
        raise SystemExit("the heartbeat did not start")
    KINDS[kind](Page(path), library)


if __name__ == "__main__":
    main()
