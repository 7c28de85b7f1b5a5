"""Torches that are absent, half imported, old or odd: each part degrades by itself and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

TORCH = """
__version__ = "2.0.1"
import sys, types
class _C: pass
_C = types.ModuleType("torch._C")
cuda = types.ModuleType("torch.cuda")
cuda.up, cuda._queued_calls = False, []
cuda.is_initialized = lambda: cuda.up
cuda._is_in_bad_fork = lambda: False
cuda.get_allocator_backend = lambda: "native"
version = types.SimpleNamespace(cuda="11.7")
class Properties: name, total_memory = "Old GPU", 1 << 30
cuda.get_device_properties = lambda index: Properties
cuda.memory = types.SimpleNamespace(_snapshot=lambda: {"segments": [], "device_traces": [[1, 2, 3]]})
_C._cuda_getDeviceCount = lambda: 2
_C._cuda_memoryStats = lambda index: {"segment": {"all": {"allocated": index}}}
def init():
    for call, _ in cuda._queued_calls: call()
    cuda.up = True
"""


@pytest.fixture
def host(hosts: Any, tmp_path: Path) -> Any:
    """Give a process that can import an old torch, with the hook in it already."""
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").write_text(TORCH)
    host = hosts.start()
    host.do(f"import sys; sys.path.insert(0, {str(tmp_path)!r})")
    host.before = host.value("len(sys.meta_path)")
    host.wire = hosts.talk(host.take_hook())
    return host


def test_looking_for_torch_is_not_importing_it(hosts: Any, host: Any) -> None:
    """Transformers asks `find_spec("torch")` first: the finder stays until torch has run, and is gone then."""
    host.do(
        "import importlib.util\nfor _ in range(3): assert importlib.util.find_spec('torch').name == 'torch'"
    )
    assert host.value("len(sys.meta_path)") == host.before + 1
    host.do("import torch")
    assert host.value("len(sys.meta_path)") == host.before
    assert host.value("'exec_module' in vars(torch.__spec__.loader)") is False
    hosts.wait_until(lambda: host.value("len(torch.cuda._queued_calls)") == 1)
    assert host.wire.ask("hello")["torch"] == "2.0.1"


def test_an_import_that_fails_is_waited_for_again(host: Any, hosts: Any, tmp_path: Path) -> None:
    """The error is the program's own, and the next import is noticed."""
    path = tmp_path / "torch" / "__init__.py"
    path.write_text("raise OSError('no libcudart')")
    with pytest.raises(hosts.error, match="OSError: no libcudart"):
        host.do("import torch")
    assert host.value("len(sys.meta_path)") == host.before + 1
    path.write_text(TORCH)
    host.do("import importlib; importlib.invalidate_caches(); import torch")
    assert host.value("len(sys.meta_path)") == host.before


def test_a_torch_that_is_being_imported_is_not_touched(host: Any) -> None:
    """Half a module has half its names: nothing of it is asked."""
    host.do("import torch; torch.init(); torch.__spec__._initializing = True")
    assert host.wire.ask("stats")["unavailable"]["devices"] == "torch is being imported"


def test_an_old_torch_gives_what_it_has(hosts: Any, host: Any) -> None:
    """Before 2.1 there is no safe observer and no way to know of recordings; figures and snapshots are there."""
    host.do("import torch; torch.init()")
    hosts.wait_until(lambda: "2.1" in host.wire.ask("hello")["unavailable"].get("black_box", ""))
    stats = host.wire.ask("stats")
    assert [device["index"] for device in stats["devices"]] == [1]
    assert stats["host"] is None
    assert "pinned" in stats["unavailable"]["host"]
    assert "2.1" in host.wire.ask("history", enabled=True)["error"]
    assert host.wire.ask("segments")["segments"] == []
    hello = host.wire.ask("hello")
    assert hello["devices"][0]["name"] == "Old GPU"
    assert hello["devices"][0]["pci_bus_id"] is None
    assert hello["errors"] == 0


def test_the_host_is_not_frozen_for_a_map(host: Any) -> None:
    """Where torch cannot leave the events of the program's own recording out, the map is refused with its reason."""
    host.do("import torch; torch.init(); torch._C._cuda_isHistoryEnabled = lambda: True")
    for op in ("segments", "sites"):
        assert "without all recorded events" in host.wire.ask(op)["error"]


def test_a_pluggable_allocator_without_counters_is_told(host: Any) -> None:
    """The device is named, its counters are null, and the reason stands beside them."""
    host.do("""
import torch; torch.init()
torch.cuda.get_allocator_backend = lambda: "pluggable"
torch._C._cuda_hasPrimaryContext = lambda index: index == 0
def no(index): raise RuntimeError("does not yet support getDeviceStats")
torch._C._cuda_memoryStats = no
""")
    reply = host.wire.ask("stats")
    assert [(device["index"], device["stats"]) for device in reply["devices"]] == [(0, None)]
    assert "pluggable" in reply["unavailable"]["stats"]
    assert "pluggable" in host.wire.ask("history", enabled=True)["error"]


def test_a_torch_without_cuda_is_told(host: Any) -> None:
    """A build for the CPU has nothing to show, and no waiting helps."""
    host.do("import torch; del torch._C._cuda_memoryStats")
    assert host.wire.ask("stats")["unavailable"]["devices"] == "this torch was built without CUDA"
