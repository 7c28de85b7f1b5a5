"""The Kubernetes plugin: cgroups as runtimes write them, and a kubelet over TLS on loopback."""

# ruff: noqa: S101

from __future__ import annotations

import http.server
import importlib.util
import json
import shutil
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import ModuleType

    Serve = Callable[..., tuple[str, str, list[str]]]

UID = "0b7f6f8e-1f0a-4c4e-9c55-6d1d2f3a4b5c"
NUMBER = "4f" * 32
_PODS = {
    "kind": "PodList",
    "items": [
        {
            "metadata": {"name": "trainer-0", "namespace": "vision", "uid": UID},
            "status": {"containerStatuses": [{"name": "torch", "containerID": f"containerd://{NUMBER}"}]},
        },
        {
            "metadata": {
                "name": "etcd",
                "namespace": "kube-system",
                "uid": "mirror",
                "annotations": {"kubernetes.io/config.hash": "ab" * 16},
            },
            "status": {},
        },
    ],
}


@pytest.fixture(name="kubernetes")
def _kubernetes() -> Iterator[ModuleType]:
    path = Path(__file__).parents[1] / "dstop_kubernetes.py"
    spec = importlib.util.spec_from_file_location("dstop_kubernetes", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["dstop_kubernetes"] = module  # its dataclass looks for its own module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["dstop_kubernetes"]


@pytest.mark.parametrize(
    ("path", "container"),
    [
        (f"/kubepods.slice/kubepods-pod{UID.replace('-', '_')}.slice/cri-containerd-{NUMBER}.scope", NUMBER),
        (f"/kubepods/burstable/pod{UID}/{NUMBER}", NUMBER),
        (
            f"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UID.replace('-', '_')}.slice",
            None,
        ),
        (f"/kubepods/pod{UID}/crio-{NUMBER}.scope", NUMBER),
    ],
    ids=["systemd-containerd", "cgroupfs", "no-container", "crio"],
)
def test_the_pod_of_a_cgroup(kubernetes: ModuleType, path: str, container: str | None) -> None:
    """Both drivers' ways of writing a UID, with and without a container below."""
    assert kubernetes.of_cgroup(f"0::{path}\n") == (UID, container)


@pytest.mark.parametrize("path", ["/user.slice", "/docker/" + NUMBER, "/kubepods.slice/podx", ""], ids=str)
def test_what_is_in_no_pod_has_no_label(kubernetes: ModuleType, path: str) -> None:
    """A session, a container of docker alone, and nonsense."""
    assert kubernetes.labels_of(f"0::{path}\n", kubernetes.Kubelet()) is None


@pytest.fixture(name="kubelet", scope="module")
def _kubelet(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Serve]:
    """Serve an answer over TLS; gives the place, the account's folder, and the tokens that were shown."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl is needed to make a certificate")
    account = tmp_path_factory.mktemp("account")
    made = [
        openssl,
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "2",
    ]
    made += ["-subj", "/CN=kubelet", "-addext", "subjectAltName=IP:127.0.0.1"]
    made += ["-keyout", str(account / "key.pem"), "-out", str(account / "ca.crt")]
    subprocess.run(made, check=True, capture_output=True)
    (account / "token").write_text("a-token\n")
    servers: list[http.server.ThreadingHTTPServer] = []

    def serve(body: bytes, status: int = 200) -> tuple[str, str, list[str]]:
        shown: list[str] = []

        class Pods(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                shown.append(f"{self.path} {self.headers['Authorization']}")
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pods)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(account / "ca.crt", account / "key.pem")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"127.0.0.1:{server.server_port}", str(account), shown

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


def test_a_process_has_the_names_of_its_pod(kubernetes: ModuleType, kubelet: Serve) -> None:
    """By its container where that is listed, else by its pod's UID; a static pod by the kubelet's own UID for it."""
    place, account, shown = kubelet(json.dumps(_PODS).encode())
    asked = kubernetes.Kubelet(place=place, account=account)
    labels = kubernetes.labels_of(f"0::/kubepods/pod{UID}/{NUMBER}\n", asked)
    assert labels == {"namespace": "vision", "pod": "trainer-0", "container": "torch"}
    labels = kubernetes.labels_of(f"0::/kubepods/pod{UID}/{'0' * 64}\n", asked)
    assert labels == {"namespace": "vision", "pod": "trainer-0"}
    assert kubernetes.labels_of(f"0::/kubepods/pod{'ab' * 16}\n", asked)["pod"] == "etcd"
    assert shown == ["/pods Bearer a-token"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"Forbidden", 403, "answers 403"),
        (b"<html>", 200, "Expecting value"),
        (b'{"items": 7}', 200, "no list of pods"),
        (b"[" * 100_000, 200, "recursion"),
        (b" " * (17 << 20), 200, "too long"),
    ],
    ids=["refused", "no-json", "no-list", "deep", "huge"],
)
def test_an_answer_that_is_none_is_told(
    kubernetes: ModuleType,
    kubelet: Serve,
    body: bytes,
    status: int,
    words: str,
) -> None:
    """The pod keeps its UID, the reason stands beside it, and it is not asked again for every process."""
    place, account, shown = kubelet(body, status)
    asked = kubernetes.Kubelet(place=place, account=account)
    for _ in range(3):
        labels = kubernetes.labels_of(f"0::/kubepods/pod{UID}/{NUMBER}\n", asked)
    assert labels["pod uid"] == UID
    assert words in labels["pod name"]
    assert len(shown) == 1


def test_a_certificate_that_does_not_count_is_not_shown_the_token(
    kubernetes: ModuleType, kubelet: Serve, tmp_path: Path
) -> None:
    """With another CA nothing is sent; where the user accepts that, it is."""
    place, account, shown = kubelet(json.dumps(_PODS).encode())
    other = tmp_path / "account"
    other.mkdir()
    (other / "token").write_text("a-token")
    shutil.copy(ssl.get_default_verify_paths().cafile or f"{account}/ca.crt", other / "ca.crt")
    if (other / "ca.crt").read_bytes() == Path(account, "ca.crt").read_bytes():
        pytest.skip("there is no other CA on this machine")
    cgroup = f"0::/kubepods/pod{UID}\n"
    refused = kubernetes.labels_of(cgroup, kubernetes.Kubelet(place=place, account=str(other)))
    assert "CERTIFICATE_VERIFY_FAILED" in refused["pod name"]
    assert shown == []
    accepted = kubernetes.Kubelet(place=place, account=str(other), insecure=True)
    assert kubernetes.labels_of(cgroup, accepted)["pod"] == "trainer-0"


def test_without_a_token_no_one_is_asked(kubernetes: ModuleType, tmp_path: Path) -> None:
    """Outside of a pod there is no account: the UID stands alone, with the reason."""
    labels = kubernetes.labels_of(f"0::/kubepods/pod{UID}\n", kubernetes.Kubelet(account=str(tmp_path)))
    assert labels["pod uid"] == UID
    assert "no service account's token" in labels["pod name"]
