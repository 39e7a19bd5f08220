"""Everything that the engine may be told of one deal at one moment: reports, answers, deadlines and prices."""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from functools import partial

from dirigent.proofs.exploration.bench import SELL, SYMBOL, Bench, fill_id
from dirigent.proofs.exploration.deals import (
    ENDED_ORDER,
    ENDED_POSITION,
    LOOKED_UP,
    NOW_MS,
    PRICE,
    Deal,
    Ticket,
)
from dirigent.proofs.exploration.venue import (
    CANCELED,
    OPEN,
    REFUSED,
    WAITING,
    Snapshot,
    Truth,
    may_be_missed,
    snapshots,
)
from fsm.commit import OutboxRow
from fsm.order import ENGINE_RESTARTED
from fsm.records import Fill, OrderRecord
from fsm.values import ZERO
from services.deals.exit_levels import Watch, watch_of
from services.messages import (
    CancelRefused,
    OrderNews,
    OrderRefused,
    OrderReport,
    OrderStatus,
    QueryFailed,
    Tick,
)
from services.trading_orchestrator import Decision
from services.turns.turn import Work

Telling = Callable[[Bench], Work]
"""Makes the mail of one turn on a bench that holds the deal."""
Answer = OrderReport | Exception | None
Told = tuple[str, Telling, Truth]
"""In words, as mail, and the truth of the order once it is said: an answer is given once, a report ever again."""


def told_of_order(ticket: Ticket, reports: int | None) -> Iterator[Told]:
    """What the exchange may tell of an order now, and the passing of its deadline."""
    record, truth = ticket.record, ticket.truth
    for word in words_of(ticket, reports):
        for trades in trades_of(word):
            yield f"reported {_told(word, trades)}", partial(reported, record, word, trades), truth
    if truth.creating == WAITING:
        answered = truth._replace(creating="", answered_age=0)
        for label, answer in _answers_to_create(ticket):
            yield f"the answer: {label}", partial(_created, record, answer), answered
    if truth.cancelling == WAITING:
        answered = truth._replace(cancelling="")
        for label, answer in _answers_to_cancel(ticket):
            yield f"the answer to the cancel: {label}", partial(_cancelled, record, answer), answered
    if record.state in ENDED_ORDER or record.due_at_ms is None:
        return
    yield "its deadline passes", partial(_due, "order", record.client_order_id), truth
    if record.state in LOOKED_UP:
        for age in (0, 1) if truth.asked_before else (0,):
            asked = "looked up long ago" if age else "looked up"
            for label, found in _answers_to_question(ticket, age, reports):
                yield f"{asked}: {label}", partial(_looked_up, record, age, found), truth


def told_of_position(deal: Deal) -> Iterator[tuple[str, Telling]]:
    """What reaches the position itself: its deadline, a sell signal, and the prices that it watches for."""
    position = deal.position
    if position.state in ENDED_POSITION:
        return
    if position.due_at_ms is not None:
        yield "the position's deadline passes", partial(_due, "position", position.id)
    yield "a sell signal", _sold
    entry = next(
        (t.record for t in deal.tickets if t.record.client_order_id == position.entry_order_id), None
    )
    watch = watch_of(position, entry)
    if watch is None:
        return
    for label, price in (("the price falls to its stop", watch.below), ("the price rises", watch.above)):
        if price.is_finite():
            yield label, partial(_priced, Tick(SYMBOL, NOW_MS, price), watch)


def words_of(ticket: Ticket, reports: int | None) -> list[Snapshot]:
    """An entry's end may overtake its last fill."""
    return snapshots(ticket.truth, reports, end_overtakes=ticket.is_entry)


def trades_of(word: Snapshot) -> list[tuple[int, ...]]:
    """A report brings all trades so far or only the last."""
    everything = tuple(range(1, word.filled + 1))
    return [everything] if word.filled < 2 else [everything, everything[-1:]]


def reported(record: OrderRecord, word: Snapshot, trades: Sequence[int], bench: Bench) -> Work:
    """The mail of a report that came by itself."""
    return heard(OrderNews(record.client_order_id, SYMBOL, report_of(record, word, trades)), bench)


