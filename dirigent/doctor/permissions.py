"""What a key may do, as each exchange tells it; from their public documentation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Permissions:
    """None where the exchange does not say."""

    withdraws: bool | None
    trades: bool | None
    is_bound_to_addresses: bool | None
    """Whether it works from listed network addresses alone."""


Reader = Callable[[Any], Permissions]


def _binance(answer: Any) -> Permissions:
    return Permissions(
        bool(answer["enableWithdrawals"]),
        bool(answer["enableSpotAndMarginTrading"]),
        bool(answer["ipRestrict"]),
    )


def _bybit(answer: Any) -> Permissions:
    key = answer["result"]
    granted = key["permissions"]
    writes = str(key["readOnly"]) == "0"
    bound = [address for address in key.get("ips") or () if address != "*"]
    return Permissions(
        writes and "Withdraw" in granted.get("Wallet", ()),
        writes and "SpotTrade" in granted.get("Spot", ()),
        bool(bound),
    )


def _okx(answer: Any) -> Permissions:
    (account, *_) = answer["data"]
    granted = _words(account["perm"])
    return Permissions("withdraw" in granted, "trade" in granted, bool(account.get("ip")))


def _kucoin(answer: Any) -> Permissions:
    key = answer["data"]
    granted = _words(key["permission"])
    trades = bool({"spot", "trade"} & granted)
    return Permissions(_withdraws(granted), trades, bool(key.get("ipWhitelist")))


def _coinbase(answer: Any) -> Permissions:
    return Permissions(bool(answer["can_transfer"]), bool(answer["can_trade"]), None)


def _kraken(answer: Any) -> Permissions:
    key = answer["result"]
    granted = {str(word).lower() for word in key["permissions"]}
    return Permissions(_withdraws(granted), None, None)


def _words(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(",")}


def _withdraws(granted: set[str]) -> bool:
    return any("withdraw" in word for word in granted)


READERS: Mapping[str, tuple[str, Reader]] = {
    "binance": ("sapi_get_account_apirestrictions", _binance),
    "bybit": ("private_get_v5_user_query_api", _bybit),
    "okx": ("private_get_account_config", _okx),
    "kucoin": ("private_get_user_api_key", _kucoin),
    "coinbase": ("v3_private_get_brokerage_key_permissions", _coinbase),
    "kraken": ("private_post_getapikeyinfo", _kraken),
}
"""By exchange the method of its ccxt class that asks, and what reads the answer."""


class UnreadableAnswer(Exception):
    """The exchange told its permissions in a form that is not known."""


def read(exchange_id: str, answer: Any) -> Permissions:
    try:
        return READERS[exchange_id][1](answer)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableAnswer(f"{type(error).__name__}: {error}") from None


def told(permissions: Permissions) -> str:
    parts: Sequence[tuple[str, bool | None]] = (
        ("trades", permissions.trades),
        ("withdraws", permissions.withdraws),
        ("bound to addresses", permissions.is_bound_to_addresses),
    )
    return ", ".join(f"{name}: {_answer(value)}" for name, value in parts)


def _answer(value: bool | None) -> str:
    return "not told" if value is None else "yes" if value else "no"
