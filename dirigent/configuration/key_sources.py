"""Where keys are read from: a file of one owner, a private key, the system keyring, environment variables."""

import os
import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dirigent.configuration.problems import Problem, SettingsError
from dirigent.configuration.sections import nearest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

SIZE_MAX = 64 * 1024
"""Bytes. Far above any key: a file that is larger was named by mistake."""

CREDENTIALS_DIRECTORY = "CREDENTIALS_DIRECTORY"
"""Where a service manager puts credentials: readable by the service alone, whatever the mode's group says."""


def of_file(path: str, names: Sequence[str]) -> dict[str, str]:
    """The credentials of a TOML file. Raises SettingsError when it is not one, or others can read it."""
    text = _private_text("key_file", path)
    try:
        written = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        # The parser's message would repeat a piece of the file.
        remedy = 'write apiKey = "..." and secret = "..." on lines of their own'
        raise _problem("key_file", path, "not TOML", remedy) from None
    for name, value in written.items():
        if name not in names:
            raise _problem("key_file", path, f"unknown key {name!r}", nearest(name, list(names)))
        if not isinstance(value, str):
            raise _problem("key_file", path, f"{name} is not text", f'write {name} = "..."')
    if not written:
        raise _problem("key_file", path, "empty", 'write apiKey = "..." and secret = "..."')
    return {name: value.strip() for name, value in written.items()}


def of_variables(prefix: str, names: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """`apiKey` from `<prefix>_API_KEY`, and so on. Raises SettingsError when none of them is set."""
    variables = {name: variable_of(prefix, name) for name in names}
    found = {name: environment[variable] for name, variable in variables.items() if environment.get(variable)}
    if not found:
        wanted = f"{variables['apiKey']} and {variables['secret']}"
        raise _problem("key_variables", prefix, "no such variable is set", f"set {wanted}")
    return {name: value.strip() for name, value in found.items()}


def variable_of(prefix: str, name: str) -> str:
    """`<prefix>_API_KEY` of `apiKey`."""
    return f"{prefix}_{re.sub(r'(?<=[a-z])(?=[A-Z])', '_', name).upper()}"


def of_keyring(service: str, names: Sequence[str]) -> dict[str, str]:
    """What the system keyring holds under this service, by ccxt's names as user names."""
    import keyring
    from keyring.errors import KeyringError

    try:
        held = {name: keyring.get_password(service, name) for name in names}
    except KeyringError as error:
        fault = f"the system keyring does not answer ({type(error).__name__})"
        remedy = "unlock or install one, or name a key_file instead"
        raise _problem("keyring", service, fault, remedy) from None
    found = {name: value.strip() for name, value in held.items() if value}
    if not found:
        remedy = f"store them: `keyring set {service} apiKey` and `keyring set {service} secret`"
        raise _problem("keyring", service, "the system keyring holds nothing under this name", remedy)
    return found


def of_private_key_file(path: str, passphrase: str | None) -> str:
    """The private key as ccxt's `secret`. Raises SettingsError when it is none that an exchange takes.

    Written anew, because ccxt tells an Ed25519 key from an RSA key by the length of its text: line ends or
    attributes of another tool's file would make it the other kind.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    text = _private_text("private_key_file", path)
    try:
        key = load_pem_private_key(text.encode(), None if passphrase is None else passphrase.encode())
    except TypeError:
        if passphrase is None:
            fault, remedy = "it is encrypted", "put its privateKeyPassword where the other keys are"
        else:
            fault, remedy = "it is not encrypted", "remove privateKeyPassword from the other keys"
        raise _problem("private_key_file", path, fault, remedy) from None
    except (ValueError, UnsupportedAlgorithm):
        fault = "no private key in PEM" + ("" if passphrase is None else ", or a wrong privateKeyPassword")
        raise _problem("private_key_file", path, fault, _GENERATE) from None
    return _as_secret(path, key)


_GENERATE = "generate one with `openssl genpkey -algorithm ed25519 -out FILE` and register its public half"


def _as_secret(path: str, key: "PrivateKeyTypes") -> str:
    from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    if isinstance(key, Ed25519PrivateKey | RSAPrivateKey):
        layout = PrivateFormat.PKCS8
    elif isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        layout = PrivateFormat.TraditionalOpenSSL
    else:
        raise _problem("private_key_file", path, "not an Ed25519, RSA or P-256 key", _GENERATE)
    return key.private_bytes(Encoding.PEM, layout, NoEncryption()).decode().strip()


def _private_text(setting: str, written: str) -> str:
    """The text of a file that only its owner can read, judged by the file that was opened."""
    path = Path(os.path.expandvars(written)).expanduser()
    try:
        with path.open("rb") as file:
            _refuse_what_others_can_read(setting, written, path, os.fstat(file.fileno()))
            content = file.read(SIZE_MAX + 1)
    except FileNotFoundError:
        raise _problem(setting, written, "no such file", "name an existing file") from None
    except OSError as error:
        fault = (error.strerror or str(error)).lower()
        raise _problem(setting, written, fault, "name a file that this user can read") from None
    if len(content) > SIZE_MAX:
        raise _problem(setting, written, f"larger than {SIZE_MAX // 1024} KB", "name the file with the keys")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise _problem(setting, written, "not UTF-8 text", "save the file as UTF-8") from None


def _refuse_what_others_can_read(setting: str, written: str, path: Path, status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise _problem(setting, written, "not a regular file", "name a file")
    if status.st_uid not in (os.geteuid(), 0):
        fault = f"it belongs to another user ({status.st_uid})"
        raise _problem(setting, written, fault, f"chown {os.geteuid()} it, after a look at what it holds")
    directory = os.environ.get(CREDENTIALS_DIRECTORY)
    given = directory is not None and path.resolve().is_relative_to(Path(directory).resolve())
    others = status.st_mode & (stat.S_IRWXO if given else stat.S_IRWXG | stat.S_IRWXO)
    if others:
        fault = f"others can reach it: its mode is {stat.S_IMODE(status.st_mode):04o}"
        raise _problem(setting, written, fault, f"run `chmod 600 {path}`, and renew keys that were exposed")


def _problem(setting: str, value: str, message: str, remedy: str) -> SettingsError:
    return SettingsError([Problem("", f"exchange.{setting}", f'"{value}"', message, remedy)])
