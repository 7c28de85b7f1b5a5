"""Which mapped image of a process is CPython, and what kind of CPython it is."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dstop.errors import AttachError
from dstop.model.value import Value
from dstop.pytorch.below import NotTorchError
from dstop.pytorch.elf import Image, NoSymbolsError, Symbol, mapped_images

if TYPE_CHECKING:
    from dstop.pytorch.memory import Readable

_LIBPYTHON = re.compile(r"libpython3\.\d+\w*\.so")
_PYTHON = re.compile(r"python(3(\.\d+)?t?)?$")
_FREE_THREADED = re.compile(r"python3\.\d+d?t")
_MARKS = ("PyGILState_Ensure", "PyRun_SimpleStringFlags")

# Defined under Py_GIL_DISABLED only (CPython, Include/refcount.h), and exported because Py_DECREF calls it inline.
_FREE_THREADED_MARK = "_Py_DecRefShared"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class PythonImage(Value):
    """The image that holds CPython: an executable or a libpython."""

    image: Image
    path: str
    version_hex: int | None
    """Py_Version of 3.11 and later (0x030C01F0 is 3.12.1); None before."""
    free_threaded: bool

    def symbol(self, name: str) -> Symbol:
        """Find a symbol that must be there."""
        found = self.image.symbol(name)
        if found is None:
            raise AttachError(
                f"{self.path} has no symbol {name}", fix="it is an unusual build of Python: use `dstop run`"
            )
        return found

    @property
    def minor(self) -> int | None:
        """Give the 12 of Python 3.12; from the file's name where the image does not tell."""
        if self.version_hex is not None:
            return self.version_hex >> 16 & 0xFF
        named = re.search(r"python3\.(\d{1,3})", os.path.basename(self.path))  # noqa: PTH119 - no pathlib
        return int(named[1]) if named else None


def find_python(pid: int, memory: Readable) -> PythonImage:
    """Find CPython in `pid` by its symbols: in a libpython, in the executable, or in the first image."""
    images = mapped_images(pid)
    symbols_missing: str | None = None
    for path in _candidates(pid, images):
        image = Image(memory, images[path], path)
        try:
            if all(image.symbol(name) for name in _MARKS):
                return _described(image, memory)
        except NoSymbolsError:
            pass
        if _looks_like_python(path):
            symbols_missing = path
    raise _not_python(pid, images, symbols_missing)


def _candidates(pid: int, images: dict[str, int]) -> list[str]:
    try:
        executable = os.readlink(f"/proc/{pid}/exe").removesuffix(" (deleted)")  # noqa: PTH115 - no pathlib
    except OSError:
        executable = ""
    found = [path for path in images if _LIBPYTHON.match(os.path.basename(path))]  # noqa: PTH119 - no pathlib
    found += [path for path in (executable, next(iter(images), "")) if path in images]
    return list(dict.fromkeys(found))


def _looks_like_python(path: str) -> bool:
    name = os.path.basename(path)  # noqa: PTH119 - no pathlib
    return bool(_LIBPYTHON.match(name) or _PYTHON.match(name))


def _described(image: Image, memory: Readable) -> PythonImage:
    version = image.symbol("Py_Version")
    return PythonImage(
        image=image,
        path=image.path,
        version_hex=int.from_bytes(memory.read(version.address, 8), "little") & 0xFFFFFFFF
        if version
        else None,
        free_threaded=bool(_FREE_THREADED.search(os.path.basename(image.path)))  # noqa: PTH119 - no pathlib
        or image.symbol(_FREE_THREADED_MARK) is not None,
    )


def _not_python(pid: int, images: dict[str, int], symbols_missing: str | None) -> AttachError:
    if symbols_missing is not None:
        return AttachError(
            f"process {pid} is Python without the symbols that attaching needs ({symbols_missing})",
            fix="start it with `dstop run` next time",
        )
    if any("libpypy" in path for path in images):
        return AttachError(f"process {pid} is PyPy, not CPython", fix="PyTorch runs on CPython: give its pid")
    name = os.path.basename(next(iter(images), "a kernel thread"))  # noqa: PTH119 - no pathlib
    return NotTorchError(
        f"process {pid} ({name}) is not a Python process", fix="give the pid of the process that runs PyTorch"
    )
