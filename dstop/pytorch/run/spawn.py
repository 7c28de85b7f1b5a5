"""Starting the command as a shell would: in our process group, with our input, and with signals as we found them."""

from __future__ import annotations

import errno
import os
import signal
from typing import TYPE_CHECKING

from dstop.errors import DstopError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dstop.pytorch.run.channel import Channel

NOT_FOUND = 127
NOT_EXECUTABLE = 126

_PYTHON_IGNORES = (signal.SIGPIPE, signal.SIGXFSZ)
"""Python ignores them from its start on, and what is ignored stays ignored in a new program."""


class NotStartedError(DstopError):
    """The command could not be started; the exit codes are a shell's."""

    def __init__(self, message: str, *, fix: str, exit_code: int) -> None:
        super().__init__(message, fix=fix)
        self.exit_code = exit_code


def spawn(
    command: Sequence[str],
    environ: Mapping[str, str],
    channels: Iterable[Channel],
    blocked: Iterable[signal.Signals | int],
) -> int:
    """Start the command with its output going into the channels, and give its PID.

    Args:
        command: the words; the first is looked for on PATH.
        environ: the whole environment.
        channels: what its output goes through; streams that none has are inherited.
        blocked: the signals that the command is to find blocked: those that were before us.

    Raises:
        NotStartedError: when there is no such command, or it cannot be executed.
    """
    actions = [
        (os.POSIX_SPAWN_DUP2, channel.writes, stream) for channel in channels for stream in channel.streams
    ]
    blocked = list(blocked)

    def start(words: Sequence[str]) -> int:
        return os.posix_spawnp(
            words[0],
            list(words),
            environ,
            file_actions=actions,
            setsigmask=blocked,
            setsigdef=_PYTHON_IGNORES,
        )

    try:
        return start(command)
    except OSError as error:
        import shutil  # noqa: PLC0415 - only when it went wrong

        script = shutil.which(command[0])
        if error.errno != errno.ENOEXEC or script is None:
            raise _not_started(command[0], error) from error
    return start(
        ["/bin/sh", script, *command[1:]]
    )  # a script without a first line that names its interpreter


def _not_started(word: str, error: OSError) -> NotStartedError:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        message = f"cannot find the command {word!r}"
        return NotStartedError(message, fix="check its name and PATH", exit_code=NOT_FOUND)
    message = f"cannot execute {word!r}: {error.strerror}"
    return NotStartedError(message, fix="check what it is and its mode", exit_code=NOT_EXECUTABLE)
