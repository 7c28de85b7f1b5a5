"""Rates from counters, GPM samples, fields and slices, against a twin of the driver."""

from __future__ import annotations

import ctypes
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dstop.model.gpu import Activity
from dstop.sources.nvml.card import Card
from dstop.sources.nvml.fields import ALL_LINKS, NVLINK_COUNT, NVLINK_DATA_RX, read_fields
from dstop.sources.nvml.figures import Figures
from dstop.sources.nvml.gpm import GpmMeter
from dstop.sources.nvml.lazy import LazyFigures
from dstop.sources.nvml.links import NvlinkMeter
from dstop.sources.nvml.mig import read_layout
from dstop.sources.nvml.reasons import absent

pynvml = pytest.importorskip("pynvml")


def fields_driver(twin_driver, counters):
    """Give a driver whose numbered fields are these: (field, scope) -> number or error code below zero."""

    def fill(_handle, count, values):
        # The element after the last is ours to lend: a driver may write there.
        values[count.value].fieldId = 999
        for value in values[: count.value]:
            number = counters.get((value.fieldId, value.scopeId), -3)
            value.nvmlReturn, value.valueType = (0, 3) if number >= 0 else (-number, 0)
            value.value.ullVal = max(0, number)
        return 0

    driver = twin_driver(nvmlDeviceGetFieldValues=fill)
    driver.nvml = pynvml
    return driver


def nvlink(tx, rx):
    """Give the sums over all links, in KiB."""
    return {(138, ALL_LINKS): tx, (NVLINK_DATA_RX, ALL_LINKS): rx}


def test_nvlink_rates_are_differences_over_time(twin_driver):
    """The first reading gives no rate but a reason; the second gives bytes a second in both directions."""
    counters = nvlink(1000, 5000)
    meter, figures = NvlinkMeter(fields_driver(twin_driver, counters)), Figures()
    meter.read("h", figures, 10.0)
    assert figures.values["nvlink_tx_bytes_s"] is None
    assert "two readings" in figures.reasons()["nvlink_tx_bytes_s"]
    counters.update(nvlink(1200, 5100))
    meter.read("h", figures, 12.0)
    assert figures.values == {"nvlink_tx_bytes_s": 100 * 1024, "nvlink_rx_bytes_s": 50 * 1024}


def test_a_counter_that_starts_over_is_no_negative_rate(twin_driver):
    """After a reset of the links there is one reading without a rate."""
    counters = nvlink(1000, 1000)
    meter, figures = NvlinkMeter(fields_driver(twin_driver, counters)), Figures()
    meter.read("h", figures, 10.0)
    counters.update(nvlink(5, 1000))
    meter.read("h", figures, 11.0)
    assert figures.values["nvlink_tx_bytes_s"] is None
    assert "started over" in figures.reasons()["nvlink_tx_bytes_s"]
    assert figures.values["nvlink_rx_bytes_s"] == 0


def test_links_are_added_where_the_driver_has_no_sum(twin_driver):
    """An older driver gives each link; a link that is down does not spoil the sum."""
    counters = {(NVLINK_COUNT, 0): 3, (138, 0): 100, (138, 2): 50, (139, 0): 1, (139, 1): 1, (139, 2): 1}
    meter, figures = NvlinkMeter(fields_driver(twin_driver, counters)), Figures()
    meter.read("h", figures, 10.0)
    counters.update({(138, 0): 110, (138, 2): 60})
    meter.read("h", figures, 11.0)
    assert figures.values["nvlink_tx_bytes_s"] == 20 * 1024


def test_a_board_without_nvlink_says_so(twin_driver):
    """Refused counters are a reason in both directions."""
    figures = Figures()
    NvlinkMeter(fields_driver(twin_driver, {})).read("h", figures, 1.0)
    assert figures.reasons()["nvlink_rx_bytes_s"] == "not supported on this board"


@given(kind=st.integers(0, 300), code=st.integers(0, 40))
def test_a_field_of_any_kind_is_a_number_or_a_reason(kind, code):
    """Whatever type and return code the driver writes, a field never raises."""

    def fill(_handle, _count, values):
        values[0].nvmlReturn, values[0].valueType = code, kind
        return 0

    driver = SimpleNamespace(nvml=pynvml, raw=lambda _name, *args: fill(*args))
    (value,) = read_fields(driver, "h", [(82, 0)])
    assert isinstance(value, int | float) or value.reason


