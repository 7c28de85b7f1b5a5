"""GPM of Hopper and newer: how busy the parts of the chip really were between two moments.

It shares hardware counters with profilers and DCGM, so samples are held only while somebody looks.
"""

from __future__ import annotations

from math import isfinite
from typing import TYPE_CHECKING, Any

from dstop.model.gpu import Activity
from dstop.sources.nvml.reasons import Unavailable, absent

if TYPE_CHECKING:
    from dstop.sources.nvml.binding import Driver

SM_ACTIVE, SM_OCCUPANCY, ANY_TENSOR, DRAM_BANDWIDTH = 2, 3, 5, 10
"""nvml.h, nvmlGpmMetricId_t; all in percent."""
_METRICS = (SM_ACTIVE, SM_OCCUPANCY, ANY_TENSOR, DRAM_BANDWIDTH)
_TOO_OLD = Unavailable("needs Hopper or newer (GPM)")
_FIRST = Unavailable("needs two readings; the second comes with the next")


class GpmMeter:
    """A pair of samples of one GPU: the last one and the one before."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._refusal: Unavailable | None = None
        self._samples: list[Any] = []
        self._filled = 0
        self._query: Any = None

    def read(self, handle: object) -> Activity | Unavailable:
        """Take a sample and say what happened since the one before."""
        if self._refusal is None and not self._samples:
            self._refusal = self._prepare(handle)
        if self._refusal is not None:
            return self._refusal
        self._samples.reverse()
        taken = self._driver.ask("nvmlGpmSampleGet", handle, self._samples[1])
        if isinstance(taken, Unavailable):
            self._filled = 0
            return taken
        self._filled = min(2, self._filled + 1)
        return self._metrics() if self._filled == len(self._samples) else _FIRST

    def release(self) -> None:
        """Give the samples back to the driver; the next reading takes new ones."""
        samples, self._samples, self._filled, self._refusal = self._samples, [], 0, None
        for sample in samples:
            self._driver.ask("nvmlGpmSampleFree", sample)

    def _prepare(self, handle: object) -> Unavailable | None:
        support = self._driver.ask("nvmlGpmQueryDeviceSupport", handle)
        if isinstance(support, Unavailable):
            return support
        if not support.isSupportedDevice:
            return _TOO_OLD
        for _ in range(2):
            sample = self._driver.ask("nvmlGpmSampleAlloc")
            if isinstance(sample, Unavailable):
                self.release()
                return sample
            self._samples.append(sample)
        return None

    def _metrics(self) -> Activity | Unavailable:
        nvml = self._driver.nvml
        if self._query is None:
            self._query = nvml.c_nvmlGpmMetricsGet_t()
        query = self._query
        query.version, query.numMetrics = nvml.NVML_GPM_METRICS_GET_VERSION, len(_METRICS)
        query.sample1, query.sample2 = self._samples
        for place, metric in enumerate(_METRICS):
            query.metrics[place].metricId = metric
        answer = self._driver.ask("nvmlGpmMetricsGet", query)
        if isinstance(answer, Unavailable):
            return answer
        values = [_percent(query.metrics[place]) for place in range(len(_METRICS))]
        if all(value is None for value in values):
            return absent(int(query.metrics[0].nvmlReturn)) if query.metrics[0].nvmlReturn else _FIRST
        return Activity(
            sm_pct=values[0], sm_occupancy_pct=values[1], tensor_pct=values[2], dram_pct=values[3]
        )


def _percent(metric: Any) -> float | None:
    """Give a metric that was measured and can be true."""
    value = float(metric.value)
    if metric.nvmlReturn or not isfinite(value) or not 0 <= value <= 101:  # noqa: PLR2004 - rounding overshoots
        return None
    return min(value, 100.0)
