"""A zip for a colleague: the report, and the evidence it stands on, with secrets, names and addresses hidden."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import fields, is_dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from dstop.doctor.redact_text import Redactor
from dstop.export.doctor_html import report_html
from dstop.export.doctor_json import report_object
from dstop.export.doctor_markdown import report_markdown
from dstop.model.diagnosis import Confidence, Report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dstop.doctor.text.values import LogText
    from dstop.pytorch.incident.values import Incident

_MOST_BYTES = 64 << 20
"""Of all that is packed: what a mail or an issue tracker takes is less."""
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The same bundle of the same evidence is the same file."""
_README = """What dstop doctor found, and what it stands on.

report.html   the report; opens without a network
report.md     the same for an issue tracker
report.json   the same for programs
logs/         the lines that were read, with their numbers in the log
incidents/    black boxes, as they were understood

Hidden: tokens, passwords and keys; names of people in paths; e-mail and network addresses. One person, or one address,
has one name throughout. What is secret and does not look so may be left: look before you send it.
Memory snapshots are not in it; they lie beside the incidents that are named in the report.
"""


def bundle_bytes(report: Report, logs: Sequence[LogText], incidents: Sequence[Incident]) -> bytes:
    """Pack a bundle; of more than 64 MiB the last logs are left out, and README says so."""
    redactor = Redactor()
    hidden = _hidden(report, redactor)
    members = {
        "report.html": report_html(hidden),
        "report.md": report_markdown(hidden),
        "report.json": json.dumps(report_object(hidden), indent=1) + "\n",
    }
    for number, incident in enumerate(incidents):
        members[f"incidents/{number:02d}-{_safe(incident.name)}.json"] = (
            json.dumps(_plain(incident, redactor), indent=1) + "\n"
        )
    left_out: list[str] = []
    used = sum(len(text) for text in members.values())
    for number, log in enumerate(logs):
        text = _numbered(log, redactor)
        used += len(text)
        if used > _MOST_BYTES:
            left_out.append(f"left out, as too large: {redactor.line(log.name)}")
            continue
        members[f"logs/{number:02d}-{_safe(redactor.line(log.name))}.txt"] = text
    members["README.txt"] = _README + "".join(f"{line}\n" for line in left_out)
    return _zipped(members)


def _zipped(members: Mapping[str, str]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members):
            archive.writestr(
                zipfile.ZipInfo(name, _EPOCH), members[name].encode(errors="replace"), zipfile.ZIP_DEFLATED
            )
    return packed.getvalue()


def _hidden(report: Report, redactor: Redactor) -> Report:
    """Give the report with every text of it redacted; figures stay."""
    hidden = _map_texts(report, redactor)
    if not isinstance(hidden, Report):
        raise TypeError("a report is still a report when its texts are hidden")
    return hidden


def _map_texts(value: Any, redactor: Redactor) -> Any:
    if isinstance(value, str):
        return value if isinstance(value, Confidence) else redactor.line(value)
    if isinstance(value, tuple):
        return tuple(_map_texts(item, redactor) for item in value)
    if isinstance(value, dict):
        return {name: _map_texts(item, redactor) for name, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(
            **{field.name: _map_texts(getattr(value, field.name), redactor) for field in fields(value)}
        )
    return value


def _plain(value: Any, redactor: Redactor) -> Any:
    """Give a value as JSON takes it: it was parsed, and is written anew, so that nothing unknown goes with it."""
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, dict):
        return {redactor.line(str(name)): _plain(item, redactor) for name, item in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(item, redactor) for item in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name), redactor) for field in fields(value)}
    return redactor.line(str(value))


def _numbered(log: LogText, redactor: Redactor) -> str:
    hidden = redactor.lines(line.text for line in log.lines)
    numbers = ("" if line.number is None else str(line.number) for line in log.lines)
    lines = [f"{number:>9}  {text}" for number, text in zip(numbers, hidden, strict=True)]
    notes = [f"# {redactor.line(note)}" for note in log.notes]
    return "\n".join([*notes, *lines]) + "\n"


def _safe(name: str) -> str:
    """Give a name of a member: letters of one file's name, whatever the path was."""
    last = PurePath(name).name or "log"
    return re.sub(r"[^A-Za-z0-9._-]", "_", last).lstrip(".")[:80] or "log"
