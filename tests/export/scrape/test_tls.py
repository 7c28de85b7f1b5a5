"""Certificates and keys that cannot be used: which file, and what to do."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess

import pytest

from dstop.errors import ExportError
from dstop.export.scrape.tls import RENEW_S, Renewal, server_context


def test_a_missing_file_is_named(pair_of, tmp_path):
    """Certificate, key and authority are told apart."""
    cert, key = pair_of("host")
    nowhere = str(tmp_path / "nowhere.pem")
    for given, option in (((nowhere, key, None), "--cert"), ((cert, nowhere, None), "--key")):
        with pytest.raises(ExportError, match=f"{option} .*nowhere.pem: No such file"):
            server_context(*given)
    with pytest.raises(ExportError, match=r"--client-ca .*nowhere\.pem"):
        server_context(cert, key, nowhere)


def test_a_key_of_another_certificate_is_refused(pair_of):
    """They are both whole, and not a pair."""
    with pytest.raises(ExportError, match="mismatch"):
        server_context(pair_of("host").cert, pair_of("friend").key, None)


def test_a_file_that_is_no_certificate_is_refused(pair_of, tmp_path):
    """Text is no certificate."""
    path = tmp_path / "text.pem"
    path.write_text("hello\n")
    with pytest.raises(ExportError, match=r"text\.pem"):
        server_context(str(path), pair_of("host").key, None)
    with pytest.raises(ExportError, match="--client-ca"):
        server_context(*pair_of("host"), str(path))


def test_an_encrypted_key_is_not_asked_for_its_password(pair_of, tmp_path):
    """A service has nobody who could type one: an error with the command that decrypts it."""
    cert, key = pair_of("host")
    locked = tmp_path / "locked.key"
    words = ["pkey", "-in", key, "-aes256", "-passout", "pass:secret", "-out", str(locked)]
    subprocess.run([shutil.which("openssl"), *words], check=True, capture_output=True)
    with pytest.raises(ExportError, match=r"is encrypted: .*openssl pkey"):
        server_context(cert, str(locked), None)


def shown_by(server):
    """Give the certificate that a server shows."""
    return ssl.get_server_certificate(("127.0.0.1", server.server_port), timeout=20)


def test_a_renewed_certificate_is_taken_up(serve, pair_of, tmp_path):
    """Without a restart: new connections get the new one; what cannot be used leaves the old one in place."""
    cert, key = tmp_path / "live.pem", tmp_path / "live.key"
    shutil.copy(pair_of("host").cert, cert)
    shutil.copy(pair_of("host").key, key)
    clock = [0.0]
    server = serve(context=server_context(str(cert), str(key), None))
    renewal = Renewal(server.context, str(cert), str(key), monotonic=lambda: clock[0])
    first = shown_by(server)
    shutil.copy(pair_of("friend").cert, cert)
    os.utime(cert, ns=(1, 1))
    assert renewal.look() is None
    clock[0] += RENEW_S
    assert "the old one stays" in renewal.look()
    assert shown_by(server) == first
    shutil.copy(pair_of("friend").key, key)
    os.utime(key, ns=(2, 2))
    clock[0] += RENEW_S
    assert renewal.look() == "the certificate has been renewed"
    assert shown_by(server) != first
    clock[0] += RENEW_S
    assert renewal.look() is None
