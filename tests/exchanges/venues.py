"""One market story told to any simulated exchange, so that one set of tests holds them all to it."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from services.exchanges.paper import PaperExchange, PaperSettings
from services.exchanges.price_point import PricePoint
from services.exchanges.recording_scan import scan
from services.exchanges.replay import ReplayExchange
from services.messages import Balance, FeedEnded, MarketRules, OrderReport, OrderRequest

SYMBOL = "ADA/USDT"
OTHER = "BTC/USDT"
"""A market in which nothing is ever ordered."""
RULES = MarketRules(
    SYMBOL,
    amount_step=Decimal("0.1"),
    price_step=Decimal("0.01"),
    amount_min=Decimal("0.2"),
    cost_min=Decimal("5"),
    price_min=Decimal("2.00"),
    price_max=Decimal("50"),
)


class Exchange(Protocol):
    """What the contract asks of an exchange."""

    async def create_order(self, request: OrderRequest) -> OrderReport: ...
    async def cancel_order(self, client_order_id: str, symbol: str) -> OrderReport: ...
    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None: ...
    async def fetch_open_orders(self) -> list[OrderReport]: ...
    async def watch_orders(self) -> list[OrderReport]: ...
    async def fetch_balance(self) -> dict[str, Balance]: ...
    def market(self, symbol: str) -> MarketRules: ...


class Venue(Protocol):
    """An exchange and the hand that moves its market to the story's next price."""

    @property
    def exchange(self) -> Exchange: ...

    async def step(self) -> None: ...

    async def stream_begins(self) -> None:
        """Returns once what happens to orders is told by `watch_orders`."""

    async def close(self) -> None: ...


@dataclass(frozen=True)
class Story:
    """Prices one after the other, the last of which stays; `volume` is what each of them offers.

    Fees are Binance's unless `fee_in` says otherwise: a buy pays from the coin that it receives.
    """

    prices: Sequence[str]
    volume: str | None = None
    balances: Mapping[str, Decimal] = field(
        default_factory=lambda: {"USDT": Decimal(1000), "ADA": Decimal(10)}
    )
    fee: Decimal = Decimal("0.001")
    fee_in: str = "base"

    def point(self, number: int) -> PricePoint:
        price = Decimal(self.prices[number])
        volume = None if self.volume is None else Decimal(self.volume)
        return PricePoint(SYMBOL, price, price, price, volume)


class StillClock:
    def __init__(self, at_ms: int = 1_700_000_000_000) -> None:
        self.at_ms = at_ms

    def now_ms(self) -> int:
        return self.at_ms


class StoryPrices:
    """A PriceSource that tells the points it was given; after the last it ends."""

    def __init__(self, points: Sequence[PricePoint | None]) -> None:
        self._points = deque(points)

    def next_point(self, symbol: str) -> PricePoint | None:
        if not self._points:
            raise FeedEnded("the story is over")
        return self._points.popleft()


def still(price: str, volume: Decimal | None = None, gap: bool = False) -> PricePoint:
    number = Decimal(price)
    return PricePoint(SYMBOL, number, number, number, volume, gap)


def paper_settings(story: Story) -> PaperSettings:
    return PaperSettings(
        balances=story.balances,
        fee=story.fee,
        fee_in=story.fee_in,
        spread=Decimal(0),
        slippage=Decimal(0),
        latency_ms=(0, 0),
        ticks_per_s=0,
        rules={SYMBOL: RULES},
    )


class PaperVenue:
    def __init__(self, exchange: PaperExchange) -> None:
        self.exchange = exchange

    async def step(self) -> None:
        await self.exchange.watch_ticker(SYMBOL)

    async def stream_begins(self) -> None:
        """It is told from the start."""

    async def close(self) -> None:
        await self.exchange.close()


async def paper_venue(story: Story, directory: Path) -> Venue:
    prices = StoryPrices([story.point(number) for number in range(len(story.prices))])
    path = directory / "exchange.sqlite"
    settings = paper_settings(story)
    exchange = PaperExchange(path, symbols=[SYMBOL], settings=settings, clock=StillClock(), prices=prices)
    await exchange.open()
    return PaperVenue(exchange)


class ReplayVenue:
    def __init__(self, exchange: ReplayExchange) -> None:
        self.exchange = exchange

    async def step(self) -> None:
        self.exchange.next_ticker()

    async def stream_begins(self) -> None:
        """It is told from the start."""

    async def close(self) -> None:
        """Nothing is held open but the recording, which is read to its end."""
        try:
            while True:
                self.exchange.next_ticker()
        except FeedEnded:
            pass


async def replay_venue(story: Story, directory: Path) -> Venue:
    path = directory / "story.csv"
    rows = [
        f"{1000 + number},{SYMBOL},{number},buy,{price},{story.volume or 1}"
        for number, price in enumerate(story.prices)
    ]
    path.write_text("\n".join(["timestamp,symbol,id,side,price,amount", *rows]) + "\n")
    exchange = ReplayExchange(
        [scan(path)],
        balances=story.balances,
        fee=story.fee,
        fee_in=story.fee_in,
        rules={SYMBOL: RULES},
        volume_share=None if story.volume is None else Decimal(1),
    )
    exchange.next_ticker()
    return ReplayVenue(exchange)


def order(
    side: str, amount: str, price: str | None = None, id_: str = "a1", symbol: str = SYMBOL
) -> OrderRequest:
    limit = None if price is None else Decimal(price)
    return OrderRequest(id_, symbol, side, "market" if price is None else "limit", Decimal(amount), limit)
