"""The address of a channel is a secret: its parts are registered, and people see its scheme alone."""

import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, unquote, urlsplit

PART_LENGTH_MIN = 8
"""A shorter part of a path or a query is a word, not a token."""


def scheme_of(url: str) -> str:
    return url.partition("://")[0].lower()


def secrets_of(urls: Iterable[str]) -> list[str]:
    """Each address, and whatever in it may be a token, as written and as it is sent."""
    found: dict[str, None] = {}
    for url in urls:
        rest = url.partition("://")[2]
        for secret in (url, rest, *_parts(url)):
            found[secret] = None
            found[unquote(secret)] = None
    return list(found)


def _parts(url: str) -> list[str]:
    split = urlsplit(url)
    user, at, host = split.netloc.rpartition("@")
    named = [part for part in user.split(":") if part] if at else []
    loose = [
        *re.split(r"[:,]", host),
        *split.path.split("/"),
        *(value for _, value in parse_qsl(split.query)),
    ]
    return named + [part for part in loose if len(part) >= PART_LENGTH_MIN and not _is_host(part)]


def _is_host(part: str) -> bool:
    """Names of machines stay legible: a token has no dots, or is long."""
    return part == "localhost" or bool(re.fullmatch(r"[\w-]{1,30}(\.[\w-]{1,30}){1,5}", part))
