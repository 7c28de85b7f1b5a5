"""`dstop doctor`: what happened, the proof, and the smallest fix, of what was named or of what is found nearby."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dstop.cli import terminal
from dstop.errors import DstopError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dstop.doctor.evidence.memory import Memory
    from dstop.doctor.text.values import LogText
    from dstop.draw.line import Line
    from dstop.model.diagnosis import Report
    from dstop.pytorch.incident.values import Incident
    from dstop.sources import Source

FINDINGS = 3
"""The exit code when there is a finding."""

_PIPE_PATIENCE_S = 1.0

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_AGE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s?([smhdw])")


def doctor_verb(sources: Sequence[str], options: Mapping[str, Any]) -> int:
    """Diagnose, write it in the face that was asked for, and give the exit code: 3 with a finding.

    Raises:
        UsageError: when the options contradict each other.
        DstopError: when what was named cannot be read.
    """
    if options["environment"]:
        if sources:
            raise UsageError("--environment looks at this machine", fix="leave the files out")
        return _environment(options)
    since_s = seconds_of(options["since"])
    report, logs, incidents = _report(sources, since_s, kernel=not options["no_kernel"])
    _write_files(sources, report, logs, incidents, options)
    if options["json"]:
        from dstop.export.doctor_json import report_line  # noqa: PLC0415 - a verb loads what it needs

        terminal.write(report_line(report))
    elif options["markdown"]:
        from dstop.doctor.redact_text import Redactor  # noqa: PLC0415 - as above
        from dstop.doctor.redact_value import redacted  # noqa: PLC0415 - as above
        from dstop.export.doctor_markdown import report_markdown  # noqa: PLC0415 - as above

        # An issue tracker is read by everybody.
        terminal.write(report_markdown(redacted(report, Redactor())).encode())
    else:
        from dstop.draw.doctor_text import report_lines  # noqa: PLC0415 - as above

        write_lines(lambda width: report_lines(report, width, every=options["all"]), options)
    return FINDINGS if report.diagnoses else 0


def seconds_of(text: str) -> float:
    """Read an age: `90m`, `6h`, `2d`.

    Raises:
        UsageError: when it is none.
    """
    found = _AGE.fullmatch(text.strip().lower())
    if found is None:
        raise UsageError(f"{text[:40]!r} is no age", fix="write 90m, 6h or 2d")
    return float(found[1]) * _UNITS[found[2]]


def write_lines(draw: Callable[[int], list[Line]], options: Mapping[str, Any]) -> None:
    """Write lines for the terminal or the pipe that reads them."""
    from dstop.draw.ansi import render  # noqa: PLC0415 - a verb loads what it needs
    from dstop.draw.ascii import ascii_line  # noqa: PLC0415 - as above

    lines = draw(terminal.width(os.environ))
    if options.get("ascii") or not terminal.speaks_unicode():
        lines = [ascii_line(line) for line in lines]
    choice = options.get("color") or "auto"
    color = terminal.use_color(choice, os.environ, is_terminal=terminal.is_terminal(sys.stdout))
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    terminal.write(render(lines, color=color).encode(encoding, "replace"))


def _report(
    sources: Sequence[str], since_s: float, *, kernel: bool
) -> tuple[Report, Sequence[LogText], Sequence[Incident]]:
    from dstop.doctor.read import report_of, report_of_nearby  # noqa: PLC0415 - a verb loads what it needs

    if not sources:
        if not terminal.is_terminal(sys.stdin) and _has_input():
            sources = ("-",)
        else:
            from dstop.doctor.sources.nearby import look_nearby  # noqa: PLC0415 - as above

            nearby = look_nearby(os.environ, Path.cwd(), since_s)
            report = report_of_nearby(nearby, since_s, kernel=kernel, cards=_driver)
            return report, (), nearby.incidents
    logs, incidents, pids, memories = _opened(sources)
    if pids:
        from dstop.doctor.sources.process import report_of_process  # noqa: PLC0415 - as above

        if len(sources) > 1:
            raise UsageError("a PID is diagnosed by itself", fix="name it alone")
        return report_of_process(pids[0], os.environ, since_s, kernel=kernel, cards=_driver), (), ()
    return report_of(logs, incidents, memories=memories), logs, incidents


def _driver() -> Source:
    from dstop.sources.nvml.source import NvmlSource  # noqa: PLC0415 - a log of elsewhere needs no driver

    return NvmlSource()


def _has_input() -> bool:
    """Whether something is piped in: then it is the log, as of every other filter.

    Over ssh without a terminal, in cron and under supervisors standard input is a pipe that stays open and gives
    nothing: who pipes in what comes late names `-`.
    """
    import fcntl  # noqa: PLC0415 - of few lines
    import select  # noqa: PLC0415 - as above
    import stat  # noqa: PLC0415 - as above
    import termios  # noqa: PLC0415 - as above

    try:
        descriptor = sys.stdin.fileno()
        told = os.fstat(descriptor)
        if stat.S_ISREG(told.st_mode):
            return told.st_size > 0
        if not (stat.S_ISFIFO(told.st_mode) or stat.S_ISSOCK(told.st_mode)):
            return False
        if not select.select([descriptor], [], [], _PIPE_PATIENCE_S)[0]:
            return False
        waiting = fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4))
    except (OSError, ValueError, AttributeError):
        return False
    return any(waiting)  # readable, and nothing in it: its other end is closed


def _opened(
    sources: Sequence[str],
) -> tuple[list[LogText], list[Incident], list[int], list[Memory]]:
    from dstop.doctor.read import incident_at  # noqa: PLC0415 - as above
    from dstop.doctor.sources.snapshots import is_snapshot, snapshot_at  # noqa: PLC0415 - as above
    from dstop.doctor.text.read import read_log, read_stream  # noqa: PLC0415 - as above

    logs: list[LogText] = []
    incidents: list[Incident] = []
    pids: list[int] = []
    memories: list[Memory] = []
    for source in dict.fromkeys(sources):
        path = Path(source)
        if source == "-":
            if sys.stdin is None:
                raise DstopError("there is no standard input", fix="name a file")
            logs.append(read_stream(sys.stdin.buffer, "standard input"))
        elif source.isascii() and source.isdigit() and not path.exists():
            pids.append(int(source))
        else:
            incident = incident_at(path)
            if incident is not None:
                incidents.append(incident)
            elif is_snapshot(path):
                memories += filter(None, [snapshot_at(path)])
            else:
                logs.append(read_log(path))
    return logs, incidents, pids, memories


def _write_files(
    sources: Sequence[str],
    report: Report,
    logs: Sequence[LogText],
    incidents: Sequence[Incident],
    options: Mapping[str, Any],
) -> None:
    if options["html"] is not None:
        from dstop.export.doctor_html import report_html  # noqa: PLC0415 - a verb loads what it needs

        _save(Path(options["html"]), report_html(report).encode())
    if options["bundle"] is not None:
        from dstop.doctor.sources.snapshots import is_snapshot  # noqa: PLC0415 - as above
        from dstop.export.doctor_bundle import bundle_bytes  # noqa: PLC0415 - as above

        snapshots = [path for path in map(Path, sources) if is_snapshot(path)]
        _save(Path(options["bundle"]), bundle_bytes(report, logs, incidents, snapshots))


def _save(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise DstopError(
            f"cannot write {path}: {error.strerror}", fix="name a file that can be written"
        ) from error


def _environment(options: Mapping[str, Any]) -> int:
    from dstop.doctor.environment.examine import examine, gather  # noqa: PLC0415 - a verb loads what it needs
    from dstop.doctor.environment.values import CheckStatus  # noqa: PLC0415 - as above
    from dstop.sources.nvml.source import NvmlSource  # noqa: PLC0415 - as above

    checks = examine(gather("/", os.environ, NvmlSource))
    if options["json"]:
        from dstop.export.environment_json import checks_line  # noqa: PLC0415 - as above

        terminal.write(checks_line(checks))
    else:
        from dstop.draw.environment_text import check_lines  # noqa: PLC0415 - as above

        write_lines(lambda width: check_lines(checks, width, every=options["all"]), options)
    return FINDINGS if any(check.status is CheckStatus.FAIL for check in checks) else 0
