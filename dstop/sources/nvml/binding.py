"""The one place where the driver is called: loading nvidia-ml-py, starting NVML, asking, and letting go.

Every call is entered in a table while it runs, so that leaving can wait for what is under way (a shutdown
under a running call is a segmentation fault), and so that a GPU that hangs can be named with its call.
"""

from __future__ import annotations

import ctypes
import time
from threading import get_ident
from typing import TYPE_CHECKING, Any, Protocol

from dstop.errors import SourceError
from dstop.sources.nvml.reasons import (
    FUNCTION_NOT_FOUND,
    GARBLED,
    ClosedError,
    Unavailable,
    absent,
    reason_for,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

REINSTALL = "pip install --force-reinstall nvidia-ml-py"
_NEEDED = (
    "nvmlInitWithFlags",
    "nvmlShutdown",
    "nvmlDeviceGetCount",
    "nvmlDeviceGetHandleByIndex",
    "NVMLError",
)
_RECENT = ("nvmlMemory_v2", "c_nvmlFieldValue_t", "nvmlDeviceGetCurrentClocksEventReasons")
_TEXT_BYTES = 128
_DRAIN_S = 0.2


class Driver(Protocol):
    """What the readers of figures need of the driver; a twin of it is a plain class with these four."""

    def ask(self, name: str, *args: object) -> Any:
        """Call a function of pynvml: its value, or Unavailable."""
        ...

    def raw(self, name: str, *args: object) -> int:
        """Call a function of the library itself: its return code."""
        ...

    def text(self, name: str, *handle: object) -> str | Unavailable:
        """Call a function of the library that fills a text buffer."""
        ...

    @property
    def nvml(self) -> Any:
        """The pynvml module, for its structs and constants."""
        ...


class Binding:
    """NVML through nvidia-ml-py. Any thread may ask; one at a time starts and shuts down."""

    def __init__(self, module: ModuleType | None = None) -> None:
        self.nvml: Any = load() if module is None else module
        self._functions: dict[str, Callable[..., Any]] = {}
        self._symbols: dict[str, Callable[..., int]] = {}
        self._missing: set[str] = set()
        self._flight: dict[int, tuple[str, float]] = {}
        self._started = False
        self._closing = False
        self._absences: tuple[type[Exception], ...] = (
            self.nvml.NVMLError,
            UnicodeDecodeError,
            ctypes.ArgumentError,
            getattr(self.nvml, "NVMLLibraryMismatchError", self.nvml.NVMLError),
        )

    def start(self) -> int:
        """Start NVML, over again if it was started before; give its return code, 0 when it works.

        A start while an old call hangs leaves that call its library: the old one is then not shut down first.
        """
        if self._started and not self._flight:
            self._guarded(self.nvml.nvmlShutdown)
        code = self._guarded(self.nvml.nvmlInitWithFlags, 0)
        self._started = self._started or code == 0
        return code

    def stop(self) -> bool:
        """Let go of NVML, waiting at most 0.4 s; False when a call hangs, and NVML is left as it is."""
        from threading import Thread  # noqa: PLC0415 - only on the way out

        self._closing = True
        deadline = time.monotonic() + _DRAIN_S
        while self._flight and time.monotonic() < deadline:
            time.sleep(0.002)
        if not self._started:
            return True
        if self._flight:
            return False
        self._started = False
        last = Thread(target=self._guarded, args=(self.nvml.nvmlShutdown,), daemon=True)
        last.start()
        last.join(_DRAIN_S)
        return not last.is_alive()

    def ask(self, name: str, *args: object) -> Any:
        """Call a function of pynvml by name; its value, or Unavailable with the reason.

        Raises:
            ClosedError: when the source was closed; no call is made any more.
        """
        function = self._functions.get(name)
        if function is None:
            if name in self._missing or (function := getattr(self.nvml, name, None)) is None:
                return absent(FUNCTION_NOT_FOUND)
            self._functions[name] = function
        me = get_ident()
        # Entered before looking whether we close: who closes sees the call, or the call sees the close.
        self._flight[me] = (name, time.monotonic())
        try:
            if self._closing:
                raise ClosedError
            return function(*args)
        except self._absences as error:
            return self._refused(name, error)
        finally:
            del self._flight[me]

    def raw(self, name: str, *args: object) -> int:
        """Call the library's own function; its return code (FUNCTION_NOT_FOUND when it has none such)."""
        symbol = self._symbols.get(name)
        if symbol is None:
            symbol = None if name in self._missing else getattr(self.nvml.nvmlLib, name, None)
            if symbol is None:
                self._missing.add(name)
                return FUNCTION_NOT_FOUND
            self._symbols[name] = symbol
        me = get_ident()
        self._flight[me] = (name, time.monotonic())
        try:
            if self._closing:
                raise ClosedError
            return int(symbol(*args))
        finally:
            del self._flight[me]

    def text(self, name: str, *handle: object) -> str | Unavailable:
        """Give what a function writes into a text buffer, cleaned of what is not text."""
        buffer = ctypes.create_string_buffer(_TEXT_BYTES)
        code = self.raw(name, *handle, buffer, ctypes.c_uint(_TEXT_BYTES))
        if code:
            return absent(code)
        # .value stops at the first NUL, which some boards have within their identifiers.
        return cleaned(buffer.value) or Unavailable("the driver gives an empty text")

    def hanging(self, longer_than_s: float) -> tuple[str, float] | None:
        """Name the call that has been under way longest, with its age in seconds, if it is that old."""
        now = time.monotonic()
        oldest = min(list(self._flight.values()), key=lambda entry: entry[1], default=None)
        if oldest is None or now - oldest[1] < longer_than_s:
            return None
        return oldest[0], now - oldest[1]

    def _refused(self, name: str, error: Exception) -> Unavailable:
        code = getattr(error, "value", GARBLED)
        if not isinstance(code, int):
            return absent(GARBLED)
        if code == FUNCTION_NOT_FOUND:
            self._missing.add(name)
            self._functions.pop(name, None)
        return absent(code)

    def _guarded(self, function: Callable[..., object], *args: object) -> int:
        """Call init or shutdown: the code it fails with, or 0."""
        try:
            function(*args)
        except self._absences as error:
            code = getattr(error, "value", GARBLED)
            return code if isinstance(code, int) else GARBLED
        return 0


def load() -> ModuleType:
    """Import pynvml and make sure that it is NVIDIA's own and young enough.

    Several packages install a module of that name; with the wrong one half of the figures silently vanish.

    Raises:
        SourceError: when it is missing, foreign or too old.
    """
    from importlib import import_module  # noqa: PLC0415 - 25 ms that only a live monitor owes

    try:
        module = import_module("pynvml")
    except Exception as error:
        # Any error: a file of that name in the working directory may raise what it likes.
        raise SourceError(f"nvidia-ml-py cannot be imported ({error})", fix=REINSTALL) from error
    complaint = impostor(module)
    if complaint:
        raise SourceError(complaint, fix=REINSTALL)
    return module


def impostor(module: ModuleType) -> str | None:
    """Say what is wrong with a module that calls itself pynvml; None when nothing is."""
    place = getattr(module, "__file__", None) or "an unknown place"
    if any(not hasattr(module, name) for name in _NEEDED):
        return f"another package shadows nvidia-ml-py: {place} is not NVIDIA's pynvml"
    if any(not hasattr(module, name) for name in _RECENT):
        return f"nvidia-ml-py at {place} is too old (12.575 or newer is needed)"
    return None


def cleaned(raw: bytes) -> str:
    """Decode bytes of the driver into one line of printable text."""
    text = raw.split(b"\0", 1)[0].decode("utf-8", errors="replace")
    return "".join(mark for mark in text if mark.isprintable()).strip()


__all__ = ["REINSTALL", "Binding", "Driver", "cleaned", "impostor", "load", "reason_for"]
