"""Everything the services are given from outside, as Protocols: clock, feed, order desk, account and store."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from fsm.commit import CommitBatch, Progress, StoredState, Totals
from fsm.records import OrderRecord, PositionRecord
from services.messages import Balance, MarketRules, OrderReport, OrderRequest
from services.order_book import BookLevels


class Clock(Protocol):
    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""


class TickerFeed(Protocol):
    async def watch_ticker(self, symbol: str) -> Mapping[str, Any]:
        """Waits for the next price; a ccxt ticker structure. Raises FeedEnded when a recording is over."""


@runtime_checkable
class OrderBookFeed(Protocol):
    @property
    def streams_order_books(self) -> bool:
        """Whether the exchange has such streams at all."""

    async def watch_order_book(self, symbol: str, levels: int) -> BookLevels:
        """Waits for the next change; a copy of the best levels. Raises QueryFailed."""

    async def unwatch_order_book(self, symbol: str) -> None:
        """Nobody waits for this book any more. Never raises."""


class OrderDesk(Protocol):
    """Orders at one exchange. Anything raised that is not named here leaves the outcome unknown."""

    async def create_order(self, request: OrderRequest) -> OrderReport:
        """Sends one order, once. Raises OrderRefused when it was surely not taken."""

    async def cancel_order(self, client_order_id: str, symbol: str) -> OrderReport:
        """Raises CancelRefused when the exchange does not know the order as open."""

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None:
        """The order with all its fills, open or ended; None when every source says that there is none.

        Raises QueryFailed when a source did not answer.
        """

    async def watch_orders(self) -> list[OrderReport]:
        """Waits for reports of this account's orders; at least one."""

    @property
    def late_arrival_ms(self) -> int:
        """For how long after sending a request may still reach the matching engine."""


class Account(Protocol):
    async def fetch_balance(self) -> dict[str, Balance]:
        """By currency."""

    def market(self, symbol: str) -> MarketRules:
        """Raises KeyError for a symbol that the exchange does not list."""


@runtime_checkable
class EntryGate(Protocol):
    """An exchange that knows when it takes no entry: asked by risk management, before a deal is born."""

    def entry_refusal(self) -> str:
        """Why no entry would be sent now; empty when one would. From memory, at once."""


class OpenOrders(Protocol):
    async def fetch_open_orders(self) -> list[OrderReport]:
        """Every open order of the account, ours or not, with what was ordered. Raises QueryFailed."""


class Store(Protocol):
    """The engine's own memory. Every method raises StoreError when the file does not do its part."""

    def load(self) -> StoredState:
        """What is not over yet, after the journal's tail was verified."""

    def commit(self, batch: CommitBatch) -> None:
        """All or nothing; on disk (synchronous=FULL) before it returns when the batch has outbox rows."""

    def save_progress(self, progress: Progress) -> None:
        """Heartbeat, feeds and indicator checkpoints; lost at worst, never half written."""


class Archive(Protocol):
    """What has ended, by id."""

    def find_order(self, client_order_id: str) -> OrderRecord | None: ...

    def find_position(self, position_id: str) -> PositionRecord | None: ...

    def has_fill(self, symbol: str, fill_id: str) -> bool: ...

    def signal_was_offered(self, signal_id: str) -> bool: ...


class Books(Protocol):
    """Sums and histories of what the engine believes, for the comparison with the exchange."""

    def totals(self) -> Totals: ...

    def recent_orders(self, limit: int) -> list[OrderRecord]:
        """The orders that ended last, the latest first."""

    def find_order(self, client_order_id: str) -> OrderRecord | None: ...

    def unknown_since_ms(self, client_order_id: str) -> int | None:
        """When the order came into the state `unknown` that it is in; None when it is in another."""