def restarted(record: OrderRecord, bench: Bench) -> Work:
    return heard(OrderNews(record.client_order_id, SYMBOL, None, ENGINE_RESTARTED), bench)


def heard(news: OrderNews, bench: Bench) -> Work:
    return lambda turn: bench.engine.orchestrator._read_news(news, turn)


def report_of(record: OrderRecord, word: Snapshot, trades: Sequence[int]) -> OrderReport:
    fills = tuple(
        Fill(
            fill_id(record.client_order_id, number),
            record.client_order_id,
            SYMBOL,
            record.side,
            Decimal(1),
            PRICE,
            ZERO,
            "USDT",
            NOW_MS,
        )
        for number in trades
    )
    return OrderReport(
        record.client_order_id, SYMBOL, "x1", OrderStatus(word.status), Decimal(word.filled), fills
    )


def _told(word: Snapshot, trades: Sequence[int]) -> str:
    only = ", the last trade alone" if trades and len(trades) < word.filled else ""
    return f"{word.status}, {word.filled} filled{only}"


def _created(record: OrderRecord, answer: OrderReport | Exception, bench: Bench) -> Work:
    return heard(bench.answer_to_create(record.client_order_id, answer), bench)


def _cancelled(record: OrderRecord, answer: OrderReport | Exception, bench: Bench) -> Work:
    identity = record.client_order_id
    row = OutboxRow(f"{identity}:cancel", "send_cancel", identity, SYMBOL, NOW_MS)
    news = bench.perform(row, answer)
    assert news is not None
    return heard(news, bench)


def _sold(bench: Bench) -> Work:
    return partial(bench.engine.orchestrator._answer_sell, SELL, Decision())


def _looked_up(record: OrderRecord, age: int, answer: Answer, bench: Bench) -> Work:
    return heard(bench.answer_to_question(record.client_order_id, age, answer), bench)


def _due(machine: str, subject_id: str, bench: Bench) -> Work:
    working = bench.engine.state.working
    if machine == "order":
        order = working.orders[subject_id] = working.orders[subject_id].copy()
        order.due_at_ms = NOW_MS
    else:
        position = working.positions[subject_id].copy()
        working.positions[subject_id] = working.positions_by_symbol[SYMBOL][subject_id] = position
        position.due_at_ms = NOW_MS
    return lambda turn: bench.engine.orchestrator._pass_deadline(machine, subject_id, turn)


def _answers_to_create(ticket: Ticket) -> Iterator[tuple[str, OrderReport | Exception]]:
    yield "lost", TimeoutError("lost")
    if ticket.truth.phase == REFUSED:
        yield "refused", OrderRefused("no")
    if ticket.truth.is_known:
        yield "accepted", report_of(ticket.record, Snapshot(OPEN, 0), ())


def _answers_to_cancel(ticket: Ticket) -> Iterator[tuple[str, OrderReport | Exception]]:
    truth = ticket.truth
    yield "lost", TimeoutError("lost")
    if truth.phase == CANCELED:
        trades = range(1, truth.filled + 1)
        word = Snapshot(CANCELED, truth.filled)
        yield _told(word, trades), report_of(ticket.record, word, trades)
    if truth.phase != OPEN and not truth.cancel_travels:
        yield "refused", CancelRefused("not open")


def _priced(tick: Tick, watch: Watch, bench: Bench) -> Work:
    return lambda turn: bench.engine.orchestrator._answer_price(tick, [watch], turn)


def _answers_to_question(ticket: Ticket, age: int, reports: int | None) -> Iterator[tuple[str, Answer]]:
    """A question asked now, or before the last window passed. The answer brings all trades."""
    yield "failed", QueryFailed("no answer")
    for word in words_of(ticket, reports):
        trades = range(1, word.filled + 1)
        yield f"found {_told(word, trades)}", report_of(ticket.record, word, trades)
    if may_be_missed(ticket.truth, age):
        yield "absent", None
