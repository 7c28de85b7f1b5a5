"""Another program listens on that port

What it means
    The address that this program wants to listen on is taken: an earlier run that still lives, or another job of the same
    machine with the same default.

Evidence
    `EADDRINUSE`, `address already in use`, Windows' error 10048; the message often names the port.

Fix
    Another port, or end the old process that holds it. With torchrun `--rdzv-endpoint=localhost:0` takes a free one by
    itself.

When it is wrong
    A server that says it tries the next port goes on. A leftover that holds the port often holds GPU memory too (DS401).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dstop.doctor.questions.frameworks import ENGINES
from dstop.doctor.questions.innocent import not_memory
from dstop.doctor.rule import SAYS_SO, Rule

if TYPE_CHECKING:
    from dstop.doctor.case import Case
    from dstop.doctor.rule import Assessment

_PORT = re.compile(r"(?i)\bport:? (\d{2,5})\b|[:,] ?(\d{4,5})\b(?![\d.])")


def _examine(case: Case) -> Assessment | None:
    sign = case.first("other.port")
    if sign is None:
        return None
    port = _port(case)
    commands = {"kill_other_process": f"fuser -k {port}/tcp" if port else "ss -ltnp"}
    if port:
        commands["change_port"] = _command(case, int(port) + 11)
    title = f"Another program listens on port {port}" if port else None
    return not_memory(
        case, sign, SAYS_SO, ("change_port", "kill_other_process"), title=title, commands=commands
    )


def _port(case: Case) -> str | None:
    for sign in case.all("other.port"):
        text = next((line for line in case.text.split("\n") if sign.text[:40] in line), sign.text)
        found = _PORT.search(text)
        if found is not None:
            return found[1] or found[2]
    return None


def _command(case: Case, port: int) -> str:
    if case.framework in ENGINES:
        return f"--port {port}"
    return f"MASTER_PORT={port}  # torchrun: --master-port {port}"


RULE = Rule(
    id="DS911",
    name="port-in-use",
    cause="not_memory",
    title="Another program listens on that port",
    page=__doc__ or "",
    examine=_examine,
    fires=(
        "RuntimeError: The server socket has failed to listen on any local network address. port: 29500, useIpv6: 0, code: -98, name: EADDRINUSE, message: address already in use\n",
        "ERROR:    [Errno 98] error while attempting to bind on address ('0.0.0.0', 8000): address already in use\n",
        "OSError: [Errno 98] Address already in use\n",
    ),
    near_miss=(
        """torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 512.00 MiB. GPU 0 has a total capacity of 23.57 GiB of which 310.50 MiB is free. Including non-PyTorch memory, this process has 23.25 GiB memory in use. Of the allocated memory 22.41 GiB is allocated by PyTorch, and 401.20 MiB is reserved by PyTorch but unallocated.
RuntimeError: The server socket has failed to listen on any local network address. The server socket has failed to bind to [::]:29500 (errno: 98 - Address already in use).
""",
    ),
)
