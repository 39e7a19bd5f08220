"""The keys of an exchange: where they are found, what is refused, and that what holds them never shows them."""

import json
import os
import pickle
import subprocess
import traceback
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked
from loguru import logger

from dirigent.configuration.keys import Keys, resolve_keys
from dirigent.configuration.problems import SettingsError
from dirigent.configuration.settings import load_settings
from dirigent.logging_secrets import MASK, forget_secrets, masked_text
from tests.settings.writing import PAIR, written

API_KEY = "fake-api-key-0123456789"
SECRET = "fake-secret-9876543210"

ED25519 = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(autouse=True)
def _nothing_stays_registered() -> Iterator[None]:
    yield
    forget_secrets()


def keys_of(tmp_path: Path, exchange: str, environment: dict[str, str] | None = None) -> Keys | None:
    surroundings = environment or {}
    file = written(tmp_path, f'[exchange]\nid = "binance"\n{exchange}\n{PAIR}')
    return resolve_keys(load_settings([file], environment=surroundings), surroundings)


def refusal_of(tmp_path: Path, exchange: str, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(SettingsError) as refused:
        keys_of(tmp_path, exchange, environment)
    return str(refused.value)


def private(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def key_file(tmp_path: Path, mode: int = 0o600) -> Path:
    return private(tmp_path / "keys.toml", f'apiKey = "{API_KEY}"\nsecret = "{SECRET}"\n', mode)


def pem(
    key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey,
    encryption: KeySerializationEncryption | None = None,
) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption()).decode()


def test_without_any_source_there_are_no_keys(tmp_path: Path) -> None:
    assert keys_of(tmp_path, "") is None


def test_a_file_of_its_owner_alone_holds_keys(tmp_path: Path) -> None:
    keys = keys_of(tmp_path, f'key_file = "{key_file(tmp_path)}"')
    assert keys is not None
    assert keys.as_ccxt() == {"apiKey": API_KEY, "secret": SECRET}
    assert keys.sources["secret"] == f"file {tmp_path}/keys.toml"


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o620, 0o666, 0o660])
def test_a_file_that_others_can_reach_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    told = refusal_of(tmp_path, f'key_file = "{key_file(tmp_path, mode)}"')
    assert f"others can reach it: its mode is {mode:04o}" in told
    assert f"chmod 600 {tmp_path}/keys.toml" in told
    assert SECRET not in told


def test_a_link_is_judged_by_the_file_it_leads_to(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(key_file(tmp_path, 0o644))
    assert "its mode is 0644" in refusal_of(tmp_path, f'key_file = "{link}"')


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = key_file(tmp_path)
    os.chown(path, 12345, -1)
    assert "belongs to another user (12345)" in refusal_of(tmp_path, f'key_file = "{path}"')


def test_what_the_service_manager_hands_over_may_show_its_group(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    key_file(tmp_path, 0o440)
    keys = keys_of(tmp_path, 'key_file = "$CREDENTIALS_DIRECTORY/keys.toml"')
    assert keys is not None
    (tmp_path / "keys.toml").chmod(0o444)
    assert "0444" in refusal_of(tmp_path, 'key_file = "$CREDENTIALS_DIRECTORY/keys.toml"')


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"apiKey = {SECRET}\n", "not TOML"),
        (f'apikey = "{SECRET}"\n', "did you mean 'apiKey'?"),
        (f'apiKey = ["{SECRET}"]\n', "apiKey is not text"),
        ("", "empty"),
        ('apiKey = "abc"\n', "its apiKey is too short"),
        (f'apiKey = "{SECRET * 4000}"\n', "larger than 64 KB"),
    ],
)
def test_a_key_file_that_is_none_is_refused_without_repeating_it(
    tmp_path: Path, text: str, told: str
) -> None:
    path = private(tmp_path / "keys.toml", text)
    refusal = refusal_of(tmp_path, f'key_file = "{path}"')
    assert told in refusal
    assert "exchange.key_file" in refusal
    assert SECRET not in refusal


def test_a_file_that_is_missing_or_a_directory_is_refused(tmp_path: Path) -> None:
    assert "no such file" in refusal_of(tmp_path, f'key_file = "{tmp_path}/none"')
    assert "directory" in refusal_of(tmp_path, f'key_file = "{tmp_path}"')


def test_variables_with_the_configured_beginning_hold_keys(tmp_path: Path) -> None:
    surroundings = {"KUCOIN_API_KEY": API_KEY, "KUCOIN_SECRET": SECRET, "KUCOIN_PASSWORD": "fake-password"}
    keys = keys_of(tmp_path, 'key_variables = "KUCOIN"', surroundings)
    assert keys is not None
    assert keys.as_ccxt() == {"apiKey": API_KEY, "secret": SECRET, "password": "fake-password"}


def test_variables_that_are_not_set_are_named(tmp_path: Path) -> None:
    assert "set BINANCE_API_KEY and BINANCE_SECRET" in refusal_of(tmp_path, 'key_variables = "BINANCE"')


