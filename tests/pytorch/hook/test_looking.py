"""Looking through a process' objects leaves its memory as it is."""

from __future__ import annotations

from typing import Any

import pytest

MINORS = [f"3.{minor}" for minor in range(9, 14)]
"""From 3.14 on the collector has other generations."""
STAGE = """
import gc
class Model: pass
class Tensor: pass
model = Model()
gc.collect()
gc.disable()
tensor = Tensor()
scope_of_hook = hook["instances"].__globals__
real, held = scope_of_hook["_lineage"], []
def lineage(kind):
    if kind is Model:
        held.append(sum(type(other) is list for other in gc.get_referrers(tensor)))
    return real(kind)
scope_of_hook["_lineage"] = lineage
found = hook["instances"]((Model, Tensor), 1e18, {})
"""


@pytest.mark.parametrize("minor", MINORS)
def test_a_young_object_is_not_held_while_old_ones_are_looked_at(
    minor: str, pythons: dict[str, str], hosts: Any
) -> None:
    """A list of all objects would keep a step's tensors alive: the next step's would need more of the card."""
    if minor not in pythons:
        pytest.skip(f"no Python {minor} on this machine")
    host = hosts.start(pythons[minor])
    host.take_hook()
    host.do(STAGE)
    assert host.value("[len(each) for each in found]") == [1, 1]
    assert host.value("held") == [0]
