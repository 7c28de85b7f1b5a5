"""Certificates and keys that cannot be used: which file, and what to do."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from dstop.errors import ExportError
from dstop.export.scrape.tls import server_context


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
