"""Everything a colleague needs to look at a failure, in one file that may leave the machine.

What is in it was read and written anew: no byte of a log, an incident or a snapshot is copied.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import TYPE_CHECKING

from dstop.doctor.redact_text import Redactor
from dstop.doctor.redact_value import redacted, redacted_incident
from dstop.errors import DstopError
from dstop.export.bundle_readme import Left, readme_text
from dstop.export.doctor_html import report_html
from dstop.export.doctor_json import report_object
from dstop.export.doctor_markdown import report_markdown
from dstop.export.incident_json import incident_text
from dstop.export.values import clean
from dstop.pytorch.incident.place import is_incident_name
from dstop.units import KIB, MIB

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from dstop.doctor.text.values import LogText
    from dstop.model.diagnosis import Report
    from dstop.pytorch.incident.values import Incident

LOGS_BYTES = 4 * MIB
"""Of the text of all logs together; one that has more keeps its beginning and its end."""
_PREFIX = 11
"""What a line has beside its text: its number and a bar, which dstop reads past as it does with those of launchers."""
MOST_LOGS = 64
MOST_INCIDENTS = 32
_OUTPUT_BYTES = 512 * KIB
_TEXTS = ("output", "summary", "stacks")
"""What an incident may have beside its record, and is text."""
_TIME = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip can say: the same input gives the same bytes."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 60
_FILE_MODE = 0o100644 << 16


def bundle_bytes(
    report: Report, logs: Sequence[LogText], incidents: Sequence[Incident], snapshots: Sequence[Path] = ()
) -> bytes:
    """Pack a report with what it was made from, without secrets and people; snapshots are named and left out."""
    redactor = Redactor()
    left = [
        Left(
            name=f"the memory snapshot {_safe(redactor.line(path.name))}",
            why="it may be large, and names code",
        )
        for path in snapshots
    ]
    shown = redacted(report, redactor)
    members = {
        "report.json": json.dumps(report_object(shown), indent=1, allow_nan=False) + "\n",
        "report.md": report_markdown(shown),
        "report.html": report_html(shown),
    }
    members |= dict(_logs(logs[:MOST_LOGS], redactor))
    for place, incident in enumerate(incidents[:MOST_INCIDENTS]):
        members |= dict(_incident(incident, _folder(incident.name, place, members), redactor, left))
    for what, given, most in (("logs", logs, MOST_LOGS), ("incidents", incidents, MOST_INCIDENTS)):
        if len(given) > most:
            left.append(
                Left(name=f"{len(given) - most} of the {what}", why=f"only the first {most} are kept")
            )
    packed = {name: clean(text).encode() for name, text in members.items()}
    packed["README.txt"] = readme_text(
        {name: len(data) for name, data in packed.items()}, redactor.counts, left
    ).encode()
    return _zip(packed)


def _zip(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _TIME)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.create_system = 3
            info.external_attr = _FILE_MODE
            archive.writestr(info, members[name])
    return file.getvalue()


def _logs(logs: Sequence[LogText], redactor: Redactor) -> Iterator[tuple[str, str]]:
    for place, log in enumerate(logs):
        shown = redactor.line(log.name)
        yield (
            f"logs/{place:02}-{_safe(shown)}.txt",
            "\n".join(_log(log, shown, redactor, LOGS_BYTES // len(logs))) + "\n",
        )


def _log(log: LogText, name: str, redactor: Redactor, most: int) -> Iterator[str]:
    yield f"# {name}: {len(log.lines):,} of {log.total_lines:,} lines, of {log.total_bytes:,} bytes"
    for note in log.notes:
        yield f"# {redactor.line(note)}"
    texts = [line.text for line in log.lines]
    begin, end = _kept(texts, most)
    parts = [*log.lines[:begin], None, *log.lines[end:]] if begin < end else list(log.lines)
    shown = redactor.lines("" if line is None else line.text[:most] for line in parts)
    for line, text in zip(parts, shown, strict=True):
        if line is None:
            yield f"# {end - begin:,} lines are left out here: the bundle has a bound"
        else:
            yield text if line.number is None else f"{line.number:<7} | {text}".rstrip()


def _kept(texts: Sequence[str], most: int) -> tuple[int, int]:
    """Give which lines are left out, so that half of the room goes to the beginning and half to the end."""
    if sum(len(text) + _PREFIX for text in texts) <= most:
        return len(texts), len(texts)
    begin, room = 0, most // 2
    while begin < len(texts) and (room := room - len(texts[begin]) - _PREFIX) >= 0:
        begin += 1
    end, room = len(texts), most // 2
    while end > begin and (room := room - len(texts[end - 1]) - _PREFIX) >= 0:
        end -= 1
    return begin, end


def _folder(name: str, place: int, taken: Collection[str]) -> str:
    """Give the folder of an incident: its own name, by which dstop knows it for one, where that is possible."""
    if is_incident_name(name) and f"incidents/{name}/incident.json" not in taken:
        return f"incidents/{name}"
    return f"incidents/{place:02}-{_safe(name)}"


def _incident(
    incident: Incident, folder: str, redactor: Redactor, left: list[Left]
) -> Iterator[tuple[str, str]]:
    files: dict[str, str] = {}
    for role in _TEXTS:
        if role in incident.files and (text := _text_of(incident, role, redactor, left)) is not None:
            files[role] = f"{role}.txt"
            yield f"{folder}/{role}.txt", text
    if "snapshot" in incident.files:
        size = _size(incident, incident.files["snapshot"])
        left.append(
            Left(
                name=f"the memory snapshot of {_safe(incident.name)}",
                why="it may be large, and names code",
                bytes=size,
            )
        )
    yield f"{folder}/incident.json", incident_text(redacted_incident(incident, redactor), files)


def _text_of(incident: Incident, role: str, redactor: Redactor, left: list[Left]) -> str | None:
    from dstop.doctor.text.read import log_of_text  # noqa: PLC0415 - only where an incident has text
    from dstop.pytorch.incident.read import read_file  # noqa: PLC0415 - as above

    try:
        data = read_file(incident, role, _OUTPUT_BYTES)
    except DstopError:
        size = _size(incident, incident.files[role])
        left.append(
            Left(
                name=f"the {role} of {_safe(incident.name)}",
                why="it is too large, or cannot be read",
                bytes=size,
            )
        )
        return None
    if data is None:
        return None
    lines = log_of_text(data.decode(errors="replace"), role).lines
    return "\n".join(redactor.lines(line.text for line in lines)) + "\n"


def _size(incident: Incident, name: str) -> int | None:
    try:
        return (incident.directory / _safe(name)).lstat().st_size
    except OSError:
        return None


def _safe(name: str) -> str:
    """Give the last part of a path as a name that no system takes for anything but a file's."""
    base = re.split(r"[/\\]", name.rstrip("/\\"))[-1]
    return _UNSAFE.sub("-", base).strip(".-")[-_LONGEST_NAME:].lstrip(".-") or "unnamed"
