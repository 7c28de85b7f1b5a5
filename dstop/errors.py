"""Every error a user can meet, and the one shape they have: what is wrong, how to mend it.

DstopError
 ├── UsageError      what was asked cannot be done as written    exit 2
 ├── SourceError     samples cannot be had (no driver, …)        exit 1
 ├── AttachError     a process cannot be looked into             exit 1
 ├── SnapshotError   a file is no memory snapshot, or not whole  exit 1
 ├── StoreError      the flight recorder's file is not usable    exit 1
 ├── RecordingError  a recording cannot be written or replayed   exit 1
 ├── ExportError     a page of figures cannot be served          exit 1
 ├── WebError        the screen cannot be served to a browser    exit 1
 ├── PlanError       a model or layout cannot be, or is unknown  exit 2
 └── SettingsError   the configuration file is not usable        exit 2
"""

from __future__ import annotations


class DstopError(Exception):
    """Something the user can act on: one line that says what is wrong, one that says what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, fix: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.message}: {self.fix}" if self.fix else self.message


class UsageError(DstopError):
    """The command line, a filter or a key asks for something that does not exist."""

    exit_code = 2


class SourceError(DstopError):
    """The place samples come from does not answer: no driver, a mismatch, a container without GPUs."""


class AttachError(DstopError):
    """A process cannot be looked into: not ours, not Python, without torch, refused by the kernel, or busy in C."""


class SnapshotError(DstopError):
    """A file is no memory snapshot, is cut off, or asks for something that no snapshot needs."""


class SettingsError(DstopError):
    """The configuration file cannot be read, or says something that is not a setting."""

    exit_code = 2


class StoreError(DstopError):
    """The flight recorder's file cannot be opened, is from a newer dstop, or the disk is full."""


class RecordingError(DstopError):
    """A recording cannot be written, is none, is damaged, or is from a newer dstop."""


class ExportError(DstopError):
    """The exporter's page cannot be served: a port that is taken, a key or a password file that cannot be used."""


class WebError(DstopError):
    """The screen cannot be served to a browser: a port that is taken, a wrong address, textual-serve missing."""


class PlanError(DstopError):
    """A model, a layout or a setting of a plan contradicts itself, is out of all bounds, or is not known."""

    exit_code = 2
