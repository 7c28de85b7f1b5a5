"""What the doctor's tests share: what a snapshot told, by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from dstop.doctor.evidence.memory import Blocks, Kept, Memory
from dstop.model.segment import Place
from dstop.model.study import (
    CATEGORIES,
    Failure,
    Fragmentation,
    FreeRow,
    Growth,
    Moment,
    Pin,
    Share,
    SiteUse,
    Verdict,
)
from dstop.units import GIB, MIB

if TYPE_CHECKING:
    from collections.abc import Callable

LIBRARY = Place("/opt/venv/lib/python3.11/site-packages/torch/nn/functional.py", 2290, "linear")


def made_site(function: str = "forward", size_bytes: int = GIB, line: int = 31) -> SiteUse:
    """Give a site of the user's own file."""
    own = Place("/home/u/train.py", line, function)
    return SiteUse(
        size_bytes=size_bytes,
        blocks=1,
        category="activations",
        confidence="likely",
        places=(LIBRARY, own),
        own=own,
    )


def made_pin(free_bytes: int = 300 * MIB) -> Pin:
    """Give a block that pins a segment."""
    return Pin(
        segment_bytes=400 * MIB, free_bytes=free_bytes, block_bytes=20 * MIB, site=made_site("keep", line=7)
    )


def made_growth(per_step_bytes: int = 512 * MIB, steps: int = 8) -> Growth:
    """Give a site that holds more after each step."""
    return Growth(
        site=made_site("loss_of", line=60),
        per_step_bytes=per_step_bytes,
        steps=steps,
        held_bytes=tuple(per_step_bytes * step for step in range(steps + 1)),
    )


def made_kept(size_bytes: int, function: str = "forward") -> Kept:
    """Give what a phase left."""
    return Kept(size_bytes=size_bytes, site=made_site(function, size_bytes))


def made_verdict(
    fits: bool | None, *, spare_bytes: int = GIB, error_bytes: int = 0, what: str = "this change"
) -> Verdict:
    """Give a verdict: it fits with so much to spare, or lacks so much."""
    capacity = 22 * GIB
    return Verdict(
        what=what,
        setting="",
        fits=fits,
        capacity_bytes=capacity,
        peak_reserved_bytes=capacity - (spare_bytes if fits else 0),
        peak_live_bytes=20 * GIB,
        short_bytes=0 if fits else spare_bytes,
        headroom_bytes=spare_bytes if fits else -spare_bytes,
        error_bytes=error_bytes,
        until="the failed request",
    )


def made_row(
    free_bytes: int, hole_bytes: int, *, reserved_bytes: int = 21 * GIB, stream: int = 0, pool: int = 0
) -> FreeRow:
    """Give what one pool has on one stream."""
    return FreeRow(
        (0, pool),
        stream,
        small=False,
        reserved_bytes=reserved_bytes,
        active_bytes=reserved_bytes - free_bytes,
        free_bytes=free_bytes,
        largest_hole_bytes=hole_bytes,
        whole_segments_bytes=0,
    )


def made_memory(
    *,
    tried_bytes: int | None = GIB,
    phase: str = "forward",
    shares: dict[str, int] | None = None,
    rows: tuple[FreeRow, ...] = (),
    pins: tuple[Pin, ...] = (),
    verdicts: dict[str, Verdict] | None = None,
    function: str = "forward",
    **more: Any,
) -> Memory:
    """Give what a snapshot of a card told, at a refused request of 1 GiB with 512 MiB free; None: of a run that is well."""
    shares = {"activations": 10 * GIB, "parameters": 10 * GIB} if shares is None else shares
    live = sum(shares.values())
    rows = rows or (made_row(21 * GIB - live, 200 * MIB) if live < 21 * GIB else made_row(0, 0),)
    reserved, free = sum(row.reserved_bytes for row in rows), sum(row.free_bytes for row in rows)
    own = Place("/home/u/train.py", 31, function)
    failure = None
    if tried_bytes is not None:
        failure = Failure(
            event=900,
            time_us=None,
            request_bytes=tried_bytes,
            device_free_bytes=512 * MIB,
            live_bytes=live,
            reserved_bytes=reserved,
            stream=0,
            places=(LIBRARY, own),
            own=own,
        )
    told = [Share(name, shares[name], 1, 0, shares[name]) for name in CATEGORIES if name in shares]
    given: dict[str, Any] = {
        "source": "crash.pickle.gz",
        "device": 0,
        "events": 900,
        "failure": failure,
        "is_of_failure": failure is not None,
        "moment": Moment(
            event=900,
            time_us=None,
            live_bytes=live,
            reserved_bytes=reserved,
            static_bytes=0,
            phase=phase,
            step=None,
            shares=tuple(told),
            sites=(),
        ),
        "fragmentation": Fragmentation(
            reserved_bytes=reserved,
            active_bytes=reserved - free,
            free_bytes=free,
            reclaimable_bytes=0,
            split_bytes=free,
            largest_hole_bytes=max(row.largest_hole_bytes for row in rows),
            rows=rows,
            pins=pins,
        ),
        "blocks": Blocks(allocated_bytes=live, requested_bytes=live),
        "old_gradients": Kept(),
        "evaluated": Kept(),
        "updating": Kept(),
        "logits": Kept(),
        "steps": 3,
        "whole_peak_bytes": 22 * GIB,
        "replay": (verdicts or {}).get,
    }
    return Memory(**given | more)


class Made:
    """What builds the parts of a snapshot's story, under one name."""

    memory = staticmethod(made_memory)
    site = staticmethod(made_site)
    pin = staticmethod(made_pin)
    growth = staticmethod(made_growth)
    kept = staticmethod(made_kept)
    verdict = staticmethod(made_verdict)
    row = staticmethod(made_row)


@pytest.fixture(scope="session")
def made() -> Made:
    """Give the builders."""
    return Made()


@pytest.fixture
def asked_of() -> Callable[..., Any]:
    """Give what diagnoses a memory, alone or beside a log."""
    from dstop.doctor.read import report_of
    from dstop.doctor.text.read import log_of_text

    def ask(memory: Memory, log: str = "") -> Any:
        logs = [log_of_text(log, "crash.log")] if log else []
        return report_of(logs, memories=[memory])

    return ask
