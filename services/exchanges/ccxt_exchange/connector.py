"""CcxtExchange: everything that the engine needs of a real exchange, put together from its parts."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from services.exchanges.ccxt_exchange.account import CcxtAccount
from services.exchanges.ccxt_exchange.breaker import BreakerStatus
from services.exchanges.ccxt_exchange.client import Clients
from services.exchanges.ccxt_exchange.desk import CcxtDesk
from services.exchanges.ccxt_exchange.feeds import FeedStatus
from services.exchanges.ccxt_exchange.order_stream import OrderStreamStatus
from services.messages import Balance, MarketRules, OrderReport, OrderRequest
from services.ports import OrderBookFeed


class Prices(Protocol):
    """The feed side: prices by stream or by polling."""

    async def watch_ticker(self, symbol: str) -> Mapping[str, Any]: ...

    def status(self) -> Sequence[FeedStatus]: ...

    async def close(self) -> None: ...


class Reports(Protocol):
    """The feed side: what happened to orders."""

    async def watch_orders(self) -> list[OrderReport]: ...

    def expect(self, report: OrderReport) -> None: ...

    def when_reports_were_missed(self, call: Callable[[], None]) -> None: ...

    def status(self) -> OrderStreamStatus: ...

    async def close(self) -> None: ...


class CcxtExchange:
    """A TickerFeed, an OrderDesk, an Account and the list of open orders, at one real exchange."""

    def __init__(
        self, clients: Clients, account: CcxtAccount, desk: CcxtDesk, prices: Prices, reports: Reports
    ) -> None:
        self.clients = clients
        self.account = account
        self.desk = desk
        self.prices = prices
        self.reports = reports

    async def watch_ticker(self, symbol: str) -> Mapping[str, Any]:
        return await self.prices.watch_ticker(symbol)

    async def watch_orders(self) -> list[OrderReport]:
        return await self.reports.watch_orders()

    async def create_order(self, request: OrderRequest) -> OrderReport:
        report = await self.desk.create_order(request)
        self.reports.expect(report)
        return report

    async def cancel_order(self, client_order_id: str, symbol: str) -> OrderReport:
        return await self.desk.cancel_order(client_order_id, symbol)

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None:
        return await self.desk.fetch_order(client_order_id, symbol)

    async def fetch_open_orders(self) -> list[OrderReport]:
        return await self.desk.fetch_open_orders()

    async def fetch_balance(self) -> dict[str, Balance]:
        return await self.account.fetch_balance()

    def market(self, symbol: str) -> MarketRules:
        return self.account.market(symbol)

    @property
    def late_arrival_ms(self) -> int:
        return self.desk.late_arrival_ms

    def feeds(self) -> Sequence[FeedStatus]:
        """How the prices of each watched symbol come in."""
        return self.prices.status()

    def order_books(self) -> OrderBookFeed | None:
        """None where the prices bring no book at all."""
        return self.prices if isinstance(self.prices, OrderBookFeed) else None

    def order_stream_status(self) -> OrderStreamStatus:
        return self.reports.status()

    def when_reports_were_missed(self, call: Callable[[], None]) -> None:
        """Called whenever reports may have been missed, and when questions are answered again that were refused or
        in vain: the books have to be compared then."""
        self.reports.when_reports_were_missed(call)
        self.clients.breaker.when_closed(call)

    def entry_refusal(self) -> str:
        """Why no entry would be sent now; empty when one would."""
        return self.clients.breaker.entry_refusal()

    def breaker_status(self) -> BreakerStatus:
        """Whether requests go out, and if not, why and until when."""
        return self.clients.breaker.status()

    async def close(self) -> None:
        """Ends the streams first, then every connection, for good."""
        await self.prices.close()
        await self.reports.close()
        await self.clients.close()
