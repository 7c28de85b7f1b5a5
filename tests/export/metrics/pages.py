"""Pages as their readers see them."""

from __future__ import annotations

from prometheus_client.openmetrics.parser import text_string_to_metric_families

from dstop.export.metrics.moment import Moment
from dstop.export.metrics.page import page
from dstop.export.metrics.text import openmetrics
from dstop.testing import make_frame


def moment(sample=None, **changes):
    """Give a fresh moment of a machine; a change may be one of the frame or of the moment."""
    of_moment = {
        name: changes.pop(name)
        for name in list(changes)
        if name in {"age_s", "counts", "most_processes", "most_findings", "version", "cpu_s", "read_s"}
    }
    return Moment(frame=make_frame(sample, **changes), **{"age_s": 0.5, **of_moment})


def read(found):
    """Write a moment's page in OpenMetrics, and give what the library's parser makes of it: samples by name."""
    samples = {}
    for family in text_string_to_metric_families(openmetrics(page(found)).decode()):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append(sample)
    return samples


def value(samples, name, /, **labels):
    """Give the one sample of a name that has these labels, or None."""
    found = [
        sample.value
        for sample in samples.get(name, ())
        if all(sample.labels.get(key) == text for key, text in labels.items())
    ]
    assert len(found) <= 1, (name, labels, found)
    return found[0] if found else None
