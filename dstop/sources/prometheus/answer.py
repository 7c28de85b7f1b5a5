"""What a Prometheus server answers, read into values that are small, however much it says.

The API is Prometheus's own (prometheus.io/docs/prometheus/latest/querying/api: instant queries); Thanos, Mimir and
VictoriaMetrics speak it too. Only labels that are known here take memory: the others are skipped as they are read.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import msgspec

from dstop.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_WORDS = 160
MOST_LABEL = 256


class Labels(msgspec.Struct, rename={"metric": "__name__"}, gc=False):
    """The labels of a series, as far as the fleet knows them; an absent one is empty, as in Prometheus."""

    metric: str = ""
    job: str = ""
    instance: str = ""
    gpu: str = ""
    mig: str = ""
    uuid: str = ""
    name: str = ""
    hostname: str = ""
    driver_version: str = ""
    simulated: str = ""
    reason: str = ""
    xid: str = ""
    pid: str = ""
    command: str = ""
    user: str = ""
    job_id: str = ""
    rank: str = ""
    rule: str = ""
    cause: str = ""
    severity: str = ""
    UUID: str = ""
    Hostname: str = ""
    modelName: str = ""  # noqa: N815 - DCGM's own name
    GPU_I_ID: str = ""
    GPU_I_PROFILE: str = ""
    index: str = ""
    devicename: str = ""
    username: str = ""
    exported_gpu: str = ""
    exported_instance: str = ""


class Series(msgspec.Struct, gc=False):
    """One sample of an instant query."""

    metric: Labels
    value: tuple[float, str]

    @property
    def number(self) -> float | None:
        """The figure; None where it is none, or not finite: Prometheus writes them as `NaN` and `+Inf`."""
        try:
            number = float(self.value[1])
        except ValueError:
            return None
        return number if math.isfinite(number) else None


class _Data(msgspec.Struct, rename="camel"):
    result: list[Series] = []
    result_type: str = ""


class _Answer(msgspec.Struct, rename="camel"):
    status: Literal["success"]
    data: _Data
    warnings: list[str] = []


class _Refusal(msgspec.Struct, rename="camel"):
    status: Literal["error"]
    error: str = ""
    error_type: str = ""


_ANSWER = msgspec.json.Decoder(_Answer)
_REFUSAL = msgspec.json.Decoder(_Refusal)


def read_answer(data: bytes) -> tuple[Sequence[Series], Sequence[str]]:
    """Read the answer to an instant query: its series and the server's warnings.

    Raises:
        SourceError: it is no such answer, or is cut off.
    """
    try:
        found = _ANSWER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _no_answer(data, error) from None
    if found.data.result_type != "vector":
        raise SourceError("the server answers with something else than a vector", fix="is it Prometheus?")
    return found.data.result, [words(text) for text in found.warnings[:8]]


def refusal(data: bytes) -> str | None:
    """Give what an answer with an error says; None where it is none of Prometheus's."""
    try:
        found = _REFUSAL.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return words(found.error or found.error_type)


def words(text: str) -> str:
    """Make what a server says fit one line."""
    line = " ".join(text[: 4 * MOST_WORDS].split())
    line = "".join(char if char.isprintable() else "?" for char in line)
    return line if len(line) <= MOST_WORDS else f"{line[: MOST_WORDS - 1]}…"


def _no_answer(data: bytes, error: Exception) -> SourceError:
    said = refusal(data)
    if said is not None:
        return SourceError(f"the server refuses the query: {said}", fix="look at its log")
    head = data[:64].lstrip().lower()
    if head.startswith(b"<"):
        return SourceError(
            "the server answers with a web page, not with Prometheus's API",
            fix="name the address of Prometheus itself, with its path prefix, without a login page in front",
        )
    if isinstance(error, msgspec.DecodeError) and "truncated" in str(error):
        return SourceError("the server's answer is cut off", fix="look for a proxy between that has a limit")
    return SourceError("the server's answer is not that of Prometheus's API", fix="is it Prometheus?")
