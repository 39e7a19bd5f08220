"""What travels between the services: ticks, signals, order requests, reports and news."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from fsm.records import Fill
from fsm.values import ZERO


@dataclass(slots=True)
class Tick:
    """One price of one symbol; not frozen, since a frozen one takes a microsecond longer to make.

    `is_sample` is False for the points inside a replayed bar.
    """

    symbol: str
    at_ms: int
    last: Decimal
    bid: Decimal | None = None
    ask: Decimal | None = None
    is_sample: bool = True


class BadTick(ValueError):
    """A tick that is not used; the message names the symbol, the field, the value and the rule it breaks."""


@dataclass(frozen=True, slots=True)
class Signal:
    """A wish to buy or to sell. `id` is unique: a signal that comes twice changes nothing the second time.

    `strength` is between 0 and 1.
    """

    id: str
    symbol: str
    side: str
    strength: float
    reason: str
    at_ms: int
    expires_at_ms: int


class BadSignal(ValueError):
    """A signal that is not used; the message names the field, the value and the rule it breaks."""


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """An order as it is sent. `price` is the limit, None for a market order. All numbers are on the market's steps."""

    client_order_id: str
    symbol: str
    side: str
    type: str
    amount: Decimal
    price: Decimal | None = None


class OrderStatus(StrEnum):
    """ccxt's five order statuses."""

    OPEN = "open"
    CLOSED = "closed"
    CANCELED = "canceled"
    EXPIRED = "expired"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class OrderReport:
    """What an exchange says of one order at one moment.

    `fills` are the trades known to the sender, all or some, in any order, perhaps reported before.
    `exchange_order_id` None means that the exchange did not name the order: its outcome is unknown.
    """

    client_order_id: str
    symbol: str
    exchange_order_id: str | None
    status: OrderStatus
    filled: Decimal = ZERO
    fills: tuple[Fill, ...] = ()
    reason: str = ""
    request: OrderRequest | None = None
    """What was ordered, where the exchange repeats it: lists of open orders do."""


@dataclass(slots=True)
class OrderNews:
    """What became known of an order: a report, or an event when the exchange said nothing that could be reported.

    Never changed once made; frozen, it would take three times as long to make.
    """

    client_order_id: str
    symbol: str
    report: OrderReport | None = None
    event: str = ""
    reason: str = ""
    outbox_done: str = ""
    looked_up: bool = False
    """The report answers a look-up: asking again at once would say no more."""
    asked_at_ms: int | None = None
    """When the question left that it answers; None for what nobody asked for."""
    wait_ms: int = 0
    """For how long the exchange takes no order, where a refusal said so."""


class OrderRefused(Exception):
    """The exchange surely did not take the order, and never will.

    `wait_ms`: for how long it said that it takes none; 0 when it did not say.
    """

    def __init__(self, why: str, *, wait_ms: int = 0) -> None:
        super().__init__(why)
        self.wait_ms = wait_ms


class CancelRefused(Exception):
    """The exchange did not cancel: the order is not there, or no longer open. It has to be looked up."""


class QueryFailed(Exception):
    """A question that was not answered. It is no evidence of anything."""


class KeysRefused(QueryFailed):
    """The exchange answered that it does not take these keys, or not for this: asking again does not help."""


class FeedEnded(Exception):
    """A recorded feed has no further price."""


@dataclass(frozen=True, slots=True)
class Balance:
    """One currency of an account. total = free + used."""

    free: Decimal = ZERO
    used: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return self.free + self.used


@dataclass(frozen=True, slots=True)
class MarketRules:
    """What an exchange demands of an order in one market. Steps are above zero; minima may be zero.

    Prices are those that an order names: a market order names none.
    """

    symbol: str
    amount_step: Decimal
    price_step: Decimal
    amount_min: Decimal = ZERO
    cost_min: Decimal = ZERO
    """The least notional, price times amount, in the quote currency."""
    price_min: Decimal = ZERO
    price_max: Decimal | None = None


@dataclass(frozen=True, slots=True)
class PairRules:
    """How one pair is traded. Fractions are of the price: 0.02 is two percent. None switches a rule off."""

    symbol: str
    deal_quota: Decimal = Decimal(100)
    """Quote currency spent on one deal."""
    max_deals: int = 1
    order_type: str = "market"
    take_profit: Decimal | None = None
    stop_loss: Decimal | None = None
    trailing_stop: Decimal | None = None
    max_hold_s: float | None = None
    exit_on_sell_signal: bool = True
    entry_max_age_s: float = 300
    entry_max_deviation: Decimal | None = Decimal("0.03")
    entry_attempts: int = 3
    cooldown_s: float = 0
    max_exposure: Decimal | None = None
    signal_expires_s: float = 30


@dataclass(frozen=True, slots=True)
class RiskLimits:
    """What holds for all pairs together. None switches a limit off."""

    max_open_deals: int = 10
    max_exposure: Decimal | None = None
    max_daily_loss: Decimal | None = None
    stale_after_s: float = 30
    max_spread: Decimal | None = Decimal("0.01")
    max_price_jump: Decimal | None = Decimal("0.2")
    max_drawdown: Decimal | None = None
    """Fraction below the highest equity at which the engine is halted."""
    max_orders_per_minute: int | None = None
    """Beyond so many orders in a minute no entry is made; exits always are."""
    fee_reserve: Decimal = Decimal("0.002")
    """Fraction of a deal that has to be left over for fees and slippage."""
