"""Which pod a GPU process belongs to: its UID from the cgroup, its name from the kubelet of the node.

Sources: pkg/kubelet/cm/helpers_linux.go and pod_container_manager_linux.go of Kubernetes name the cgroups; the
kubelet's API is described in https://kubernetes.io/docs/reference/access-authn-authz/kubelet-authn-authz/.
"""

from __future__ import annotations

import io
import json
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pluggy

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Mapping

    from dstop.model.process import ProcessFacts

hookimpl = pluggy.HookimplMarker("dstop")

ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
"""Where Kubernetes puts a pod's token and CA."""
KUBELET = "127.0.0.1:10250"
AGAIN_S = 30.0
SECONDS = 1.0
MOST_BYTES = 16 * 2**20
_MOST_PODS = 1024
_POD = re.compile(
    r"(?:^|[-/])pod([0-9a-f]{8}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{4}[-_][0-9a-f]{12}|[0-9a-f]{32})"
)
"""The systemd driver writes underscores for dashes; static pods have a UID without either."""
_CONTAINER = re.compile(r"(?:^|[-/:])([0-9a-f]{64})(?:\.scope)?$")
_PLACE = re.compile(r"(\[[0-9a-fA-F:]{2,39}\]|[A-Za-z0-9.-]{1,253}):([0-9]{1,5})")


def of_cgroup(text: str) -> tuple[str, str | None] | None:
    """Give the UID of the pod and the id of the container that `/proc/PID/cgroup` names; None outside of pods."""
    for line in text.splitlines():
        path = line.split(":", 2)[-1]
        if "kubepods" not in path:
            continue
        pod, container = _POD.search(path), _CONTAINER.search(path)
        if pod is not None:
            return pod[1].replace("_", "-"), None if container is None else container[1]
    return None


def names_of(answer: bytes) -> Mapping[str, Mapping[str, str]]:
    """Read the kubelet's list of pods: UID -> namespace and pod, and container id -> namespace, pod and container.

    Raises:
        ValueError: it is none.
    """
    listed = json.loads(answer)
    items = listed.get("items") if isinstance(listed, dict) else None
    if not isinstance(items, list):
        raise ValueError("it is no list of pods")  # noqa: TRY004 - what came over the wire has the wrong value
    found: dict[str, Mapping[str, str]] = {}
    for item in items[:_MOST_PODS]:
        meta, status = (_part(item, name) for name in ("metadata", "status"))
        pod = {"namespace": str(meta.get("namespace", "")), "pod": str(meta.get("name", ""))}
        annotations = _part(meta, "annotations")
        # A static pod's cgroup has the UID that the kubelet gave it, not that of its mirror in the API.
        for uid in (meta.get("uid"), annotations.get("kubernetes.io/config.hash")):
            if isinstance(uid, str):
                found[uid] = pod
        containers = status.get("containerStatuses")
        for one in containers[:_MOST_PODS] if isinstance(containers, list) else ():
            number = str(_get(one, "containerID")).rpartition("//")[2]
            found[number] = {**pod, "container": str(_get(one, "name"))}
    return found


def _get(value: object, name: str) -> object:
    return value.get(name, "") if isinstance(value, dict) else ""


def _part(value: object, name: str) -> Mapping[str, object]:
    part = _get(value, name)
    return part if isinstance(part, dict) else {}