@pytest.mark.parametrize("prefix", ["DIRIGENT", "binance", "A-B", "1A"])
def test_a_beginning_that_no_variable_can_have_is_refused(tmp_path: Path, prefix: str) -> None:
    assert "exchange.key_variables" in refusal_of(tmp_path, f'key_variables = "{prefix}"')


class _MemoryKeyring(KeyringBackend):
    """A keyring that holds what a test puts into it."""

    priority = 1.0

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password


class _LockedKeyring(_MemoryKeyring):
    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked(f"{service} {username} {SECRET}")


@pytest.fixture
def _own_keyring() -> Iterator[None]:
    before = keyring.get_keyring()
    keyring.set_keyring(_MemoryKeyring())
    yield
    keyring.set_keyring(before)


@pytest.mark.usefixtures("_own_keyring")
def test_the_system_keyring_holds_keys_by_service_and_name(tmp_path: Path) -> None:
    assert "keyring set dirigent apiKey" in refusal_of(tmp_path, 'keyring = "dirigent"')
    keyring.set_password("dirigent", "apiKey", API_KEY)
    keyring.set_password("dirigent", "secret", SECRET)
    keys = keys_of(tmp_path, 'keyring = "dirigent"')
    assert keys is not None
    assert keys.as_ccxt() == {"apiKey": API_KEY, "secret": SECRET}


@pytest.mark.usefixtures("_own_keyring")
def test_a_keyring_that_does_not_answer_is_refused_without_its_words(tmp_path: Path) -> None:
    keyring.set_keyring(_LockedKeyring())
    told = refusal_of(tmp_path, 'keyring = "dirigent"')
    assert "does not answer (KeyringLocked)" in told
    assert SECRET not in told


def with_private_key(tmp_path: Path, text: str, more: str = "") -> str:
    private(tmp_path / "id.pem", text)
    private(tmp_path / "keys.toml", f'apiKey = "{API_KEY}"\n{more}')
    return f'key_file = "{tmp_path}/keys.toml"\nprivate_key_file = "{tmp_path}/id.pem"'


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


def test_one_credential_in_two_places_is_refused_with_both(tmp_path: Path) -> None:
    configured = f'key_file = "{key_file(tmp_path)}"\nkey_variables = "BINANCE"'
    told = refusal_of(tmp_path, configured, {"BINANCE_API_KEY": API_KEY})
    assert f"apiKey stands in file {tmp_path}/keys.toml too" in told
    private(tmp_path / "id.pem", pem(ED25519))
    both = f'key_file = "{key_file(tmp_path)}"\nprivate_key_file = "{tmp_path}/id.pem"'
    assert "a secret stands in" in refusal_of(tmp_path, both)


IN_THE_FILE = f'options = {{ apiKey = "{API_KEY}", secret = "{SECRET}" }}'


def warnings_of(action: str, tmp_path: Path, environment: dict[str, str]) -> list[str]:
    heard: list[str] = []
    sink = logger.add(lambda line: heard.append(str(line)), level="WARNING", format="{message} {extra}")
    try:
        assert keys_of(tmp_path, action, environment) is not None
    finally:
        logger.remove(sink)
    return heard


def test_keys_in_the_configuration_file_work_with_a_warning(tmp_path: Path) -> None:
    (line,) = warnings_of(IN_THE_FILE, tmp_path, {})
    assert "keys_in_configuration" in line
    assert "apiKey, secret" in line
    assert SECRET not in line


def test_the_same_keys_from_a_variable_warn_of_nothing(tmp_path: Path) -> None:
    one_by_one = {
        "DIRIGENT_EXCHANGE__OPTIONS__APIKEY": API_KEY,
        "DIRIGENT_EXCHANGE__OPTIONS__SECRET": SECRET,
    }
    assert warnings_of("", tmp_path, one_by_one) == []
    whole = {"DIRIGENT_EXCHANGE__OPTIONS": json.dumps({"apiKey": API_KEY, "secret": SECRET})}
    assert warnings_of("", tmp_path, whole) == []


def test_what_holds_keys_does_not_show_them(tmp_path: Path) -> None:
    keys = keys_of(tmp_path, f'key_file = "{key_file(tmp_path)}"')
    assert keys is not None
    shown = f"{keys!r} {keys} {keys:} {[keys]}"
    assert SECRET not in shown
    assert API_KEY not in shown
    assert "secret from file" in shown
    with pytest.raises(TypeError):
        pickle.dumps(keys)


def test_every_shape_of_a_resolved_key_is_masked_in_texts(tmp_path: Path) -> None:
    keys = keys_of(tmp_path, with_private_key(tmp_path, pem(RSA)))
    assert keys is not None
    secret = keys.as_ccxt()["secret"]
    body = "".join(line for line in secret.splitlines() if not line.startswith("-"))
    with pytest.raises(ValueError, match="sent") as raised:
        raise ValueError({"sent": secret, "with": keys.as_ccxt()["apiKey"]})
    text = "".join(traceback.format_exception(raised.value))
    for shape in (secret, repr(secret), json.dumps(secret), text):
        left = masked_text(shape)
        assert MASK in left
        assert API_KEY not in left
        assert not any(body[at : at + 20] in left for at in range(0, len(body) - 20, 10))
