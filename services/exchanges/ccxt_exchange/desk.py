"""Orders at one exchange: each is sent once, under its client id, and looked up in every place that may know it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from loguru import logger

from fsm.values import MONEY, ZERO, OrderType, Side
from services.exchanges.ccxt_exchange import library
from services.exchanges.ccxt_exchange.account import CcxtAccount
from services.exchanges.ccxt_exchange.capabilities import Buy, Cancel
from services.exchanges.ccxt_exchange.client import Clients
from services.exchanges.ccxt_exchange.instance import Answer, listening
from services.exchanges.ccxt_exchange.look_up import LookUp
from services.exchanges.ccxt_exchange.outcomes import (
    Fate,
    OutcomeUnknown,
    absence_ms,
    fate_of_create,
    is_no_answer,
    quiet_ms,
    words_of,
)
from services.exchanges.ccxt_exchange.parsing import Unreadable, number, report_of
from services.exchanges.ccxt_exchange.precision import needs_price, snapped
from services.exchanges.ccxt_exchange.throttle import Priority, urgency
from services.exchanges.order_rules import refuse_bad_order
from services.messages import (
    CancelRefused,
    MarketRules,
    OrderRefused,
    OrderReport,
    OrderRequest,
    OrderStatus,
    QueryFailed,
)

LATE_MS = 10_000
"""What a request may take beyond the exchange's window: its answer's way, and queues that no window counts."""

MARKET_BUY_MARGIN = Decimal("0.01")
"""How far above the best ask an immediate-or-cancel limit goes that stands in for a market buy."""


class CcxtDesk:
    """An OrderDesk without its stream, and the list of open orders."""

    def __init__(self, clients: Clients, account: CcxtAccount, symbols: Iterable[str] = ()) -> None:
        self._clients = clients
        self._account = account
        self._look_up = LookUp(clients, tuple(symbols))
        self._exchange_ids: dict[str, str] = {}
        """By client id, of living orders: some exchanges cancel by their own id alone."""

    @property
    def late_arrival_ms(self) -> int:
        return self._clients.recv_window_ms + LATE_MS

    async def create_order(self, request: OrderRequest) -> OrderReport:
        """Sends once. Raises OrderRefused when it was surely not taken, OutcomeUnknown when nobody knows."""
        is_exit = request.side == Side.SELL  # spot and long only: whoever sells leaves
        breaker = self._clients.breaker
        refusal = breaker.order_refusal() or ("" if is_exit else breaker.entry_refusal())
        if refusal:
            raise OrderRefused(f"not sent: {refusal}", wait_ms=breaker.wait_ms())
        arguments, extra = await self._as_sent(request)
        with urgency(Priority.EXIT if is_exit else Priority.ENTRY), listening() as answer:
            try:
                order = await self._clients.orders.create_order(*arguments, params=extra)
            except Exception as error:  # an allow-list decides: all else leaves the outcome unknown
                self._weigh(error, answer)
                fate = fate_of_create(error, answer, posts=self._clients.capabilities.is_known)
                if fate is Fate.REFUSED:
                    raise OrderRefused(words_of(error), wait_ms=breaker.wait_ms()) from error
                raise OutcomeUnknown(words_of(error)) from error
        return self._created(request, order)

    def _created(self, request: OrderRequest, order: Mapping[str, Any]) -> OrderReport:
        try:
            report = self._read(order, request.client_order_id, request.symbol)
        except (Unreadable, AttributeError, TypeError) as fault:  # the shape itself is the exchange's
            raise OutcomeUnknown(f"the answer cannot be read: {fault}") from fault
        if report.exchange_order_id is None:
            self._clients.breaker.note_failure("an order was answered without its id")
            return report
        self._clients.breaker.note_answer()
        if report.client_order_id != request.client_order_id:
            raise OutcomeUnknown(f"the answer names another order, {report.client_order_id!r}")
        self._remember(report)
        return report

    async def cancel_order(self, client_order_id: str, symbol: str) -> OrderReport:
        """Raises CancelRefused when the exchange does not know the order as open, OutcomeUnknown for all else."""
        refusal = self._clients.breaker.order_refusal()
        if refusal:
            raise OutcomeUnknown(f"not sent: {refusal}")
        identity, extra = await self._as_named(client_order_id, symbol)
        with urgency(Priority.CANCEL), listening() as answer:
            try:
                order = await self._clients.orders.cancel_order(identity, symbol, extra)
            except Exception as error:  # as with orders: only the exchange's own no is a no
                self._weigh(error, answer)
                errors = library.errors()
                if isinstance(error, errors.InvalidOrder | errors.BadRequest | errors.OperationRejected):
                    raise CancelRefused(words_of(error)) from error
                raise OutcomeUnknown(words_of(error)) from error
        self._clients.breaker.note_answer()
        report = self._cancelled(client_order_id, symbol, order)
        if report is not None and report.status is not OrderStatus.OPEN:
            return report
        return await self._confirmed(client_order_id, symbol)

    def _cancelled(self, client_order_id: str, symbol: str, order: object) -> OrderReport | None:
        """None where the answer says no more than that it was received."""
        if not isinstance(order, Mapping):
            return None
        try:
            report = self._read(order, client_order_id, symbol)
        except (Unreadable, AttributeError, TypeError):
            return None
        return report if report.exchange_order_id and report.client_order_id == client_order_id else None

    async def _confirmed(self, client_order_id: str, symbol: str) -> OrderReport:
        """Some exchanges only note the wish: what became of it is asked for."""
        report = await self.fetch_order(client_order_id, symbol)
        if report is None:
            raise OutcomeUnknown("the cancel was taken, and the order is not listed")
        return report

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None:
        """With its trades and their fees. None when every source says no; raises QueryFailed when one is silent."""
        report = await self._look_up.find(client_order_id, symbol)
        if report is not None:
            self._remember(report)
        return report

    async def fetch_open_orders(self) -> list[OrderReport]:
        return await self._look_up.open_orders()

    def read(self, order: Mapping[str, Any]) -> OrderReport | None:
        """What a stream says of an order; None where it cannot be read."""
        try:
            report = report_of(order, prefix=self._clients.capabilities.prefix)
        except Unreadable as fault:
            logger.bind(event="order_not_read", error=str(fault)).warning("order_not_read")
            return None
        self._remember(report)
        return report

    def _read(self, order: Mapping[str, Any], client_order_id: str, symbol: str) -> OrderReport:
        prefix = self._clients.capabilities.prefix
        return report_of(order, prefix=prefix, client_order_id=client_order_id, symbol=symbol)

    def _remember(self, report: OrderReport) -> None:
        if report.status is not OrderStatus.OPEN:
            self._exchange_ids.pop(report.client_order_id, None)
        elif report.exchange_order_id is not None and report.client_order_id:
            self._exchange_ids[report.client_order_id] = report.exchange_order_id

    def _weigh(self, error: Exception, answer: Answer) -> None:
        """What an error says of the exchange, whatever it says of the order."""
        breaker, words = self._clients.breaker, words_of(error)
        pause_ms = quiet_ms(answer, self._clients.now_ms())
        if pause_ms is not None:
            breaker.keep_quiet(pause_ms, words)
        elif isinstance(error, library.errors().InvalidNonce):
            breaker.note_answer()
            self._clients.notice_clock()
        elif answer.requests and is_no_answer(error, answer):
            away_ms = absence_ms(answer, self._clients.now_ms())
            is_grave = isinstance(error, library.errors().OnMaintenance)
            breaker.note_failure(words, is_grave=is_grave, pause_ms=away_ms)
        elif answer.requests:
            breaker.note_answer()

    async def _as_sent(self, request: OrderRequest) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of `create_order`. Numbers go as strings: exact, and without a price where none is meant."""
        capabilities = self._clients.capabilities
        self._refuse_bad(request)
        extra: dict[str, Any] = {capabilities.create_as: request.client_order_id, **capabilities.create_also}
        kind, price = request.type, request.price
        if kind == OrderType.MARKET and request.side == Side.BUY and capabilities.market_buy is Buy.MONEY:
            kind, price = OrderType.LIMIT, await self._reaching_price(request.symbol)
            extra["timeInForce"] = "IOC"
        elif price is not None:
            price = snapped(price, request.side, self._rules(request.symbol, price).price_step)
        amount = format(request.amount, "f")
        written = None if price is None else format(price, "f")
        return (request.symbol, str(kind), str(request.side), amount, written), extra

    def _refuse_bad(self, request: OrderRequest) -> None:
        """ccxt would cut an amount to its step and send it; whether a market order is worth enough it cannot know."""
        rules = self._rules(request.symbol, request.price or Decimal(1))
        if request.type == OrderType.MARKET:
            rules = replace(rules, cost_min=ZERO)
        elif request.price is not None and needs_price(self._clients.queries.precisionMode):
            request = replace(request, price=snapped(request.price, request.side, rules.price_step))
        try:
            refuse_bad_order(request, rules, Decimal(1))
        except OrderRefused as refusal:
            raise OrderRefused(f"not sent: {refusal}") from None

    def _rules(self, symbol: str, price: Decimal) -> MarketRules:
        try:
            return self._account.rules_at(symbol, price)
        except KeyError:
            raise OrderRefused(f"not sent: {symbol} is not listed here as a spot market") from None

    async def _reaching_price(self, symbol: str) -> Decimal:
        """A limit that a buy reaches at once, for exchanges whose market buys spend money instead of buying coins."""
        question = f"price of {symbol}"
        try:
            with urgency(Priority.ENTRY):
                ticker = await self._clients.questions.ask(
                    question, self._clients.queries.fetch_ticker, symbol
                )
            ask = number(ticker.get("ask") or ticker.get("last"), question)
        except (QueryFailed, Unreadable) as fault:
            raise OrderRefused(f"not sent: {fault}") from fault
        if not ask or ask <= 0:
            raise OrderRefused(f"not sent: {symbol} has no ask price")
        limit = MONEY.multiply(ask, MONEY.add(Decimal(1), MARKET_BUY_MARGIN))
        rules = self._rules(symbol, limit)
        reaching = snapped(limit, Side.SELL, rules.price_step)
        return reaching if rules.price_max is None else min(reaching, rules.price_max)

    async def _as_named(self, client_order_id: str, symbol: str) -> tuple[str | None, dict[str, str]]:
        """How this exchange is told which order to cancel."""
        capabilities = self._clients.capabilities
        if capabilities.cancel is Cancel.CLIENT_ID:
            return None, {capabilities.cancel_by: client_order_id}
        if capabilities.cancel is Cancel.PREFIXED_ID:
            return capabilities.prefix + client_order_id, {}
        known = self._exchange_ids.get(client_order_id)
        if known is None:
            with urgency(Priority.CANCEL):
                report = await self.fetch_order(client_order_id, symbol)
            if report is None or report.status is not OrderStatus.OPEN or report.exchange_order_id is None:
                raise CancelRefused(f"{client_order_id} is not an open order")
            known = report.exchange_order_id
        return known, {}
