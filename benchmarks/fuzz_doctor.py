"""Bytes at the doctor, guided by coverage: reading, readers, rules, text and JSON.

    pip install atheris && python benchmarks/fuzz_doctor.py -max_total_time=300 [CORPUS_FOLDER]

Anything but a report or a DstopError ends it. atheris is no dependency of dstop: its wheels are not for every Python.
"""

from __future__ import annotations

import io
import sys

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["dstop"]):
    from dstop.doctor.diagnose import diagnose_logs
    from dstop.doctor.text.read import read_stream
    from dstop.draw.doctor_text import report_lines
    from dstop.errors import DstopError
    from dstop.export.doctor_json import report_line


def one(data: bytes) -> None:
    """Read what may be a log, and say what happened in it."""
    try:
        log = read_stream(io.BytesIO(data), "fuzz")
    except DstopError:
        return
    report = diagnose_logs([log])
    report_line(report)
    report_lines(report, 80, every=True)


def main() -> None:
    """Fuzz until the time is up, or something breaks."""
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
