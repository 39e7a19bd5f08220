"""What became of an account's orders, found out by questions where no stream tells it."""

from typing import Protocol

from services.messages import OrderReport, OrderStatus


class Desk(Protocol):
    """Where the truth about orders is asked for."""

    async def fetch_order(self, client_order_id: str, symbol: str) -> OrderReport | None: ...

    async def fetch_open_orders(self) -> list[OrderReport]: ...


class OrderPolling:
    """Finds out by questions what a stream would have told: which orders changed since the last time."""

    def __init__(self, desk: Desk, every_s: float) -> None:
        self.every_s = every_s
        self._desk = desk
        self._open: dict[str, OrderReport] = {}

    def note(self, report: OrderReport) -> None:
        """What is known of an order from elsewhere: its beginning, or its end."""
        if report.status is not OrderStatus.OPEN:
            self._open.pop(report.client_order_id, None)
        elif report.client_order_id:
            self._open[report.client_order_id] = report

    async def ask(self) -> list[OrderReport]:
        """Raises QueryFailed. What changed, each with all that the exchange says of it."""
        listed = {report.client_order_id: report for report in await self._desk.fetch_open_orders()}
        changed = [
            name
            for name, known in self._open.items()
            if name not in listed or listed[name].filled != known.filled
        ]
        reports = []
        for name in changed:
            report = await self._desk.fetch_order(name, self._open[name].symbol)
            if report is None:
                continue  # accepted a moment ago and not yet to be found: it is asked for again
            reports.append(report)
            if report.status is OrderStatus.OPEN:
                self._open[name] = report
            else:
                del self._open[name]
        for name, report in listed.items():
            if name and name not in self._open and name not in changed:
                self._open[name] = report
        return reports
