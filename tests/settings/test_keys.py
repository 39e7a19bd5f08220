"""The keys of an exchange: where they are found, what is refused, and that what holds them never shows them."""

import json
import os
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked
from loguru import logger

from dirigent.configuration.keys import warn_once
from dirigent.logging_secrets import MASK, masked_text
from tests.settings.key_files import (
    API_KEY,
    ED25519,
    RSA,
    SECRET,
    key_file,
    keys_of,
    pem,
    private,
    refusal_of,
    with_private_key,
)


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


def test_keys_in_the_configuration_file_work_with_a_warning_once_a_process(tmp_path: Path) -> None:
    warn_once.cache_clear()
    (line,) = warnings_of(IN_THE_FILE, tmp_path, {})
    assert warnings_of(IN_THE_FILE, tmp_path, {}) == []
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
