"""Who may ask for the account: the key, the signature over exactly what was sent, and the time it was sent at."""

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import unquote

from dirigent.rehearsal.api_error import ApiError
from dirigent.rehearsal.parameters import Parameters

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

RECEIVE_WINDOW_MS = 5_000
"""How old a request may be, where it does not say so itself."""
RECEIVE_WINDOW_MAX_MS = 60_000
_AHEAD_MS = 1_000


class Signatures:
    """Checks HMAC signatures by the secret, or Ed25519 and RSA ones by a public key in PEM."""

    def __init__(self, api_key: str, secret: str, public_key: str | None = None) -> None:
        self._api_key = api_key
        self._secret = secret.encode()
        self._public_key = None if public_key is None else _loaded(public_key)

    def check_key(self, api_key: str | None) -> None:
        if not api_key:
            raise ApiError(-2014, "API-key format invalid.", 401)
        if not hmac.compare_digest(api_key, self._api_key):
            raise ApiError(-2015, "Invalid API-key, IP, or permissions for action.", 401)

    def check_signature(self, payload: str, signature: str) -> None:
        if not self._is_valid(payload.encode(), unquote(signature)):
            raise ApiError(-1022, "Signature for this request is not valid.")

    def _is_valid(self, payload: bytes, signature: str) -> bool:
        if self._public_key is None:
            expected = hmac.new(self._secret, payload, hashlib.sha256).hexdigest()
            return hmac.compare_digest(expected.encode(), signature.encode())
        return _verified(self._public_key, payload, signature)


def check_time(parameters: Parameters, now_ms: int) -> int:
    """Refuses what was sent too long ago, or in the future. Returns until when the request is good."""
    timestamp = parameters.integer("timestamp")
    if timestamp is None:
        parameters.required("timestamp")
        raise AssertionError("unreachable")
    window = parameters.integer("recvWindow", RECEIVE_WINDOW_MS) or RECEIVE_WINDOW_MS
    if window > RECEIVE_WINDOW_MAX_MS:
        raise ApiError(-1131, f"recvWindow must be less than {RECEIVE_WINDOW_MAX_MS}")
    if timestamp >= now_ms + _AHEAD_MS:
        raise ApiError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - timestamp > window:
        raise ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")
    return timestamp + window


def split_signature(text: str) -> tuple[str, str | None]:
    """What was signed, and the signature, out of a query or a body."""
    parts = text.split("&") if text else []
    signed = [part for part in parts if not part.startswith("signature=")]
    found = [part.partition("=")[2] for part in parts if part.startswith("signature=")]
    return "&".join(signed), found[0] if found else None


def _loaded(pem: str) -> "Ed25519PublicKey | RSAPublicKey":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(
            "the public key is no PEM of one; make it with `openssl pkey -in KEY -pubout`"
        ) from None
    if not isinstance(key, Ed25519PublicKey | RSAPublicKey):
        raise ValueError("the public key is neither Ed25519 nor RSA")  # noqa: TRY004 - it is the text that is wrong
    return key


def _verified(key: "Ed25519PublicKey | RSAPublicKey", payload: bytes, signature: str) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.hashes import SHA256

    try:
        raw = base64.b64decode(signature, validate=True)
        if isinstance(key, Ed25519PublicKey):
            key.verify(raw, payload)
        else:
            key.verify(raw, payload, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return False
    return True
