"""`dstop snapshot`: what is in PyTorch's memory snapshots, as text, JSON, a page, a trace, or on the screen."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dstop.cli import terminal
from dstop.errors import DstopError, SnapshotError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TextIO

    from dstop.draw.line import Line
    from dstop.model.study import Verdict
    from dstop.settings import Settings
    from dstop.snapshot.replay import WhatIf
    from dstop.snapshot.study import DeviceStudy

    Verdicts = Mapping[int, Sequence[Verdict]]

_PRINTED = ("once", "json", "top", "at", "what_if", "compare")
_WRITTEN = ("html", "perfetto")
_DEFAULT_TOP = 10


def snapshot_verb(files: Sequence[str], options: Mapping[str, Any], settings: Settings) -> None:
    """Show these snapshots in the face that was asked for.

    Raises:
        UsageError: when the options contradict each other, or name a moment or device that is not there.
        SnapshotError: when a file cannot be read.
    """
    _check(files, options)
    asked = any(options[name] for name in _PRINTED)
    writes = any(options[name] for name in _WRITTEN)
    if not asked and not writes and len(files) == 1 and files[0] != "-" and terminal.can_be_live(os.environ):
        from dstop.ui.snapshot_live import run_snapshot  # noqa: PLC0415 - a verb loads what it needs

        run_snapshot(_path_of(files[0]), settings, title_of(files[0]))
        return
    if options["compare"]:
        _compare(files, options, settings)
        return
    for number, name in enumerate(files):
        studies = read(name, options["device"])
        verdicts = _verdicts(studies, options)
        if writes:
            _write(studies, title_of(name), verdicts, options)
        if asked or not writes:
            if number and not options["json"]:
                terminal.write(b"\n")
            _print(studies, title_of(name), verdicts, options, settings)


def _check(files: Sequence[str], options: Mapping[str, Any]) -> None:
    if options["compare"] and len(files) != 2:  # noqa: PLR2004 - one beside another
        raise UsageError(
            f"--compare takes two snapshots, and there {'is' if len(files) == 1 else 'are'} {len(files)}",
            fix="write dstop snapshot --compare before.pickle after.pickle",
        )
    if options["compare"] and options["at"] is not None:
        raise UsageError("--compare looks at the peaks", fix="leave --at out")
    _check_what_if(options)
    if list(files).count("-") > 1:
        raise UsageError("standard input can be read once", fix="name - once")
    if len(files) > 1 and (named := next((name for name in _WRITTEN if options[name]), None)):
        raise UsageError(f"--{named} writes one snapshot to one file", fix="name one snapshot")


def _check_what_if(options: Mapping[str, Any]) -> None:
    """Refuse what contradicts itself before a file of gigabytes is read."""
    if options["what_if"]:
        if with_it := next((name for name in ("compare", "at") if options[name]), None):
            raise UsageError(
                f"--what-if is about the whole recording, and goes with no --{with_it}", fix="ask in two runs"
            )
        _changes(options)
        _capacity(options)
        return
    if alone := next((name for name in ("batch", "capacity") if options[name] is not None), None):
        raise UsageError(
            f"--{alone} says something about --what-if", fix="add --what-if, such as --what-if expandable"
        )


def title_of(name: str) -> str:
    """Call a snapshot by the last part of its path; what comes through a pipe has none."""
    return "standard input" if name == "-" else Path(name).name or name


def read(name: str, device: int | None) -> Sequence[DeviceStudy]:
    """Read a snapshot, and give the studies of its devices or of the one that was chosen.

    Raises:
        SnapshotError: when it cannot be read.
        UsageError: when it has no such device.
    """
    from dstop.snapshot.load import load_snapshot, read_snapshot  # noqa: PLC0415 - a verb loads what it needs
    from dstop.snapshot.study import studies_of  # noqa: PLC0415 - as above

    if name == "-":
        if sys.stdin is None:
            raise DstopError("there is no standard input", fix="name a file")
        if terminal.is_terminal(sys.stdin):
            raise UsageError("standard input is a terminal", fix="pipe a snapshot in, or name a file")
        try:
            snapshot = read_snapshot(sys.stdin.buffer)
        except SnapshotError as error:
            raise SnapshotError(f"standard input: {error.message}", fix=error.fix) from error
    else:
        snapshot = load_snapshot(_path_of(name))
    studies = studies_of(snapshot)
    if device is None:
        return studies
    chosen = [study for study in studies if study.device == device]
    if not chosen:
        there = ", ".join(str(study.device) for study in studies) or "none"
        raise UsageError(f"{title_of(name)} has no device {device}", fix=f"its devices: {there}")
    return chosen


def _path_of(name: str) -> Path:
    """Give the file that is meant: of an incident its snapshot.

    Raises:
        SnapshotError: when it is a directory without one.
    """
    path = Path(name)
    if not path.is_dir():
        return path
    from dstop.doctor.read import incident_at  # noqa: PLC0415 - most snapshots are files

    incident = None
    with suppress(DstopError):
        incident = incident_at(path)
    if incident is not None and "snapshot" in incident.files:
        return path / incident.files["snapshot"]
    if incident is not None:
        raise SnapshotError(f"the incident {path} has no snapshot", fix=f"dstop doctor {path} reads the rest")
    raise SnapshotError(f"{path} is a directory", fix="name a snapshot in it")


def _print(
    studies: Sequence[DeviceStudy],
    title: str,
    verdicts: Verdicts | None,
    options: Mapping[str, Any],
    settings: Settings,
) -> None:
    top, positions = options["top"] or _DEFAULT_TOP, _positions(studies, options["at"])
    if positions is not None:
        studies = [study for study in studies if study.device in positions]
    if options["json"]:
        from dstop.export.snapshot_json import snapshot_line  # noqa: PLC0415 - a verb loads what it needs

        terminal.write(snapshot_line(title, studies, top, positions, verdicts))
        return
    from dstop.draw.snapshot_text import Wanted, snapshot_lines  # noqa: PLC0415 - as above

    wanted = Wanted(top=top, positions=positions, verdicts=verdicts)
    _lines(lambda width: snapshot_lines(title, studies, width, wanted), settings)


def _lines(draw: Callable[[int], list[Line]], settings: Settings) -> None:
    from dstop.cli.doctor import write_lines  # noqa: PLC0415 - a verb loads what it needs

    write_lines(draw, {"ascii": settings.ascii, "color": settings.color})


def _compare(files: Sequence[str], options: Mapping[str, Any], settings: Settings) -> None:
    from dstop.snapshot.compare import compare  # noqa: PLC0415 - a verb loads what it needs

    before, after = ({study.device: study for study in read(name, options["device"])} for name in files)
    made = [compare(before[device], after[device]) for device in sorted(before.keys() & after.keys())]
    titles = _apart(*files)
    top = options["top"] or _DEFAULT_TOP
    if options["json"]:
        from dstop.export.snapshot_json import comparison_line  # noqa: PLC0415 - as above

        terminal.write(comparison_line(*titles, made, top))
        return
    from dstop.draw.compare_text import compare_lines  # noqa: PLC0415 - as above

    _lines(lambda width: compare_lines(*titles, made, width, top), settings)


def _apart(before: str, after: str) -> tuple[str, str]:
    """Call two files by their names, or by their paths where their names are the same."""
    titles = title_of(before), title_of(after)
    return titles if titles[0] != titles[1] else (before, after)


def _positions(studies: Sequence[DeviceStudy], at: str | None) -> Mapping[int, int] | None:
    """Find the moment on each device; those that have none (only one ran out of memory) are left out.

    Raises:
        UsageError: when no device has it.
    """
    if at is None:
        return None
    from dstop.snapshot.position import position_of  # noqa: PLC0415 - as above

    found: dict[int, int] = {}
    refused: list[UsageError] = []
    for study in studies:
        try:
            found[study.device] = position_of(study, at)
        except UsageError as error:
            refused.append(error)
    if refused and not found:
        raise refused[0]
    return found


def _verdicts(studies: Sequence[DeviceStudy], options: Mapping[str, Any]) -> Verdicts | None:
    """Replay each device under each condition that was asked for; None where none was."""
    if not options["what_if"]:
        return None
    from dstop.snapshot.replay import what_if  # noqa: PLC0415 - a verb loads what it needs

    changes = _changes(options)
    capacity = _capacity(options)
    # A device without events has nothing to replay, and keeps no other from its answer.
    recorded = [study for study in studies if study.events] or studies
    return {study.device: [what_if(study, change, capacity) for change in changes] for study in recorded}


def _changes(options: Mapping[str, Any]) -> Sequence[WhatIf]:
    from dstop.snapshot.replay import parse_what_if  # noqa: PLC0415 - a verb loads what it needs

    return [parse_what_if(text, options["batch"]) for text in options["what_if"]]


def _capacity(options: Mapping[str, Any]) -> int | None:
    from dstop.units import parse_bytes  # noqa: PLC0415 - as above

    if options["capacity"] is None:
        return None
    try:
        return parse_bytes(options["capacity"])
    except ValueError as error:
        raise UsageError(f"--capacity: {error}") from error


def _write(
    studies: Sequence[DeviceStudy], title: str, verdicts: Verdicts | None, options: Mapping[str, Any]
) -> None:
    """Write the files that were asked for, and say so apart from what is printed."""
    if options["html"] is not None:
        from dstop.export.snapshot_html import snapshot_html  # noqa: PLC0415 - a verb loads what it needs

        told = [verdict for each in (verdicts or {}).values() for verdict in each]
        page = snapshot_html(studies, title, told)
        _save(Path(options["html"]), lambda file: file.write(page))
    if options["perfetto"] is not None:
        from dstop.export.snapshot_perfetto import write_perfetto  # noqa: PLC0415 - as above

        _save(Path(options["perfetto"]), lambda file: write_perfetto(studies, file))


def _save(path: Path, write: Callable[[TextIO], object]) -> None:
    from dstop.units import bytes_text  # noqa: PLC0415 - as above

    try:
        with path.open("w", encoding="utf-8") as file:
            write(file)
        size = path.stat().st_size
    except OSError as error:
        raise DstopError(
            f"cannot write {path}: {error.strerror}", fix="name a file that can be written"
        ) from error
    print(f"wrote {path} ({bytes_text(size)})", file=sys.stderr)  # noqa: T201 - what was done, apart from what was asked for
