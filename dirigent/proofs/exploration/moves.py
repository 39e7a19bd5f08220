"""Everything that can happen next to one deal: at the exchange, on the wire, and in the engine that hears of it."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from dirigent.proofs.exploration import claims
from dirigent.proofs.exploration.bench import SELL, SYMBOL, Bench, Left, Outcome, Shared, fill_id
from dirigent.proofs.exploration.deals import (
    ENDED_ORDER,
    ENDED_POSITION,
    LOOKED_UP,
    NOW_MS,
    PRICE,
    WINDOW_MS,
    Deal,
    Others,
    Summary,
    Ticket,
    canonical_id,
    level,
    levelled,
    under,
)
from dirigent.proofs.exploration.venue import (
    CANCELED,
    OPEN,
    QUEUED,
    REFUSED,
    TRAVELLING,
    UNSENT,
    WAITING,
    Snapshot,
    Truth,
    after_a_window,
    after_death,
    doings,
    may_be_missed,
    snapshots,
)
from fsm.commit import OutboxRow
from fsm.order import ENGINE_RESTARTED
from fsm.position import ORDERING
from fsm.records import Fill, OrderRecord, PositionRecord
from fsm.values import ZERO
from services.exit_levels import Watch, watch_of
from services.messages import CancelRefused, OrderRefused, OrderReport, OrderStatus, QueryFailed, Tick
from services.state_management import OrderNews, Work
from services.trading_orchestrator import Decision
from services.turn import Effect

Telling = Callable[[Bench], Work]
"""Makes the mail of one turn on a bench that holds the deal."""
Answer = OrderReport | Exception | None


class Move(NamedTuple):
    """`deal` None: it has ended, and so has everything about it. `breach` names the claim that the move breaks."""

    label: str
    deal: Deal | None
    shared: Shared
    breach: str = ""


class Bounds(NamedTuple):
    """Within them the space is finite; everything else about histories is unbounded."""

    intents: int = 1
    """Deals that are under way at once; when one is over the next may begin, without end."""
    crashes: int | None = None
    """Deaths while anything is under way; None: any number."""
    reports: int | None = None
    """How many of an order's last words may still be on their way; None: every word ever said."""
    orders: int = 2
    """Orders of one leg of a deal that are not settled yet."""
    amount: int = 2
    """Units of an entry, each of which fills alone."""
    amount_min: int = 1
    """The least that can be sold."""
    attempts: int = 2
    """Entries of one deal, with those that replace stale ones."""


