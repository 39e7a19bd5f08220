"""Finding an order by the name we gave it: every source of the exchange's row is asked before none is the answer."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from fsm.values import ZERO
from services.exchanges.ccxt_exchange.capabilities import Source, Trades
from services.exchanges.ccxt_exchange.client import Clients
from services.exchanges.ccxt_exchange.parsing import Unreadable, client_id_of, number, report_of, sum_of
from services.exchanges.ccxt_exchange.questions import NotThere
from services.messages import OrderReport, QueryFailed

_LISTS = {
    Source.OPEN: "fetch_open_orders",
    Source.CLOSED: "fetch_closed_orders",
    Source.ENDED: "fetch_canceled_and_closed_orders",
    Source.ALL: "fetch_orders",
}
_TRADES_BEFORE_MS = 60_000
"""How much earlier than the order its trades are asked for: the two clocks of an exchange may differ."""

Raw = Mapping[str, Any]


class LookUp:
    """Asks where the exchange's capabilities say. A source that fails raises QueryFailed: it is no evidence."""

    def __init__(self, clients: Clients, symbols: Sequence[str]) -> None:
        self._clients = clients
        self._symbols = symbols

    async def find(self, client_order_id: str, symbol: str) -> OrderReport | None:
        for source in self._clients.capabilities.sources:
            order = await self._ask(source, client_order_id, symbol)
            if order is not None:
                return await self._reported(order, client_order_id, symbol)
        return None

    async def open_orders(self) -> list[OrderReport]:
        """All of the account, or of the configured pairs where an exchange lists no more than a symbol's."""
        queries, questions = self._clients.queries, self._clients.questions
        wants = self._clients.capabilities.lists

        async def ask(*symbol: str) -> list[Raw]:
            question, call = "open orders", queries.fetch_open_orders
            return list(await questions.ask(question, call, *symbol, wants=wants, may_be_empty=True))

        try:
            listed = await ask()
        except QueryFailed as fault:
            if type(fault.__cause__).__name__ != "ArgumentsRequired" or not self._symbols:
                raise
            listed = [order for symbol in self._symbols for order in await ask(symbol)]
        prefix = self._clients.capabilities.prefix
        try:
            return [report_of(order, prefix=prefix, is_listed=True) for order in listed]
        except Unreadable as fault:
            raise QueryFailed(f"open orders: {fault}") from fault

    async def _ask(self, source: Source, client_order_id: str, symbol: str) -> Raw | None:
        if source is Source.CLIENT_ID:
            return await self._by_client_id(client_order_id, symbol)
        if source is Source.TRADES:
            await self._refuse_traded(client_order_id, symbol)
            return None
        capabilities = self._clients.capabilities
        params: dict[str, Any] = {capabilities.list_by: client_order_id} if capabilities.list_by else {}
        if capabilities.trades is Trades.BY_TRADE_IDS:
            params["trades"] = "true"
        listed = await self._clients.questions.ask(
            f"{source} of {symbol}",
            getattr(self._clients.queries, _LISTS[source]),
            symbol,
            params=params,
            wants=capabilities.lists,
            may_be_empty=True,
        )
        mine = (order for order in listed if client_id_of(order, capabilities.prefix) == client_order_id)
        return next(mine, None)

    async def _by_client_id(self, client_order_id: str, symbol: str) -> Raw | None:
        capabilities = self._clients.capabilities
        question = f"order {client_order_id}"
        try:
            order: Raw = await self._clients.questions.ask(
                question,
                self._clients.queries.fetch_order,
                None,
                symbol,
                {"clientOrderId": client_order_id},
                wants=(dict,),
            )
        except NotThere:
            return None
        named = client_id_of(order, capabilities.prefix)
        if named != client_order_id or not order.get("id"):
            raise QueryFailed(f"{question}: the answer names {named or 'no order'}")
        return order

    async def _refuse_traded(self, client_order_id: str, symbol: str) -> None:
        """A trade proves an order that no list shows yet: the lists are behind, and have to be asked again."""
        trades = await self._clients.questions.ask(
            f"own trades of {symbol}",
            self._clients.queries.fetch_my_trades,
            symbol,
            wants=self._clients.capabilities.lists,
            may_be_empty=True,
        )
        for trade in trades:
            info = trade.get("info") or {}
            if client_order_id in (info.get("orderLinkId"), info.get("clOrdId")):
                raise QueryFailed(f"order {client_order_id}: it has trades, and no list shows it yet")

    async def _reported(self, order: Raw, client_order_id: str, symbol: str) -> OrderReport:
        """Trades may lag behind their order for a moment: they are asked for again before the rest is left open."""
        try:
            filled = number(order.get("filled"), "filled")
            for pause_s in (0.0, self._pause_s, 4 * self._pause_s):
                await asyncio.sleep(pause_s)
                trades = await self._trades(order, symbol) if filled is None or filled > ZERO else []
                report = report_of(
                    order,
                    prefix=self._clients.capabilities.prefix,
                    client_order_id=client_order_id,
                    symbol=symbol,
                    trades=trades,
                    is_listed=True,
                )
                if report.filled == sum_of(report.fills):
                    break
        except Unreadable as fault:
            raise QueryFailed(f"order {client_order_id}: {fault}") from fault
        return report

    @property
    def _pause_s(self) -> float:
        return self._clients.questions.pause_s

    async def _trades(self, order: Raw, symbol: str) -> list[Raw]:
        """The order's trades with their fees; perhaps not all yet, which the report's `filled` shows."""
        queries = self._clients.queries
        identity = str(order["id"])
        way = self._clients.capabilities.trades
        known = [str(trade["id"]) for trade in order.get("trades") or () if trade.get("id")]
        if way is Trades.BY_PARAMETER:
            return await self._own(symbol, identity, None, None, {"orderId": identity})
        if way is Trades.OF_ORDER:
            return await self._ask_trades(queries.fetch_order_trades, identity, symbol)
        if way is Trades.BY_TRADE_IDS and known:
            params = {"trades": known}
            return await self._ask_trades(queries.fetch_order_trades, identity, symbol, params=params)
        at_ms = order.get("timestamp")
        since = None if at_ms is None else int(at_ms) - _TRADES_BEFORE_MS
        return await self._own(symbol, identity, since, None, {})

    async def _own(
        self, symbol: str, identity: str, since: int | None, limit: int | None, params: dict[str, str]
    ) -> list[Raw]:
        """The account's trades in this market; those of other orders are left out."""
        trades = await self._ask_trades(self._clients.queries.fetch_my_trades, symbol, since, limit, params)
        return [trade for trade in trades if str(trade.get("order")) == identity]

    async def _ask_trades(self, call: Any, *arguments: Any, **named: Any) -> list[Raw]:
        try:
            trades = await self._clients.questions.ask(
                "own trades",
                call,
                *arguments,
                wants=self._clients.capabilities.lists,
                may_be_empty=True,
                **named,
            )
        except NotThere:
            return []
        return list(trades)
