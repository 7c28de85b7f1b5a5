"""Secrets and people out of whole values: a report, an incident; everything in them that is text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeVar

from dstop.sources.procfs.redaction import REDACTED, redact, redact_cmdline

if TYPE_CHECKING:
    from dstop.doctor.redact_text import Redactor
    from dstop.pytorch.incident.values import Incident

LONGEST = 16_384
"""Characters of one text."""
_Any = TypeVar("_Any")


def redacted(value: _Any, redactor: Redactor) -> _Any:
    """Give the value with every text in it redacted; figures stay, but for those that JSON cannot say."""
    found: Any = _redacted(value, redactor)
    return found  # type: ignore[no-any-return]


def redacted_incident(incident: Incident, redactor: Redactor) -> Incident:
    """Give an incident without secrets, and without the place where it lay; its name is its own."""
    told = redacted(replace(incident, cmdline=redact_cmdline(incident.cmdline), name=""), redactor)
    return replace(told, name=incident.name)


def _redacted(value: object, redactor: Redactor) -> object:
    if isinstance(value, str) and not isinstance(value, Enum):
        return _text(value, redactor)
    if isinstance(value, tuple):
        return tuple(_redacted(item, redactor) for item in value)
    if isinstance(value, Mapping):
        return {_text(str(key), redactor): _of_name(str(key), item, redactor) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{one.name: _redacted(getattr(value, one.name), redactor) for one in fields(value)}
        )
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _of_name(name: str, value: object, redactor: Redactor) -> object:
    if not isinstance(value, str):
        return _redacted(value, redactor)
    shown = redact({name: value})[name]
    if shown == REDACTED and value != REDACTED:
        return redactor.secret()
    return _text(shown, redactor)


def _text(text: str, redactor: Redactor) -> str:
    cut = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return "\n".join(redactor.lines(cut.split("\n")))
