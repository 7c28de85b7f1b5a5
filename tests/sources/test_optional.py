"""A source that may have no driver behind it."""

from __future__ import annotations

import pytest

from dstop.errors import SourceError
from dstop.sources.optional import OptionalDriver
from dstop.testing import FakeSource, make_sample


def test_a_driver_that_is_there_is_read_as_it_is():
    """Nothing changes where there is a driver."""
    sample = make_sample(2)
    assert OptionalDriver(FakeSource([sample])).read() == sample


def test_without_a_driver_the_host_is_told_and_the_reason():
    """A machine without a driver has no GPUs, and a notice that says why."""
    sample = OptionalDriver(FakeSource([SourceError("no driver", fix="install one")])).read()
    assert (sample.gpus, sample.processes) == ((), ())
    assert sample.notices == ("no figures of any GPU: no driver: install one",)
    assert sample.host.name


def test_a_driver_that_goes_is_a_problem_and_not_a_machine_without_gpus():
    """Once there were figures, their end is told as everywhere else."""
    source = OptionalDriver(FakeSource([make_sample(1), SourceError("gone")]))
    source.read()
    with pytest.raises(SourceError, match="gone"):
        source.read()
