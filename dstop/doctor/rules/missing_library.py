"""A module or library is missing, or of another version

What it means
    Python, a CUDA extension or a shared library is not installed, or was built for another version of PyTorch, CUDA or the
    C library.

Evidence
    `No module named`, `undefined symbol`, `cannot open shared object file`, `cannot import name`, a DLL that fails to load,
    an instruction that this processor does not have.

Fix
    Install it in the environment that runs; rebuild the extension against the PyTorch that is installed, or pin both to a
    pair that fits.

When it is wrong
    An import that is tried and given up with a warning is no failure, if the run goes on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dstop.doctor.questions.innocent import not_memory
from dstop.doctor.rule import FITS, PROVEN, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.rule import Assessment

_PACKAGES = {
    "cv2": "opencv-python",
    "PIL": "pillow",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
    "flash_attn": "flash-attn --no-build-isolation",
}
"""Modules that are not called as their package is."""


def _examine(case: Case) -> Assessment | None:
    signs = case.all(
        "other.undefined_symbol",
        "other.missing_library",
        "other.missing_module",
        "other.cpu_instruction",
        "other.no_operator",
    )
    if not signs:
        return None
    sign = signs[-1]
    if any(step.place.order > sign.place.order for step in case.all("progress.step", "progress.done")):
        return None
    strength = (
        PROVEN + 3
        if case.traces
        or sign.kind in {"other.undefined_symbol", "other.cpu_instruction", "other.no_operator"}
        else FITS
    )
    if sign.kind == "other.missing_module":
        return not_memory(
            case, sign, strength, _of_module(sign.text), commands=_install(sign.values.get("module"))
        )
    if sign.kind == "other.missing_library":
        return not_memory(
            case, sign, strength, ("reinstall_extension", "pin_version", "upgrade_version", "change_config")
        )
    return not_memory(case, sign, strength, ("reinstall_extension", "pin_version", "upgrade_version"))


def _of_module(text: str) -> tuple[str, ...]:
    if "cannot import name" in text:
        return ("pin_version", "upgrade_version", "reinstall_extension")
    return ("reinstall_extension", "upgrade_version", "pin_version", "change_config")


def _install(module: object) -> dict[str, str]:
    if not module:
        return {}
    package = str(module).split(".")[0]
    return {"reinstall_extension": f"python -m pip install --no-cache-dir {_PACKAGES.get(package, package)}"}


RULE = Rule(
    id="DS918",
    name="missing-library",
    cause="not_memory",
    title="A module or library is missing, or of another version",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        """Traceback (most recent call last):
  File "/app/train.py", line 3, in <module>
    import flash_attn
ModuleNotFoundError: No module named 'flash_attn'
""",
        "ImportError: /opt/venv/lib/python3.11/site-packages/flash_attn_2_cuda.cpython-311-x86_64-linux-gnu.so: undefined symbol: _ZN3c104cuda9SetDeviceEi\n",
        "OSError: libcudart.so.11.0: cannot open shared object file: No such file or directory\n",
    ),
    near_miss=(
        "RuntimeError: Found no NVIDIA driver on your system.\n",
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 23.57 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 23.25 GiB memory in use. Of the allocated memory 22.41 GiB is allocated by PyTorch, and 401.20 MiB is reserved by PyTorch but unallocated.\n",
    ),
)
