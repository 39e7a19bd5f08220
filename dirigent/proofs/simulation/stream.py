"""The stream of order reports from the exchange to whichever process listens: it loses, repeats and reorders."""

from collections.abc import Callable
from dataclasses import replace

from dirigent.proofs.simulation.exchange import SimulatedExchange
from dirigent.proofs.simulation.world import World
from services.exchanges.book_order import BookOrder
from services.messages import OrderReport

Receive = Callable[[OrderReport], None]


class ReportStream:
    """One a history. A report that nobody listens to is lost, as at an exchange."""

    def __init__(self, world: World, exchange: SimulatedExchange) -> None:
        self._world = world
        self._exchange = exchange
        self._receive: Receive | None = None
        self._silent: set[str] = set()
        self._is_connected = True
        self.under_way = 0
        self.is_heard: Callable[[OrderReport], bool] = lambda _: True
        self.is_recorded: Callable[[OrderReport], bool] = lambda _: True
        self.interrupt: Callable[[], None] = lambda: None
        """Tells the process that its stream was cut off; it does not always notice."""
        exchange.listener = self.send

    def connect(self, receive: Receive) -> None:
        self._receive = receive

    def disconnect(self) -> None:
        self._receive = None

    def reconnect(self) -> None:
        if not self._is_connected and self._world.random.random() < 0.7:
            self.interrupt()
        self._is_connected = True
        self._silent.clear()

    def send(self, report: OrderReport, order: BookOrder) -> None:
        """Decides what becomes of a report. Faults that would hide the truth for good are never among it."""
        world = self._world
        is_purchase_over = order.is_buy and not order.is_open and bool(order.fills)
        if is_purchase_over and world.happens("end_understated", order.client_order_id):
            self._exchange.understate(report, 4)
            self._deliver(self._exchange.shown(report))
            self.insist(report)
            return
        if (
            not order.is_buy
            and not order.is_open
            and order.fills
            and world.happens("end_told_early", order.client_order_id)
        ):
            self._deliver(self._exchange.understated(report))
            return
        if world.happens("disconnected"):
            self._is_connected = False
            world.after(5 + 55 * world.faults.stream("disconnected").random(), self.reconnect)
        if report.client_order_id in self._silent or world.happens("report_lost", report.client_order_id):
            return
        if (
            order.is_open
            and order.fills
            and world.happens("partial_fill_then_silence", order.client_order_id)
        ):
            self._silent.add(report.client_order_id)
        said = report
        if world.happens("report_without_trades", report.client_order_id):
            said = replace(report, fills=())
        elif not self._exchange.terms.tells_all_trades:
            said = replace(report, fills=report.fills[-1:])
        self._deliver(said)
        if world.happens("report_duplicated", report.client_order_id):
            self._deliver(said)

    def insist(self, report: OrderReport) -> None:
        """Tells it again and again until its trades are committed: the exchange owes that for what it said before."""
        self.under_way += 1

        def tell() -> None:
            self.under_way -= 1
            if not self.is_heard(report):
                if self._receive is not None:
                    self._receive(report)
                self.insist(report)

        self._world.after(5, tell)

    def _deliver(self, report: OrderReport) -> None:
        world = self._world
        delay_s = world.random.uniform(0.005, 0.06)
        if world.happens("report_delayed", report.client_order_id):
            delay_s += 10 * world.faults.stream("report_delayed").random() ** 2
        self.under_way += 1

        def arrive() -> None:
            self.under_way -= 1
            if self._receive is not None and (self._is_connected or not world.faults.armed):
                world.count("report")
                self._receive(report)

        world.after(delay_s, arrive)
