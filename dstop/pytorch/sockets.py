"""A connection to a Unix socket in a directory: to that very file, and who listens there."""

from __future__ import annotations

import os
import socket
import stat
import struct


def connect_beneath(folder: int, name: str, *, timeout_s: float) -> socket.socket:
    """Connect to a socket in a directory: through a descriptor of the file itself, never along a link.

    Raises:
        OSError: when it is not a socket, or nobody listens.
    """
    file = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        if not stat.S_ISSOCK(os.fstat(file).st_mode):
            raise ConnectionError(f"{name} is not a socket")
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(timeout_s)
            connection.connect(f"/proc/self/fd/{file}")
        except BaseException:
            connection.close()
            raise
        return connection
    finally:
        os.close(file)


def peer_uid(connection: socket.socket) -> int:
    """Give the user who listens on the other end (SO_PEERCRED, unix(7))."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("iII", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return int(uid)
