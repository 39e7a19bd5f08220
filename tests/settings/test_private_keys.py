"""A private key in a file of its own: read as PEM, written as ccxt reads it, refused when it is none."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    load_pem_private_key,
)

from tests.settings.key_files import ED25519, RSA, keys_of, pem, refusal_of, with_private_key


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_an_ed25519_key_is_short_enough_for_ccxt_to_know_it(tmp_path: Path, line_end: str) -> None:
    keys = keys_of(tmp_path, with_private_key(tmp_path, pem(ED25519).replace("\n", line_end)))
    assert keys is not None
    secret = keys.as_ccxt()["secret"]
    assert len(secret) <= 120
    assert load_pem_private_key(secret.encode(), None).public_key() == ED25519.public_key()


def test_an_rsa_key_is_the_secret(tmp_path: Path) -> None:
    keys = keys_of(tmp_path, with_private_key(tmp_path, pem(RSA)))
    assert keys is not None
    secret = keys.as_ccxt()["secret"]
    assert "PRIVATE KEY" in secret
    assert len(secret) > 120


def test_a_p256_key_is_written_as_ccxt_reads_it(tmp_path: Path) -> None:
    keys = keys_of(tmp_path, with_private_key(tmp_path, pem(ec.generate_private_key(ec.SECP256R1()))))
    assert keys is not None
    assert keys.as_ccxt()["secret"].startswith("-----BEGIN EC PRIVATE KEY-----")


def test_an_encrypted_key_opens_with_its_password_which_ccxt_never_gets(tmp_path: Path) -> None:
    text = pem(ED25519, BestAvailableEncryption(b"fake-passphrase"))
    assert "it is encrypted" in refusal_of(tmp_path, with_private_key(tmp_path, text))
    wrong = with_private_key(tmp_path, text, 'privateKeyPassword = "fake-wrong-one"\n')
    assert "or a wrong privateKeyPassword" in refusal_of(tmp_path, wrong)
    keys = keys_of(tmp_path, with_private_key(tmp_path, text, 'privateKeyPassword = "fake-passphrase"\n'))
    assert keys is not None
    assert keys.names == ("apiKey", "secret")
    assert "fake-passphrase" not in str(keys.as_ccxt())


def test_a_private_key_file_that_holds_something_else_is_refused(tmp_path: Path) -> None:
    public = ED25519.public_key()
    for text in ("", "hello", str(public), "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n"):
        assert "no private key in PEM" in refusal_of(tmp_path, with_private_key(tmp_path, text))
    other = pem(dsa.generate_private_key(1024))
    assert "not an Ed25519, RSA or P-256 key" in refusal_of(tmp_path, with_private_key(tmp_path, other))


def test_openssl_writes_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "made.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", str(path)], check=True)
    keys = keys_of(tmp_path, with_private_key(tmp_path, path.read_text()))
    assert keys is not None
    assert len(keys.as_ccxt()["secret"]) <= 120
