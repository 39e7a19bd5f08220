"""Obviously fake keys, the files that hold them, and what the configuration makes of them."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from dirigent.configuration.keys import Keys, resolve_keys
from dirigent.configuration.problems import SettingsError
from dirigent.configuration.settings import load_settings
from tests.settings.writing import PAIR, written

API_KEY = "fake-api-key-0123456789"
SECRET = "fake-secret-9876543210"

ED25519 = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


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


def with_private_key(tmp_path: Path, text: str, more: str = "") -> str:
    private(tmp_path / "id.pem", text)
    private(tmp_path / "keys.toml", f'apiKey = "{API_KEY}"\n{more}')
    return f'key_file = "{tmp_path}/keys.toml"\nprivate_key_file = "{tmp_path}/id.pem"'
