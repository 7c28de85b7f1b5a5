"""What a snapshot of the hook's says of its storages: names, found by type alone, whatever the classes are like."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dstop.snapshot.load import load_snapshot

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
import torch, weakref
from torch import nn
class Nasty(nn.Module):
    asked = []
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(300, 100))
        self.register_buffer("mean", torch.zeros(700))
        self.register_buffer("nothing", None)
    def __getattr__(self, name):
        Nasty.asked.append(name)
        return super().__getattr__(name)
    @property
    def __class__(self):
        Nasty.asked.append("class")
        return Nasty
class Wrapped(torch.Tensor):
    asked = []
    @staticmethod
    def __new__(cls, inner):
        made = torch.Tensor._make_wrapper_subclass(cls, inner.shape, device=inner.device, dtype=inner.dtype)
        made.inner = inner
        return made
    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        cls.asked.append(str(function))
        return function(*(a.inner if isinstance(a, cls) else a for a in args), **(kwargs or {}))
model = nn.Sequential(nn.Linear(100, 200), Nasty(), nn.Sequential(nn.Linear(200, 200, bias=False))).cuda()
model[2].tied = model[2][0].weight
model.register_buffer("wrapped", Wrapped(torch.zeros(50, device="cuda")))
model.meta = nn.Linear(10, 10, device="meta")
alone = torch.zeros(4000, device="cuda", requires_grad=True)
optimizer = torch.optim.AdamW([p for p in model.parameters() if not p.is_meta] + [alone])
(model[2](model[0](torch.zeros(7, 100, device="cuda"))).sum() + alone.sum()).backward()
optimizer.step()
def has(tensor): return [tensor.untyped_storage().data_ptr(), tensor.untyped_storage().nbytes()]
truth = {
    "parameter 0.weight": has(model[0].weight), "parameter 0.bias": has(model[0].bias),
    "parameter 1.weight": has(model[1].weight), "buffer 1.mean": has(model[1].mean),
    "parameter 2.tied": has(model[2][0].weight), "parameter parameter 4 of AdamW": has(alone),
    "gradient 0.weight": has(model[0].weight.grad), "gradient 0.bias": has(model[0].bias.grad),
    "gradient 2.tied": has(model[2][0].weight.grad), "gradient parameter 4 of AdamW": has(alone.grad),
}
for name, owner in [("0.weight", model[0].weight), ("0.bias", model[0].bias), ("2.tied", model[2][0].weight),
                    ("parameter 4 of AdamW", alone)]:
    for key in ("exp_avg", "exp_avg_sq"):
        truth["optimizer_state %s of %s" % (key, name)] = has(optimizer.state[owner][key])
Nasty.asked.clear()
Wrapped.asked.clear()
"""


def _take(host: Any, path: Path) -> Any:
    with path.open("wb") as file:
        assert host.wire.ask("snapshot", [file.fileno()], traces=False, gzip=True)["ok"]
    return load_snapshot(path)


@pytest.fixture
def named(hosts: Any, cudasim: Any) -> Any:
    """Give a process with a model, an optimizer and classes that notice whoever asks them."""
    host = hosts.start(cudasim.python, **cudasim.environment())
    host.take_hook(how="run")
    host.do(PROGRAM + "hook['with_names'].__defaults__ = (99.0,)")  # machines that run tests are busy
    host.wire = hosts.talk(host.value("hook['start']()"))
    return host


def test_storages_have_the_names_of_their_tensors(named: Any, tmp_path: Path) -> None:
    """Parameters, buffers, gradients and optimizer state, each at the address and with the bytes that torch tells."""
    found = {f"{each.kind} {each.name}": each for each in _take(named, tmp_path / "file").names}
    assert {name: [each.address, each.size_bytes] for name, each in found.items()} == named.value("truth")
    assert {each.device for each in found.values()} == {0}


def test_nobody_is_asked_and_nothing_is_kept(named: Any, tmp_path: Path) -> None:
    """No `__getattr__`, no `__class__`, no dispatch runs; no memory is taken; and the model can go."""
    before = named.value("torch.cuda.memory_allocated()")
    _take(named, tmp_path / "file")
    assert named.value("[Nasty.asked, Wrapped.asked]") == [[], []]
    assert named.value("torch.cuda.memory_allocated()") == before
    named.do("gone = weakref.ref(model[2]); del model, optimizer, owner; import gc; gc.collect()")
    assert named.value("gone() is None")
    assert not any(each.name.startswith("0.") for each in _take(named, tmp_path / "later").names)


def test_a_failure_is_named_too(hosts: Any, named: Any) -> None:
    """The black box' snapshot of an out-of-memory error has the same names."""
    named.do("hook['OOM_NAMES_S'] = 99.0")  # machines that run tests are busy
    with pytest.raises(hosts.error, match="OutOfMemoryError"):
        named.do("torch.empty(1 << 40, device='cuda')")
    (path,) = (named.directory / "found").glob("*/snapshot.pickle.gz")
    assert {f"{each.kind} {each.name}" for each in load_snapshot(path).names} == set(
        named.value("list(truth)")
    )


def test_no_time_and_no_torch_are_no_failure(named: Any, tmp_path: Path) -> None:
    """Without time for it a snapshot comes without names; where naming breaks, it comes all the same."""
    named.do("hook['with_names'].__defaults__ = (-1.0,)")
    assert _take(named, tmp_path / "late").names == ()
    named.do("hook['with_names'].__defaults__ = (9.0,); hook['instances'] = None")
    assert _take(named, tmp_path / "broken").segments
