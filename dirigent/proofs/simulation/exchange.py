"""The exchange that outlives every process: the shared matching, random prices, and what it tells of orders."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal

from dirigent.proofs.simulation.terms import QUOTE, Terms
from dirigent.proofs.simulation.virtual_loop import US
from dirigent.proofs.simulation.world import World
from fsm.records import Fill
from fsm.values import ZERO, OrderType
from services.exchanges.book_order import BookOrder
from services.exchanges.ledger import Ledger
from services.exchanges.matching import Matching, Numbers
from services.exchanges.price_point import PricePoint
from services.messages import Balance, OrderReport, OrderRequest, OrderStatus

_REMEMBERED = 1_000_000
_START_STEPS = 1_000
POSITION_ID_LENGTH = 11


class SimulatedExchange:
    """Its book is the truth that the engine's books are compared with."""

    def __init__(self, world: World, terms: Terms) -> None:
        self.world = world
        self.terms = terms
        ledger = Ledger({QUOTE: Balance(terms.money)})
        numbers = Numbers(random_state=world.seed)
        self.matching = Matching(terms.market, ledger, terms.exchange, numbers, _REMEMBERED)
        self.accepted: dict[str, BookOrder] = {}
        self.reports_of: dict[str, list[OrderReport]] = {}
        """Everything that could be said of an order, in its order: an old state is one of these."""
        self.sent_at_us: dict[str, int] = {}
        self.forgotten: set[str] = set()
        self.lied_about: set[str] = set()
        """Positions of which the exchange broke its word: their entries may be doubled, their books must not."""
        self._understated_until_us: dict[str, int] = {}
        self.in_flight = 0
        """Requests that may still arrive."""
        self.listener: Callable[[OrderReport, BookOrder], None] | None = None
        self._steps = dict.fromkeys(terms.symbols, _START_STEPS)
        for symbol in terms.symbols:
            self._offer(symbol)

    def move_price(self, symbol: str) -> PricePoint:
        """A step of a random walk, sometimes a jump; whatever it fills is reported."""
        dice, width = self.world.random, self.terms.volatility_steps
        steps = self._steps[symbol] + dice.randint(-width, width)
        if self.world.happens("price_jumped", symbol):
            steps = steps * self.world.faults.stream("price_jumped").randint(70, 135) // 100
        for order in self.matching.open_orders():
            if order.symbol == symbol and self.world.happens("ended_by_exchange", order.client_order_id):
                self._end(order)
        self._steps[symbol] = min(max(steps, _START_STEPS // 2), _START_STEPS * 2)
        return self._offer(symbol)

    def _offer(self, symbol: str) -> PricePoint:
        rules = self.terms.market[symbol]
        last = rules.price_step * self._steps[symbol]
        half = rules.price_step * self.world.random.randint(0, 2)
        volume = None
        if self.world.random.random() < 0.2:
            volume = rules.amount_step * self.world.random.randint(0, 40)
        gap = self.world.random.random() < 0.1
        point = PricePoint(symbol, last, last - half, last + half, volume, gap)
        for order in self.matching.move(point, self.world.now_ms()):
            self._changed(order)
        return point

    def execute(self, request: OrderRequest) -> OrderReport:
        """Raises OrderRefused. What must never happen with an order is looked for here, where it would happen."""
        order = self.matching.submit(request, self.world.now_ms())
        identity = request.client_order_id
        if identity in self.accepted:
            self.world.violate(f"order {identity} was executed twice")
        self._look_for_siblings(order)
        self.accepted[identity] = order
        report = self._changed(order)
        if order.is_open and self.world.happens("ended_by_exchange", identity):
            report = self._end(order)
        return report

    def _look_for_siblings(self, order: BookOrder) -> None:
        """Of one deal one order lives at a time, unless the exchange itself said that the other was over."""
        position_id = order.client_order_id[:POSITION_ID_LENGTH]
        for other in self.matching.open_orders():
            is_sibling = other is not order and other.client_order_id.startswith(position_id)
            if is_sibling and position_id not in self.lied_about:
                both = f"order {order.client_order_id} arrived while {other.client_order_id} was live"
                self.world.violate(both)

    def _end(self, order: BookOrder) -> OrderReport:
        """The exchange's own doing: a rule of its own, a time in force, a refusal after the acknowledgement."""
        self.matching.cancel(order.client_order_id, order.symbol, self.world.now_ms())
        statuses = (OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED)
        order.status = self.world.faults.stream("ended_by_exchange").choice(statuses)
        order.reason = "ended by the exchange"
        return self._changed(order)

    def shown(self, report: OrderReport) -> OrderReport:
        """What the exchange says of an order now: for some seconds an end may be told before its last trade is."""
        if self._understated_until_us.get(report.client_order_id, 0) <= self.world.now_us or not report.fills:
            return report
        return self.understated(report)

    def understated(self, report: OrderReport) -> OrderReport:
        """An end that is told before the last trade is."""
        known = report.fills[:-1]
        status = report.status
        if status is OrderStatus.CLOSED:
            is_limit = self.accepted[report.client_order_id].type == OrderType.LIMIT
            status = OrderStatus.CANCELED if is_limit else OrderStatus.EXPIRED
        filled = sum((fill.amount for fill in known), start=ZERO)
        return replace(report, status=status, fills=known, filled=filled)

    def understate(self, report: OrderReport, duration_s: float) -> None:
        self.lied_about.add(report.client_order_id[:POSITION_ID_LENGTH])
        self._understated_until_us[report.client_order_id] = self.world.now_us + int(duration_s * US)

    def cancel(self, client_order_id: str, symbol: str) -> OrderReport:
        """Raises CancelRefused."""
        order = self.matching.cancel(client_order_id, symbol, self.world.now_ms())
        return self._changed(order)

    def find(self, client_order_id: str, symbol: str) -> OrderReport | None:
        if client_order_id in self.forgotten:
            return None
        order = self.matching.find(client_order_id, symbol)
        return None if order is None else self.shown(order.report())

    def open_reports(self) -> list[OrderReport]:
        return [order.report() for order in self.matching.open_orders()]

    def window_is_open(self, client_order_id: str) -> bool:
        """Whether a query may still miss the order, or a request still arrive."""
        age_us = self.world.now_us - self.sent_at_us.get(client_order_id, self.world.now_us)
        return age_us < self.terms.late_arrival_ms * 1000

    def balances(self) -> dict[str, Balance]:
        return self.matching.ledger.balances()

    def trades(self) -> dict[tuple[str, str], Fill]:
        return {(fill.symbol, fill.id): fill for order in self.accepted.values() for fill in order.fills}

    def total(self, currency: str) -> Decimal:
        return self.matching.ledger.total(currency)

    def _changed(self, order: BookOrder) -> OrderReport:
        report = order.report()
        self.reports_of.setdefault(order.client_order_id, []).append(report)
        world = self.world
        if world.story is not None:
            world.tell(f"exchange: {report.client_order_id} {report.status} {report.filled}/{order.amount}")
        if self.listener is not None:
            self.listener(report, order)
        return self.shown(report)
