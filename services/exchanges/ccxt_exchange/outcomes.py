"""What an exchange's error means for an order: surely refused, or unknown. An allow-list; all else is unknown."""

import html
import re
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import StrEnum

from services.exchanges.ccxt_exchange import library
from services.exchanges.ccxt_exchange.instance import Answer


class OutcomeUnknown(Exception):
    """The request may or may not have been carried out; the order has to be looked up."""


class Fate(StrEnum):
    """What became of a request."""

    REFUSED = "refused"
    UNKNOWN = "unknown"


REFUSALS = frozenset(
    {
        "InsufficientFunds",
        "InvalidOrder",
        "BadRequest",
        "BadSymbol",
        "OrderImmediatelyFillable",
        "MarketClosed",
        "PermissionDenied",
        "AccountNotEnabled",
        "AccountSuspended",
        "ArgumentsRequired",
        "NotSupported",
        "InvalidNonce",
    }
)
"""Class names as they are, without what is derived from them: a duplicate or a missing order is no refusal."""

_QUIET = frozenset({418, 429})
_DUPLICATE = re.compile(r"duplicat|already (exist|in use|used)|repeat", re.IGNORECASE)
_ADDRESS = re.compile(r"\?\S+")
_PAGE = re.compile(r"<(?:!doctype|\?xml|html|head|body|title|h1|center|p|div)\b.*", re.IGNORECASE | re.DOTALL)
_TITLE = re.compile(r"<(title|h1)\b[^>]*>(.*?)</\1>", re.IGNORECASE | re.DOTALL)
_WORDS_MAX = 200
QUIET_MS = {429: 5_000, 418: 60_000}
"""How long an exchange is left alone that asked for it without saying how long."""
_QUIET_MAX_MS = 3 * 24 * 3_600_000


def fate_of_create(error: Exception, answer: Answer, *, posts: bool = False) -> Fate:
    """What became of an order whose creation raised. `answer` is what came over the wire during that call.

    `posts`: this exchange is known to take orders by POST, so that a call which sent none has ordered nothing.
    """
    if not (answer.writes if posts else answer.requests) and (posts or is_ccxt_error(error)):
        return Fate.REFUSED
    if not is_ccxt_error(error):
        return Fate.UNKNOWN
    name = type(error).__name__
    if name in ("DDoSProtection", "RateLimitExceeded") and answer.status in _QUIET:
        return Fate.REFUSED  # turned away before the matching engine
    if name not in REFUSALS or answer.status >= 500 or says_duplicate(error):
        return Fate.UNKNOWN
    return Fate.REFUSED


def says_duplicate(error: Exception) -> bool:
    """Another order has the client id: ours, by an earlier request. Exchanges say so by the message alone."""
    name = type(error).__name__
    return name == "DuplicateOrderId" or (name in REFUSALS and bool(_DUPLICATE.search(str(error))))


def is_ccxt_error(error: BaseException) -> bool:
    return isinstance(error, library.errors().BaseError)


def is_of_network(error: BaseException) -> bool:
    """As ccxt counts it: nobody was reached, or the one who was cannot serve now."""
    return isinstance(error, library.errors().NetworkError)


def is_no_answer(error: BaseException, answer: Answer | None = None) -> bool:
    """The exchange was not reached, or did not make sense; as against one that answered with a refusal.

    A code that ccxt does not know comes as a bare ExchangeError: it may be "busy" as well as "no".
    """
    if not is_ccxt_error(error) or (answer is not None and answer.status >= 500):
        return True
    name = type(error).__name__
    if name in ("InvalidNonce", "CancelPending"):
        return False
    return name == "ExchangeError" or isinstance(error, library.errors().OperationFailed)


def quiet_ms(answer: Answer, now_ms: int) -> int | None:
    """For how long the exchange asked to be left alone; None when it did not."""
    if answer.status not in _QUIET:
        return None
    told_ms = _retry_after_ms(answer.headers, now_ms)
    return QUIET_MS[answer.status] if told_ms is None else min(max(told_ms, 0), _QUIET_MAX_MS)


def absence_ms(answer: Answer, now_ms: int) -> int | None:
    """For how long an exchange that cannot serve says that it will be away; None when it does not say."""
    told_ms = _retry_after_ms(answer.headers, now_ms) if answer.status >= 500 else None
    return None if told_ms is None else min(max(told_ms, 0), _QUIET_MAX_MS)


def words_of(error: BaseException) -> str:
    """The error in one short line: without the query strings that carry signatures, a page as its title alone."""
    text, name = line_of(str(error)), type(error).__name__
    return f"{name}: {text}" if text else name


def line_of(text: str) -> str:
    """What somebody else wrote, in one short line of printable letters."""
    text = _ADDRESS.sub("?...", _without_page(text))
    printable = "".join(letter if letter.isprintable() else " " for letter in text)
    return " ".join(printable.split())[:_WORDS_MAX]


def _without_page(text: str) -> str:
    """What a gateway says of itself is for browsers; before it stand the request and its status."""
    page = _PAGE.search(text)
    if page is None:
        return text
    before, title = text[: page.start()].rstrip(), _TITLE.search(page[0])
    told = html.unescape(title[2]).strip() if title else ""
    return (before if told in before else f"{before} {told}") or "a page without a title"


def _retry_after_ms(headers: Mapping[str, str], now_ms: int) -> int | None:
    """Seconds or a date, as HTTP has it (RFC 9110, 10.2.3)."""
    written = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    try:
        return int(float(written) * 1000)
    except (ValueError, OverflowError):
        pass
    try:
        at = parsedate_to_datetime(written)
    except ValueError:
        return None
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000) - now_ms
