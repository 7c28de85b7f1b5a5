"""What the tests share: a GPU machine that is not there."""

from __future__ import annotations

import fcntl
import importlib.util
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType


def _load_rig() -> ModuleType:
    path = Path(__file__).parent / "nvmlsim" / "rig.py"
    spec = importlib.util.spec_from_file_location("nvmlsim_rig", path)
    if spec is None or spec.loader is None:
        raise ImportError(str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


_rig = _load_rig()


def _built(tmp_path_factory: pytest.TempPathFactory, name: str, *flags: str) -> Path:
    """Build once a run: the workers of xdist share the folder above their own."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder = shared / name
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "dummyload").exists():
            try:
                _rig.build(folder, *flags)
            except FileNotFoundError as reason:
                pytest.skip(str(reason))
    return folder


@pytest.fixture(scope="session")
def nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder that holds a simulated libnvidia-ml.so.1 of a current driver."""
    return _built(tmp_path_factory, "nvmlsim")


@pytest.fixture(scope="session")
def old_nvml_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder that holds one of driver 470, which lacks the newer functions."""
    return _built(tmp_path_factory, "nvmlsim-old", "-DNVMLSIM_OLD")


@pytest.fixture(scope="session")
def nvml_535_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder that holds one of driver 535.54, whose process rows are longer than its header said."""
    return _built(tmp_path_factory, "nvmlsim-535", "-DNVMLSIM_535")


@pytest.fixture
def rig(
    nvml_library: Path, old_nvml_library: Path, nvml_535_library: Path, tmp_path: Path
) -> Iterator[object]:
    """Give a simulated GPU machine: see `Rig` in nvmlsim/rig.py for what it can do."""
    folder = tmp_path / "rig"
    folder.mkdir()
    machine = _rig.Rig(nvml_library, old_nvml_library, nvml_535_library, folder)
    yield machine
    machine.close()