@dataclass
class Kubelet:
    """The kubelet of this node, asked now and then.

    Args:
        place: its host and port.
        account: the folder with the token and the CA.
        insecure: whether its certificate goes unchecked.
    """

    place: str = KUBELET
    account: str = ACCOUNT
    insecure: bool = False
    why: str | None = None
    """Why there are no names."""
    _names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    _asked_s: float = float("-inf")

    def find(self, *ids: str) -> Mapping[str, str] | None:
        """Give the names of the first of these ids that is known; an unknown one has it asked again, not too often."""
        found = next((self._names[one] for one in ids if one in self._names), None)
        if found is None and time.monotonic() - self._asked_s >= AGAIN_S:
            self._asked_s = time.monotonic()
            try:
                self._names, self.why = names_of(self._ask()), None
            except (OSError, ValueError, RecursionError) as error:
                self.why = f"{type(error).__name__}: {error}" if not str(error) else str(error)
            found = next((self._names[one] for one in ids if one in self._names), None)
        return found

    def _ask(self) -> bytes:
        """Get `/pods`.

        Raises:
            OSError: there is no token, or no answer in time, or it refuses.
        """
        place = _PLACE.fullmatch(self.place)
        if place is None:
            raise OSError(f"{self.place!r} is no host and port of a kubelet")
        try:
            token = Path(self.account, "token").read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            raise OSError("there is no service account's token to ask the kubelet with") from None
        if not re.fullmatch(r"[A-Za-z0-9._~+/=-]{1,16384}", token):
            raise OSError("the service account's token is none")
        return _get_pods(place[1].strip("[]"), int(place[2]), token, self._context())

    def _context(self) -> ssl.SSLContext:
        import ssl  # noqa: PLC0415 - only on a node with a token

        if self.insecure:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            return context
        return ssl.create_default_context(cafile=str(Path(self.account, "ca.crt")))


def _get_pods(host: str, port: int, token: str, context: ssl.SSLContext) -> bytes:
    """Ask, with a deadline over all of it; a redirect is not followed, so that the token goes nowhere else."""
    import http.client  # noqa: PLC0415 - only on a node with a token

    deadline = time.monotonic() + SECONDS
    link = http.client.HTTPSConnection(host, port, timeout=SECONDS, context=context)
    try:
        link.request("GET", "/pods", headers={"Authorization": f"Bearer {token}", "Connection": "close"})
        answer = http.client.HTTPResponse(cast("socket.socket", _Received(_all_of(link.sock, deadline))))
        answer.begin()
        if answer.status != http.client.OK:
            raise OSError(f"the kubelet answers {answer.status}: may the service account get nodes/proxy?")
        return answer.read(MOST_BYTES)
    except http.client.HTTPException as error:
        raise OSError(f"the kubelet does not speak HTTP: {type(error).__name__}") from None
    finally:
        link.close()


class _Received:
    """Bytes that were received already, as a socket for http.client."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._raw)


def _all_of(link: socket.socket, deadline: float) -> bytes:
    """Receive until the other end closes; who sends a byte a second is cut off too."""
    raw = bytearray()
    while True:
        left = deadline - time.monotonic()
        if left <= 0 or len(raw) > MOST_BYTES:
            raise OSError("the kubelet's answer is too long, or too slow")
        link.settimeout(left)
        try:
            part = link.recv(65536)
        except TimeoutError:
            raise OSError("the kubelet's answer is too long, or too slow") from None
        if not part:
            return bytes(raw)
        raw += part


_KUBELET = Kubelet(
    place=os.environ.get("DSTOP_KUBELET", KUBELET),
    insecure=os.environ.get("DSTOP_KUBELET_INSECURE") == "1",
)


@hookimpl
def labels(process: ProcessFacts) -> Mapping[str, str] | None:
    """Give namespace, pod and container; of a pod whose name cannot be had its UID, and why."""
    try:
        with Path(f"/proc/{process.pid}/cgroup").open(encoding="utf-8", errors="replace") as file:
            text = file.read(65536)
    except OSError:
        return None
    return labels_of(text, _KUBELET)


def labels_of(cgroup: str, kubelet: Kubelet) -> Mapping[str, str] | None:
    """Give the labels of what a cgroup names; None outside of pods."""
    found = of_cgroup(cgroup)
    if found is None:
        return None
    pod, container = found
    names = kubelet.find(*([] if container is None else [container]), pod)
    if names is not None:
        return names
    return {"pod uid": pod, "pod name": f"not known: {kubelet.why or 'the kubelet does not list it'}"}
