"""The rehearsal exchange without its wires: clock, markets, account, faults and streams, and what moves them."""

import asyncio
import secrets
from collections import Counter
from dataclasses import replace
from decimal import Decimal

from loguru import logger

from dirigent.rehearsal.desk import Desk, DeskTerms, News
from dirigent.rehearsal.faults import Faults
from dirigent.rehearsal.feeds import Feeds
from dirigent.rehearsal.markets import Markets
from dirigent.rehearsal.placed_order import NewOrder, PlacedOrder
from dirigent.rehearsal.server_clock import ServerClock
from dirigent.rehearsal.settings import RehearsalSettings
from dirigent.rehearsal.shapes import account_position, execution_report
from dirigent.rehearsal.signatures import Signatures
from dirigent.rehearsal.state_file import BadState, State, read_state, write_state
from dirigent.rehearsal.users import Users
from services.exchanges.price_point import PricePoint

_PUMP_S = 0.01


class Venue:
    def __init__(self, settings: RehearsalSettings) -> None:
        """Raises BadState when the file of an earlier exchange cannot be gone on from."""
        self.settings = settings
        self.clock = ServerClock(settings.chaos)
        self.faults = Faults(settings.chaos, settings.seed, lambda: self.clock.elapsed_s)
        self.signatures = Signatures(settings.api_key, settings.secret, settings.public_key)
        self.markets = Markets(settings.listed, settings.seed, settings.spread, self.clock.now_ms())
        self.feeds = Feeds(self.markets)
        self.users = Users(self.faults)
        terms = DeskTerms(
            settings.balances, settings.fee, settings.fee_coin, settings.slippage, settings.seed
        )
        state = None if settings.state is None else read_state(settings.state)
        self._restore_markets(state)
        self.desk = Desk(self.markets.rules, terms, self._tell, state)
        self._unsaved = True
        self.started_at_ms = self.clock.now_ms()
        self.refusals: Counter[str] = Counter()
        """Orders that were not taken, by code and message."""
        for tape in self.markets.tapes.values():
            self.desk.move(tape.point, self.started_at_ms)

    def place(self, new: NewOrder) -> PlacedOrder:
        part, hold_ms = None, 0
        if self.faults.fills_partly():
            part, hold_ms = self.faults.drawn(0.1, 0.9), round(self.settings.chaos.silence_s * 1000)
        return self.desk.place(new, self.clock.now_ms(), part, hold_ms)

    def tick(self, symbol: str) -> None:
        """The market's next price, out of the seed."""
        self._move(self.markets.next_point(symbol))

    def move_to(self, symbol: str, last: Decimal, volume: Decimal | None = None) -> None:
        """Puts a market where somebody wants it; from there its own walk goes on where it was.

        `volume` is what can be traded there before the next price; None is any amount.
        """
        self._move(replace(self.markets.point_at(symbol, last), volume=volume))

    def made_up_id(self) -> str:
        return secrets.token_hex(11)

    async def pump(self) -> None:
        """Moves every market at its pace, for ever; the ticks of many markets are spread over time."""
        loop = asyncio.get_running_loop()
        symbols = list(self.markets.tapes)
        rate = self.settings.ticks_per_s * len(symbols)
        started_s, done = loop.time(), 0
        while True:
            await asyncio.sleep(_PUMP_S)
            due = int((loop.time() - started_s) * rate)
            for count in range(done, due):
                if not self.clock.in_maintenance:
                    self.tick(symbols[count % len(symbols)])
            done = due

    def save(self, *, even_unchanged: bool = False) -> None:
        """Writes the state where one is kept, if an order has changed since. A disk's fault is logged, no more."""
        file = self.settings.state
        if file is None or not (self._unsaved or even_unchanged):
            return
        self._unsaved = False
        try:
            write_state(file, self._state())
        except OSError as error:
            self._unsaved = True
            logger.bind(event="state_not_saved", file=str(file), error=repr(error)).error("state_not_saved")

    def _state(self) -> State:
        desk, tapes = self.desk, self.markets.tapes
        return State(
            start=desk.start,
            balances=desk.ledger.balances(),
            numbers=desk.matching.numbers,
            orders=list(desk.orders.values()),
            points={symbol: tape.point for symbol, tape in tapes.items()},
            walks={symbol: self.markets.walk(symbol) for symbol in tapes},
        )

    async def save_each_second(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.save()

    def _restore_markets(self, state: State | None) -> None:
        if state is None:
            return
        missing = {order.new.symbol for order in state.orders} - set(self.markets.tapes)
        if missing:
            raise BadState(
                f"{self.settings.state} has orders in {', '.join(sorted(missing))}; list that market with --symbol"
            )
        for symbol, point in state.points.items():
            if symbol in self.markets.tapes:
                self.markets.restore(symbol, point, state.walks[symbol], self.clock.now_ms())

    def _move(self, point: PricePoint) -> None:
        at_ms = self.clock.now_ms()
        tape = self.markets.record(point, at_ms)
        self.desk.move(point, at_ms)
        self.feeds.told(tape)

    def _tell(self, news: News) -> None:
        self._unsaved = True
        if news.order.is_silent:
            return
        self.users.report(execution_report(news))
        order = news.order
        currencies = {order.book.base, order.book.quote}
        if self.settings.fee_coin is not None:
            currencies.add(self.settings.fee_coin)
        self.users.report(account_position(self.desk, currencies, news.at_ms))
