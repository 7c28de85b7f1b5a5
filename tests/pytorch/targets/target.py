# ruff: noqa: D103, C901, ICN001, PTH123 - a small script: the modes are told in the first docstring
"""A process to be attached to: `target.py MODE PAGE [LIBRARY]`.

PAGE is a file of 4096 bytes, seen as 64-bit numbers: 0 ticks of the heartbeat, 1 its largest gap in ns, 3 rounds of the
main thread, 7 set by the test: stop, 8 not 0 while the GIL is held in C, 9 wrong results (a sign of clobbered
registers), 10 not 0 when ready, 11 how often injected text ran. LIBRARY is heartbeat.c, built; without it there is no
heartbeat, and the modes that need C do not work.

Modes: sleep, recv and joinmain block the main thread for ever; busy, gc, malloc, numpy and threads8 compute and check
what they computed; cmalloc is in malloc and free without the GIL; gilsleep is in C for a second with the GIL, then in
Python for a while; nap is one relative nanosleep of two seconds without the GIL; vfork sleeps uninterruptibly, without
the GIL, for a second and a half at a time.
"""

import contextlib
import ctypes
import mmap
import struct
import sys
import time

NUMBER = struct.Struct("<Q")
ROUNDS, STOP, HELD, WRONG, READY = 3, 7, 8, 9, 10

mode, path = sys.argv[1], sys.argv[2]
with open(path, "r+b") as file:
    page = mmap.mmap(file.fileno(), 4096)
library = calls_with_gil = None
if len(sys.argv) > 3:
    library = ctypes.CDLL(sys.argv[3])
    calls_with_gil = ctypes.PyDLL(sys.argv[3])
    if library.heartbeat(path.encode()) != 0:
        raise SystemExit("no heartbeat")


def put(slot, value):
    NUMBER.pack_into(page, 8 * slot, value)


def get(slot):
    return NUMBER.unpack_from(page, 8 * slot)[0]


def tick():
    put(ROUNDS, get(ROUNDS) + 1)
    return get(STOP)


def work():
    whole, real = 0, 1.0
    for number in range(400):
        whole += number * number
        real = real * 1.0009765625 + 0.5
    return whole, real


RIGHT = work()


def check():
    if work() != RIGHT:
        put(WRONG, get(WRONG) + 1)


def ready():
    put(READY, 1)


def sleep():
    ready()
    time.sleep(1e6)


def recv():
    import socket

    one, _other = socket.socketpair()
    ready()
    one.recv(1)


def joinmain():
    import threading

    def spin():
        while not tick():
            check()

    thread = threading.Thread(target=spin)
    ready()
    thread.start()
    thread.join()


def busy():
    ready()
    while not tick():
        check()


def collect():
    import gc

    class Node:
        pass

    gc.set_threshold(200, 3, 3)
    ready()
    while not tick():
        for _ in range(60):
            one, other = Node(), Node()
            one.other, other.other = other, one
            one.more = {number: [number] for number in range(8)}
        check()


def allocate():
    kept = [None] * 97
    at = 0
    ready()
    while not tick():
        for number in range(40):
            at = (at * 31 + number) % 97
            kept[at] = bytearray(600 + (at * 7919) % 200000)
            kept[(at * 5) % 97] = b"x" * (700 + at * 131)
        check()


def allocate_in_c():
    ready()
    while not tick():
        library.malloc_ms(5)


def multiply():
    import numpy

    matrix = numpy.random.default_rng(0).random((200, 200))
    right = (matrix @ matrix).sum()
    ready()
    while not tick():
        if abs((matrix @ matrix).sum() - right) > 1e-6:
            put(WRONG, get(WRONG) + 1)


def eight_threads():
    import queue
    import threading

    waiting = queue.Queue()

    def spin():
        while not get(STOP):
            check()

    def nap():
        while not get(STOP):
            time.sleep(0.01)

    def allocate_small():
        while not get(STOP):
            [bytearray(5000) for _ in range(50)]

    def wait():
        while not get(STOP):
            with contextlib.suppress(queue.Empty):
                waiting.get(timeout=1.0)

    for function in (spin, spin, nap, nap, allocate_small, allocate_small, wait, wait):
        threading.Thread(target=function, daemon=True).start()
    ready()
    while not tick():
        time.sleep(0.002)


def hold_the_gil():
    ready()
    while not tick():
        put(HELD, 1)
        calls_with_gil.sleep_ms(1000)
        put(HELD, 0)
        end = time.monotonic() + 1.0
        while time.monotonic() < end and not tick():
            check()


def nap_once():
    ready()
    result = library.sleep_ms(2000)
    put(WRONG, result & 1)
    put(ROUNDS, 1)
    time.sleep(1e6)


def sleep_uninterruptibly():
    ready()
    while not tick():
        put(HELD, 1)
        library.vfork_ms(1500)
        put(HELD, 0)
        time.sleep(0.05)


MODES = {
    "sleep": sleep,
    "recv": recv,
    "joinmain": joinmain,
    "busy": busy,
    "gc": collect,
    "malloc": allocate,
    "cmalloc": allocate_in_c,
    "numpy": multiply,
    "threads8": eight_threads,
    "gilsleep": hold_the_gil,
    "nap": nap_once,
    "vfork": sleep_uninterruptibly,
}
MODES[mode]()