class DealMoves:
    """Asks the real engine once for each deal in each surrounding and remembers what it did."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.bench = Bench(bounds.amount, bounds.amount_min, bounds.attempts)
        self.deals: dict[str, Deal] = {}
        self.cut = 0
        """Moves not followed, because they would have left more orders unsettled than the bounds allow."""
        self._inert: dict[str, bool] = {}
        self._moves: dict[tuple[str, Shared, tuple[object, ...]], list[Move]] = {}
        self._examples: dict[Summary, Deal] = {}
        self._windows: dict[str, Move] = {}
        self._deaths: dict[tuple[str, Shared], Move] = {}
        self._outcomes: dict[tuple[object, ...], Outcome] = {}

    def of(self, deal: Deal, shared: Shared, others: Others) -> list[Move]:
        """What can happen to this deal. Of the others the engine reads no more than their summaries, in order."""
        known = (deal.key, shared, others)
        moves = self._moves.get(known)
        if moves is None:
            found = self._find(deal, shared, others)
            moves = [m for m in found if m.breach or m.deal is not deal or m.shared != shared]
            self._moves[known] = moves
        return moves

    def _find(self, deal: Deal, shared: Shared, others: Others) -> Iterator[Move]:
        for index, ticket in enumerate(deal.tickets):
            name = ticket.record.client_order_id[len(canonical_id()) :]
            for label, truth in doings(ticket.truth, ticket.amount):
                yield self._outside(f"{name}: {label}", deal, index, ticket._replace(truth=truth), shared)
            yield from self._calls(name, deal, index, shared, others)
            for label, telling, freed in self._tellings(deal, index):
                yield self._turn(f"{name}: {label}", freed, shared, others, telling)
            if ticket.record.state not in ENDED_ORDER and ticket.record.due_at_ms is not None:
                due = partial(_due, "order", ticket.record.client_order_id)
                yield self._turn(f"{name}: its deadline passes", deal, shared, others, due)
        if deal.position.state not in ENDED_POSITION and deal.position.due_at_ms is not None:
            due = partial(_due, "position", deal.position.id)
            yield self._turn("the position's deadline passes", deal, shared, others, due)
        if deal.position.state not in ENDED_POSITION:
            yield self._turn("a sell signal", deal, shared, others, _sold)
        for label, price in _prices(deal):
            yield self._turn(label, deal, shared, others, price)

    def _calls(self, name: str, deal: Deal, index: int, shared: Shared, others: Others) -> Iterator[Move]:
        """A call that the engine has committed to leaves."""
        ticket = deal.tickets[index]
        identity, truth = ticket.record.client_order_id, ticket.truth
        if truth.creating == QUEUED:
            self.bench.load(shared, [deal, *self.examples_of(others)])
            row = OutboxRow(f"{identity}:create", "send_order", identity, SYMBOL, NOW_MS)
            left = self.bench.perform(row, Left()) is None
            sent = truth._replace(creating=WAITING if left else "")
            if left and truth.phase == UNSENT:
                sent = sent._replace(phase=TRAVELLING)
            move = self._outside(
                f"{name}: its request leaves", deal, index, ticket._replace(truth=sent), shared
            )
            twice = left and truth.phase != UNSENT
            yield move._replace(breach=f"order {identity} is sent twice") if twice else move

    def _tellings(self, deal: Deal, index: int) -> Iterator[tuple[str, Telling, Deal]]:
        """Everything the engine may be told of one order now, with the deal as it is when that was said."""
        ticket = deal.tickets[index]
        record, truth = ticket.record, ticket.truth
        for word in self._words(ticket):
            for trades in _trades(word):
                news = OrderNews(record.client_order_id, SYMBOL, report_of(record, word, trades))
                yield f"reported {_told(word, trades)}", partial(_heard, news), deal
        if truth.creating == WAITING:
            freed = self._with(deal, index, truth._replace(creating="", answered_age=0))
            for label, answer in _answers_to_create(ticket):
                yield f"the answer: {label}", partial(_created, record, answer), freed
        if truth.cancelling == WAITING:
            freed = self._with(deal, index, truth._replace(cancelling=""))
            for label, answer in _answers_to_cancel(ticket):
                yield f"the answer to the cancel: {label}", partial(_cancelled, record, answer), freed
        if record.state in LOOKED_UP and record.due_at_ms is not None:
            for age in (0, 1) if truth.asked_before else (0,):
                asked = "looked up long ago" if age else "looked up"
                for label, found in self._answers_to_question(ticket, age):
                    yield f"{asked}: {label}", partial(_looked_up, record, age, found), deal

    def _words(self, ticket: Ticket) -> list[Snapshot]:
        return snapshots(ticket.truth, self.bounds.reports, end_overtakes=ticket.is_entry)

    def _answers_to_question(self, ticket: Ticket, age: int) -> Iterator[tuple[str, Answer]]:
        """A question asked now, or before the last window passed."""
        yield "failed", QueryFailed("no answer")
        for word in self._words(ticket):
            trades = range(1, word.filled + 1)
            yield f"found {_told(word, trades)}", report_of(ticket.record, word, trades)
        if may_be_missed(ticket.truth, age):
            yield "absent", None

    def _turn(self, label: str, deal: Deal, shared: Shared, others: Others, telling: Telling) -> Move:
        """What the engine does when it is told; asked once for all that it cannot tell apart."""
        known = (label, deal.seen, shared, others)
        outcome = self._outcomes.get(known)
        if outcome is None:
            self.bench.load(shared, [deal, *self.examples_of(others)])
            outcome = self.bench.run([telling(self.bench)])
            records = {key: levelled(record) for key, record in outcome.records.items()}
            outcome = self._outcomes[known] = replace(outcome, records=records)
        if outcome.is_nothing:
            return self._settle(label, deal, shared)
        return self.after(label, deal, shared, outcome)

    def after(self, label: str, deal: Deal, shared: Shared, outcome: Outcome) -> Move:
        """The deal with everything that a commit changed of it."""
        return self._after(label, deal, deal.position, deal.tickets, shared, outcome)

    def born(self, label: str, shared: Shared, outcome: Outcome, living: int) -> Move | None:
        """The deal that began in a turn, if one did, beside `living` others."""
        known = {canonical_id(number) for number in range(1, living + 1)}
        for record in outcome.records.values():
            if isinstance(record, PositionRecord) and record.id not in known:
                return self._after(label, None, record, (), shared, outcome)
        return None

    def _after(
        self,
        label: str,
        deal: Deal | None,
        before: PositionRecord,
        held: Sequence[Ticket],
        shared: Shared,
        outcome: Outcome,
    ) -> Move:
        position = outcome.records.get(("position", before.id), before)
        assert isinstance(position, PositionRecord)
        tickets = changed_tickets(held, outcome, before.id)
        breach = claims.breach_of_change(held, tickets, outcome)
        changed = level(*under(position, tickets, canonical_id()))
        after = self.bench.shared_after(shared, outcome)
        breach = breach or claims.breach_of_state(changed)
        if breach:
            return Move(label, changed, after, breach)
        if deal is not None and self._is_beyond(changed):
            self.cut += 1
            return Move(label, deal, shared)
        return self._settle(label, changed, after)

    def _outside(self, label: str, deal: Deal, index: int, ticket: Ticket, shared: Shared) -> Move:
        changed = self._with(deal, index, ticket.truth)
        return self._settle(label, changed, shared, claims.breach_of_state(changed))

    def _with(self, deal: Deal, index: int, truth: object) -> Deal:
        tickets = list(deal.tickets)
        tickets[index] = tickets[index]._replace(truth=truth)  # type: ignore[arg-type]
        return self.known(level(deal.position, tickets))

    def _settle(self, label: str, deal: Deal, shared: Shared, breach: str = "") -> Move:
        """Forgets orders about which nothing can be told any more, and the deal when it has ended and has none."""
        if breach:
            return Move(label, deal, shared, breach)
        kept = [t for t in deal.tickets if not self._is_inert(deal, t)]
        if len(kept) != len(deal.tickets):
            deal = level(deal.position, kept)
        if not kept and deal.position.state in ENDED_POSITION:
            return Move(label, None, shared, claims.breach_at_end(deal))
        return Move(label, self.known(deal), shared)

    def _is_inert(self, deal: Deal, ticket: Ticket) -> bool:
        """It has ended here and there, all its trades are booked, and no report of it would change anything."""
        truth, record = ticket.truth, ticket.record
        if record.state not in ENDED_ORDER or truth.may_live or len(ticket.booked) != truth.filled:
            return False
        if deal.position.state == ORDERING and record.client_order_id == deal.position.entry_order_id:
            return False
        known = f"{deal.seen} {record.client_order_id} {truth.phase} {truth.filled}"
        inert = self._inert.get(known)
        if inert is None:
            shared = Shared("open", False, "active")
            inert = True
            for word in self._words(ticket):
                for trades in _trades(word):
                    self.bench.load(shared, [deal])
                    news = OrderNews(record.client_order_id, SYMBOL, report_of(record, word, trades))
                    outcome = self.bench.run([_heard(news, self.bench)])
                    inert = inert and not (outcome.records or outcome.effects or outcome.fault)
            self._inert[known] = inert
        return inert

    def _is_beyond(self, deal: Deal) -> bool:
        entries = sum(t.is_entry for t in deal.tickets)
        return max(entries, len(deal.tickets) - entries) > self.bounds.orders

    def known(self, deal: Deal) -> Deal:
        """The one deal with that key."""
        self._examples.setdefault(deal.summary, deal)
        return self.deals.setdefault(deal.key, deal)

    def examples_of(self, others: Others) -> list[Deal]:
        """A deal for each summary, the first that was met: what stands for any that looks like it."""
        return [self._examples[summary] for summary in others]

    def window_passed(self, deal: Deal) -> Move:
        """The same deal when the window for late requests has passed."""
        move = self._windows.get(deal.key)
        if move is None:
            move = self._windows[deal.key] = self._pass_window(deal)
        return move

    def _pass_window(self, deal: Deal) -> Move:
        tickets = []
        for ticket in deal.tickets:
            record = ticket.record.copy()
            record.sent_at_ms -= WINDOW_MS
            truth = after_a_window(ticket.truth, record.state in LOOKED_UP)
            tickets.append(ticket._replace(record=record, truth=truth))
        changed = level(deal.position, tickets)
        return self._settle("", changed, Shared("", False, ""), claims.breach_of_state(changed))

    def died(self, deal: Deal, shared: Shared) -> Move:
        """The engine died and was started again: each order that was outstanding is told so."""
        move = self._deaths.get((deal.key, shared))
        if move is None:
            move = self._deaths[deal.key, shared] = self._die(deal, shared)
        return move

    def _die(self, deal: Deal, shared: Shared) -> Move:
        tickets = [t._replace(truth=after_death(t.truth)) for t in deal.tickets]
        survivor = level(deal.position, tickets)
        outstanding = [t.record for t in survivor.tickets if t.record.state not in ENDED_ORDER]
        self.bench.load(shared, [survivor])
        works = [
            _heard(OrderNews(record.client_order_id, SYMBOL, None, ENGINE_RESTARTED), self.bench)
            for record in outstanding
        ]
        if not works:
            return self._settle("", survivor, shared)
        return self.after("", survivor, shared, self.bench.run(works))


def changed_tickets(tickets: Sequence[Ticket], outcome: Outcome, position_id: str) -> list[Ticket]:
    """The tickets with the records, trades and calls that a commit brought."""
    known = {t.record.client_order_id: t for t in tickets}
    for record in outcome.records.values():
        if isinstance(record, OrderRecord) and record.position_id == position_id:
            old = known.get(record.client_order_id)
            known[record.client_order_id] = (
                old._replace(record=record) if old else Ticket(record, (), Truth())
            )
    for fill in outcome.fills:
        ticket = known[fill.client_order_id]
        number = int(fill.id.rpartition("#")[2])
        known[fill.client_order_id] = ticket._replace(booked=tuple({*ticket.booked, number}))
    for effect in outcome.effects:
        if effect.client_order_id in known:
            ticket = known[effect.client_order_id]
            known[effect.client_order_id] = ticket._replace(truth=_begun(ticket.truth, effect))
    return list(known.values())


def _begun(truth: Truth, effect: Effect) -> Truth:
    """A cancel leaves at once: one that never leaves is one that never arrives. A look-up may come at any time."""
    if not isinstance(effect, OutboxRow):
        return truth
    if effect.kind == "send_order":
        return truth._replace(creating=QUEUED)
    return truth._replace(cancelling=WAITING, cancel_travels=True)


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


def _trades(word: Snapshot) -> list[tuple[int, ...]]:
    """A report brings all trades so far or only the last."""
    everything = tuple(range(1, word.filled + 1))
    return [everything] if word.filled < 2 else [everything, everything[-1:]]


def _told(word: Snapshot, trades: Sequence[int]) -> str:
    only = ", the last trade alone" if trades and len(trades) < word.filled else ""
    return f"{word.status}, {word.filled} filled{only}"


def _prices(deal: Deal) -> Iterator[tuple[str, Telling]]:
    """The prices that the position watches for, each touched."""
    entry = next(
        (t.record for t in deal.tickets if t.record.client_order_id == deal.position.entry_order_id), None
    )
    watch = watch_of(deal.position, entry)
    if watch is None:
        return
    for label, level_price in (
        ("the price falls to its stop", watch.below),
        ("the price rises", watch.above),
    ):
        if level_price.is_finite():
            tick = Tick(SYMBOL, NOW_MS, level_price)
            yield label, partial(_answer, tick, watch)


def _heard(news: OrderNews, bench: Bench) -> Work:
    return lambda turn: bench.engine.orchestrator._read_news(news, turn)


def _created(record: OrderRecord, answer: OrderReport | Exception, bench: Bench) -> Work:
    return _heard(bench.answer_to_create(record.client_order_id, answer), bench)


def _cancelled(record: OrderRecord, answer: OrderReport | Exception, bench: Bench) -> Work:
    identity = record.client_order_id
    row = OutboxRow(f"{identity}:cancel", "send_cancel", identity, SYMBOL, NOW_MS)
    news = bench.perform(row, answer)
    assert news is not None
    return _heard(news, bench)


def _sold(bench: Bench) -> Work:
    return partial(bench.engine.orchestrator._answer_sell, SELL, Decision())


def _looked_up(record: OrderRecord, age: int, answer: Answer, bench: Bench) -> Work:
    return _heard(bench.answer_to_question(record.client_order_id, age, answer), bench)


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


def _answer(tick: Tick, watch: Watch, bench: Bench) -> Work:
    return lambda turn: bench.engine.orchestrator._answer_price(tick, [watch], turn)
