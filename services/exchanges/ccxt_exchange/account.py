"""What the account holds and what each market demands."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from fsm.values import MONEY, ZERO
from services.exchanges.ccxt_exchange.client import Clients
from services.exchanges.ccxt_exchange.parsing import Unreadable, number
from services.exchanges.ccxt_exchange.precision import needs_price, rules_of
from services.messages import Balance, MarketRules, QueryFailed

_NOT_COINS = frozenset({"info", "timestamp", "datetime", "free", "used", "total", "debt"})


class CcxtAccount:
    """An Account over the connections to one exchange."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._rules: dict[str, MarketRules] = {}

    async def prepare(self, symbols: Iterable[str]) -> None:
        """Asks for the prices that the price steps of some exchanges depend on. Raises QueryFailed."""
        queries = self._clients.queries
        if not needs_price(queries.precisionMode):
            return
        for symbol in symbols:
            ticker = await self._clients.questions.ask(f"price of {symbol}", queries.fetch_ticker, symbol)
            price = number(ticker.get("last"), f"price of {symbol}")
            self._rules[symbol] = self._read(symbol, price)

    async def fetch_balance(self) -> dict[str, Balance]:
        """By currency. Raises QueryFailed."""
        answer = await self._clients.questions.ask("balance", self._clients.queries.fetch_balance)
        try:
            balances = {
                coin: _balance(coin, held)
                for coin, held in answer.items()
                if coin not in _NOT_COINS and isinstance(held, Mapping)
            }
        except Unreadable as fault:
            raise QueryFailed(f"balance: {fault}") from fault
        if not balances and not _is_plausible(answer.get("info")):
            raise QueryFailed("balance: the answer has no balances in it")
        return balances

    def market(self, symbol: str) -> MarketRules:
        """Raises KeyError for what is not listed as a spot market."""
        rules = self._rules.get(symbol)
        if rules is None:
            rules = self._rules[symbol] = self._read(symbol, None)
        return rules

    def rules_at(self, symbol: str, price: Decimal) -> MarketRules:
        """The rules for an order at this price: a few exchanges have price steps that grow with it."""
        return (
            self._read(symbol, price)
            if needs_price(self._clients.queries.precisionMode)
            else self.market(symbol)
        )

    def _read(self, symbol: str, price: Decimal | None) -> MarketRules:
        market = (self._clients.queries.markets or {}).get(symbol)
        if market is None or not market.get("spot"):
            raise KeyError(symbol)
        return rules_of(market, self._clients.queries.precisionMode, price)


def _balance(coin: str, held: Mapping[str, Any]) -> Balance:
    """Of free, used and total two are enough."""
    free, used, total = (number(held.get(name), f"{coin} {name}") for name in ("free", "used", "total"))
    if free is None and total is not None:
        free = MONEY.subtract(total, used or ZERO)
    if used is None and total is not None and free is not None:
        used = MONEY.subtract(total, free)
    return Balance(free or ZERO, used or ZERO)


def _is_plausible(info: object) -> bool:
    """An account that holds nothing at all still answers with its lists; they are empty."""
    return isinstance(info, Mapping) and any(value in ([], {}) for value in info.values())
