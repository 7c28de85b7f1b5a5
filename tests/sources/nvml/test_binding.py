"""The one place where the driver is called, against a twin of pynvml."""

from __future__ import annotations

import ctypes
import threading
from types import ModuleType, SimpleNamespace

import pytest

from dstop.errors import SourceError
from dstop.sources.nvml.binding import Binding, cleaned, impostor, load
from dstop.sources.nvml.reasons import ClosedError, Unavailable, reason_for

FOREVER_S = 30.0


class TwinError(Exception):
    def __init__(self, value):
        super().__init__(value)
        self.value = value


def twin_pynvml(**functions) -> ModuleType:
    """Give a module that is pynvml as far as the binding asks."""
    module = ModuleType("pynvml")
    module.NVMLError = TwinError
    module.events = []
    module.nvmlInitWithFlags = lambda _flags: module.events.append("init")
    module.nvmlShutdown = lambda: module.events.append("shutdown")
    module.nvmlLib = SimpleNamespace()
    for name, function in functions.items():
        setattr(module, name, function)
    return module


def failing(code):
    """Give a function that fails with this code."""

    def function(*_args):
        raise TwinError(code)

    return function


def test_an_answer_is_passed_on_and_a_refusal_is_words():
    """Asking gives the value, or why there is none; it never raises for the driver."""
    binding = Binding(twin_pynvml(good=lambda handle: handle + 1, bad=failing(3), odd=failing(77)))
    assert binding.ask("good", 4) == 5
    assert binding.ask("bad").reason == "not supported on this board"
    assert binding.ask("odd").reason == "the driver answers with error 77"


def test_a_function_that_is_missing_is_never_asked_again():
    """Function-not-found is remembered, so that an old driver costs one call and not one a second."""
    calls = []

    def gone():
        calls.append(1)
        raise TwinError(13)

    binding = Binding(twin_pynvml(gone=gone))
    for _ in range(3):
        assert binding.ask("gone").reason == "this driver is too old for it"
    assert len(calls) == 1
    assert binding.ask("neverThere").reason == "this driver is too old for it"
    assert binding.raw("neverThere") == 13


def test_text_that_is_not_utf8_is_garble_and_no_exception():
    """A function of pynvml that fails to decode gives a reason."""

    def name():
        return b"\xff".decode()

    assert "no sense" in Binding(twin_pynvml(name=name)).ask("name").reason


def test_text_of_the_library_is_cleaned():
    """NUL, invalid bytes and escape sequences in a name do not reach the terminal."""

    def fill(buffer, _size):
        ctypes.memmove(buffer, b"NVIDIA \xff\x1b[31mH100\0garbage", 24)
        return 0

    module = twin_pynvml()
    module.nvmlLib = SimpleNamespace(nvmlName=fill, nvmlEmpty=lambda *_: 0, nvmlBad=lambda *_: 4)
    binding = Binding(module)
    assert binding.text("nvmlName") == "NVIDIA \ufffd[31mH100"
    assert isinstance(binding.text("nvmlEmpty"), Unavailable)
    assert binding.text("nvmlBad").reason == "no permission (root only)"
    assert cleaned(b"a\x00b") == "a"


def test_starting_gives_the_code_and_starting_again_lets_go_first():
    """A driver that went and came back is shut down before it is started anew."""
    module = twin_pynvml()
    binding = Binding(module)
    assert binding.start() == 0
    assert binding.start() == 0
    assert module.events == ["init", "shutdown", "init"]
    module.nvmlInitWithFlags = failing(9)
    assert binding.start() == 9


def test_closing_waits_for_no_call_that_hangs():
    """With a call under way NVML is left as it is: a shutdown under it would be a crash."""
    gate, inside = threading.Event(), threading.Event()

    def hang():
        inside.set()
        gate.wait(FOREVER_S)

    module = twin_pynvml(hang=hang)
    binding = Binding(module)
    binding.start()
    thread = threading.Thread(target=binding.ask, args=("hang",))
    thread.start()
    inside.wait(FOREVER_S)
    assert binding.hanging(0.0)[0] == "hang"
    assert binding.stop() is False
    assert module.events == ["init"]
    gate.set()
    thread.join(FOREVER_S)


def test_closing_shuts_down_when_nothing_is_under_way():
    """The ordinary way out lets go of the driver, and nobody can call it afterwards."""
    module = twin_pynvml(good=lambda: 1)
    binding = Binding(module)
    binding.start()
    assert binding.stop() is True
    assert module.events == ["init", "shutdown"]
    with pytest.raises(ClosedError):
        binding.ask("good")
    with pytest.raises(ClosedError):
        binding.raw("nvmlLibFunction") if setattr(
            module.nvmlLib, "nvmlLibFunction", lambda: 0
        ) is None else None


def test_a_foreign_pynvml_is_told_from_nvidias():
    """A module of that name without NVIDIA's functions is named with its place; an old one is called old."""
    foreign = ModuleType("pynvml")
    foreign.__file__ = "/elsewhere/pynvml.py"
    assert "/elsewhere/pynvml.py" in impostor(foreign)
    assert "shadows" in impostor(foreign)
    old = twin_pynvml(nvmlDeviceGetCount=None, nvmlDeviceGetHandleByIndex=None)
    assert "too old" in impostor(old)
    import pynvml

    assert impostor(pynvml) is None


def test_a_broken_pynvml_is_a_source_error_with_the_command_that_mends_it(tmp_path, monkeypatch):
    """A file in the way that cannot even be imported ends in one line and the reinstall command."""
    import sys

    (tmp_path / "pynvml.py").write_text("raise RuntimeError('not me')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    with pytest.raises(SourceError, match="not me") as caught:
        load()
    assert caught.value.fix == "pip install --force-reinstall nvidia-ml-py"


@pytest.mark.parametrize("code", range(-5, 40))
def test_every_code_has_words(code):
    """No error of the driver is shown as a bare number or as nothing."""
    assert len(reason_for(code)) > 10