def gpm_driver(twin_driver, values, *, supported=1):
    """Give a driver with GPM whose metrics are these."""
    taken = iter(range(100))

    def metrics(query):
        for place in range(query.numMetrics):
            query.metrics[place].value, query.metrics[place].nvmlReturn = values[place]
        return query

    driver = twin_driver(
        nvmlGpmQueryDeviceSupport=SimpleNamespace(isSupportedDevice=supported),
        nvmlGpmSampleAlloc=pynvml.c_nvmlGpmSample_t,
        nvmlGpmSampleGet=lambda _handle, sample: (next(taken), sample)[1],
        nvmlGpmSampleFree=None,
        nvmlGpmMetricsGet=metrics,
    )
    driver.nvml = pynvml
    return driver


def test_gpm_says_what_happened_between_two_samples(twin_driver):
    """The second reading gives the four figures; one that failed or cannot be true is absent."""
    meter = GpmMeter(gpm_driver(twin_driver, [(93.0, 0), (41.0, 0), (float("nan"), 0), (5.0, 3)]))
    assert "two readings" in meter.read("h").reason
    assert meter.read("h") == Activity(sm_pct=93.0, sm_occupancy_pct=41.0)


def test_gpm_samples_are_given_back(twin_driver):
    """As many samples are freed as were taken, and once only."""
    driver = gpm_driver(twin_driver, [(1.0, 0)] * 4)
    meter = GpmMeter(driver)
    meter.read("h")
    meter.release()
    meter.release()
    names = [call[0] for call in driver.calls]
    assert names.count("nvmlGpmSampleAlloc") == names.count("nvmlGpmSampleFree") == 2


def test_a_board_before_hopper_says_so(twin_driver):
    """Where GPM is not supported the reason names what it needs, and no sample is taken."""
    driver = gpm_driver(twin_driver, [], supported=0)
    assert "Hopper" in GpmMeter(driver).read("h").reason
    assert "nvmlGpmSampleAlloc" not in [call[0] for call in driver.calls]


def test_lazy_figures_keep_their_own_pace(twin_driver):
    """However often it is asked, the driver is not made to measure more than about once a second."""
    driver = twin_driver(nvmlDeviceGetPcieThroughput=4)
    lazy = LazyFigures(driver, Figures())
    answers = [lazy.read("h", {"pcie"}, at) for at in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert answers == [True, False, False, False, True]
    assert len(driver.calls) == 4


def test_empty_places_between_slices_are_passed_over(twin_driver):
    """A slice after a hole in the driver's table is found; a slice that vanishes meanwhile is left out."""
    empty = {0, 2}
    driver = twin_driver(
        nvmlDeviceGetMaxMigDeviceCount=7,
        nvmlDeviceGetMigDeviceHandleByIndex=lambda _card, index: (
            absent(6) if index in empty else f"slice{index}"
        ),
        nvmlDeviceGetGpuInstanceId=lambda handle: absent(2) if handle == "slice3" else int(handle[-1]),
        nvmlDeviceGetComputeInstanceId=0,
        nvmlDeviceGetName="NVIDIA H100 MIG 1g.10gb",
        nvmlDeviceGetUUID="MIG-1",
    )
    found = read_layout(driver, "card")
    assert [one.gpu_instance_id for one in found] == [1, 4, 5, 6]
    assert {one.profile for one in found} == {"1g.10gb"}


def test_processes_of_slices_are_found_where_the_card_is_not_ours(twin_driver):
    """In a container with one slice the card refuses its list; the slice gives it and is named."""

    def processes(handle, count, buffer):
        if handle == "card":
            return 4
        ctypes.memmove(buffer, (1234).to_bytes(8, "little") + (2**30).to_bytes(8, "little") + b"\xff" * 8, 24)
        count._obj.value = 1
        return 0

    driver = twin_driver(nvmlDeviceGetComputeRunningProcesses_v3=processes)
    card = Card(driver, 0, pid_max=4194304)
    card.handle = "card"
    card._slices = (SimpleNamespace(handle="slice", gpu_instance_id=3, compute_instance_id=0),)
    (row,) = card._list("Compute", None).rows
    assert (row.pid, row.memory_bytes, row.gpu_instance_id, row.compute_instance_id) == (1234, 2**30, 3, 0)
