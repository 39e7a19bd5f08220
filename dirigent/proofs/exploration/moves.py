"""Everything that can happen next to one deal: at the exchange, on the wire, and in the engine that hears of it."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from dirigent.proofs.exploration import claims
from dirigent.proofs.exploration.bench import SYMBOL, Bench, Left, Outcome, Shared, content_of
from dirigent.proofs.exploration.bounds import Bounds
from dirigent.proofs.exploration.deals import (
    ENDED_ORDER,
    ENDED_POSITION,
    LOOKED_UP,
    NOW_MS,
    WINDOW_MS,
    Deal,
    Others,
    Summary,
    Ticket,
    canonical_id,
    under,
)
from dirigent.proofs.exploration.levels import Levels
from dirigent.proofs.exploration.tellings import (
    Telling,
    reported,
    restarted,
    told_of_order,
    told_of_position,
    trades_of,
    words_of,
)
from dirigent.proofs.exploration.venue import (
    QUEUED,
    TRAVELLING,
    UNSENT,
    WAITING,
    Truth,
    after_a_window,
    after_death,
    doings,
)
from fsm.commit import OutboxRow
from fsm.position import ORDERING
from fsm.records import OrderRecord, PositionRecord
from services.turns.turn import Effect


class Move(NamedTuple):
    """`deal` None: it has ended, and so has everything about it. `breach` names the claim that the move breaks."""

    label: str
    deal: Deal | None
    shared: Shared
    breach: str = ""


class Agenda(NamedTuple):
    """What can happen to a deal: outside the engine, with what it leads to, and what the engine can be told."""

    outside: list[tuple[str, Deal | None, str]]
    tellings: list[tuple[str, Telling, Deal]]


class DealMoves:
    """Asks the real engine once for each deal in each surrounding and remembers what it did."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.bench = Bench(bounds.amount, bounds.amount_min, bounds.attempts)
        self.deals: dict[str, Deal] = {}
        self._levels = Levels()
        self.cut = 0
        """Moves not followed, because they would have left more orders unsettled than the bounds allow."""
        self._inert: dict[str, bool] = {}
        self._agendas: dict[str, Agenda] = {}
        self._examples: dict[Summary, Deal] = {}
        self._windows: dict[str, tuple[Deal | None, str]] = {}
        self._deaths: dict[tuple[str, Shared], Move] = {}
        self._outcomes: dict[tuple[str, str, Shared, Others], Outcome] = {}
        self._alike: dict[str, Outcome] = {}
        self._results: dict[tuple[str, int], tuple[Deal | None, str]] = {}
        self._restarts: dict[tuple[str, Shared], Outcome] = {}

    def of(self, deal: Deal, shared: Shared, others: Others) -> Iterator[Move]:
        """What can happen to this deal. Of the others the engine reads no more than their summaries, in order."""
        agenda = self._agendas.get(deal.key)
        if agenda is None:
            agenda = self._agendas[deal.key] = self._agenda_of(deal)
        for label, after, breach in agenda.outside:
            yield Move(label, after, shared, breach)
        for label, telling, told in agenda.tellings:
            move = self._turn(label, told, shared, others, telling)
            if move.breach or move.deal is not deal or move.shared != shared:
                yield move

    def _agenda_of(self, deal: Deal) -> Agenda:
        """All that can happen to the deal whatever the others are; the engine's answers may depend on these."""
        outside: list[tuple[str, Deal | None, str]] = []
        tellings: list[tuple[str, Telling, Deal]] = []
        for index, ticket in enumerate(deal.tickets):
            name = ticket.record.client_order_id[len(canonical_id()) :]
            for label, truth in doings(ticket.truth, ticket.amount):
                outside.append(self._outside(f"{name}: {label}", deal, index, truth))
            if ticket.truth.creating == QUEUED:
                outside.append(self._send(f"{name}: its request leaves", deal, index))
            for label, telling, truth in told_of_order(ticket, self.bounds.reports):
                told = deal if truth is ticket.truth else self._with(deal, index, truth)
                tellings.append((f"{name}: {label}", telling, told))
        tellings += [(label, telling, deal) for label, telling in told_of_position(deal)]
        return Agenda(outside, tellings)

    def _send(self, label: str, deal: Deal, index: int) -> tuple[str, Deal | None, str]:
        """The engine comes to the request that it has committed to; it may have learnt better meanwhile."""
        truth, identity = deal.tickets[index].truth, deal.tickets[index].record.client_order_id
        self.bench.load(Shared("ordering", False, "active"), [deal])
        row = OutboxRow(f"{identity}:create", "send_order", identity, SYMBOL, NOW_MS)
        if self.bench.perform(row, Left()) is not None:
            return self._outside(label, deal, index, truth._replace(creating=""))
        if truth.phase != UNSENT:
            return label, deal, f"order {identity} is sent twice"
        return self._outside(label, deal, index, truth._replace(creating=WAITING, phase=TRAVELLING))

    def _outside(self, label: str, deal: Deal, index: int, truth: Truth) -> tuple[str, Deal | None, str]:
        changed = self._with(deal, index, truth)
        after, breach = self._settle(changed, claims.breach_of_state(changed))
        return label, after, breach

    def _with(self, deal: Deal, index: int, truth: Truth) -> Deal:
        tickets = list(deal.tickets)
        tickets[index] = tickets[index]._replace(truth=truth)
        return self.known(self._levels.level(deal.position, tickets))

    def _turn(self, label: str, deal: Deal, shared: Shared, others: Others, telling: Telling) -> Move:
        """What the engine does when it is told; asked once for all that it cannot tell apart."""
        known = (label, deal.seen, shared, others)
        outcome = self._outcomes.get(known)
        if outcome is None:
            self.bench.load(shared, [deal, *self.examples_of(others)])
            outcome = self.bench.run([telling(self.bench)])
            records = {key: self._levels.levelled(record) for key, record in outcome.records.items()}
            outcome = self._alike.setdefault(content_of(outcome, records), replace(outcome, records=records))
            self._outcomes[known] = outcome
        result = self._results.get((deal.key, id(outcome)))
        if result is None:
            result = self._results[deal.key, id(outcome)] = self._after(deal, outcome)
        return Move(label, result[0], self.bench.shared_after(shared, outcome), result[1])

    def _after(self, deal: Deal, outcome: Outcome) -> tuple[Deal | None, str]:
        """The deal with everything that a commit changed of it."""
        if outcome.is_nothing:
            return self._settle(deal)
        return self._changed(deal.position, deal.tickets, outcome)

    def born(self, outcome: Outcome, living: int) -> tuple[Deal | None, str]:
        """The deal that began in a turn, if one did, beside `living` others."""
        known = {canonical_id(number) for number in range(1, living + 1)}
        for record in outcome.records.values():
            if isinstance(record, PositionRecord) and record.id not in known:
                return self._changed(record, (), outcome)
        return None, outcome.fault

    def _changed(
        self, before: PositionRecord, held: Sequence[Ticket], outcome: Outcome
    ) -> tuple[Deal | None, str]:
        position = outcome.records.get(("position", before.id), before)
        assert isinstance(position, PositionRecord)
        tickets = changed_tickets(held, outcome, before.id)
        breach = claims.breach_of_change(held, tickets, outcome)
        changed = self._levels.level(*under(position, tickets, canonical_id()))
        breach = breach or claims.breach_of_state(changed)
        if not breach and held and self._is_beyond(changed):
            self.cut += 1
            return self.known(self._levels.level(before, held)), ""
        return self._settle(changed, breach)

    def _settle(self, deal: Deal, breach: str = "") -> tuple[Deal | None, str]:
        """Forgets orders about which nothing can be told any more, and the deal when it has ended and has none."""
        if breach:
            return self.known(deal), breach
        kept = [t for t in deal.tickets if not self._is_inert(deal, t)]
        if len(kept) != len(deal.tickets):
            deal = self._levels.level(deal.position, kept)
        if not kept and deal.position.state in ENDED_POSITION:
            return None, claims.breach_at_end(deal)
        return self.known(deal), ""

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
            for word in words_of(ticket, None):
                for trades in trades_of(word):
                    self.bench.load(shared, [deal])
                    outcome = self.bench.run([reported(record, word, trades, self.bench)])
                    inert = inert and outcome.is_nothing
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

    def window_passed(self, deal: Deal) -> tuple[Deal | None, str]:
        """The same deal when the window for late requests has passed."""
        after = self._windows.get(deal.key)
        if after is None:
            after = self._windows[deal.key] = self._pass_window(deal)
        return after

    def _pass_window(self, deal: Deal) -> tuple[Deal | None, str]:
        tickets = []
        for ticket in deal.tickets:
            record = ticket.record.copy()
            record.sent_at_ms -= WINDOW_MS
            truth = after_a_window(ticket.truth, record.state in LOOKED_UP)
            tickets.append(ticket._replace(record=record, truth=truth))
        changed = self._levels.level(deal.position, tickets)
        return self._settle(changed, claims.breach_of_state(changed))

    def died(self, deal: Deal, shared: Shared) -> Move:
        """The engine died and was started again: each order that was outstanding is told so."""
        move = self._deaths.get((deal.key, shared))
        if move is None:
            move = self._deaths[deal.key, shared] = self._die(deal, shared)
        return move

    def _die(self, deal: Deal, shared: Shared) -> Move:
        tickets = [t._replace(truth=after_death(t.truth)) for t in deal.tickets]
        survivor = self._levels.level(deal.position, tickets)
        outcome = self._restarts.get((survivor.seen, shared))
        if outcome is None:
            self.bench.load(shared, [survivor])
            outstanding = [t.record for t in survivor.tickets if t.record.state not in ENDED_ORDER]
            outcome = self.bench.run([restarted(record, self.bench) for record in outstanding])
            records = {key: self._levels.levelled(record) for key, record in outcome.records.items()}
            outcome = self._restarts[survivor.seen, shared] = replace(outcome, records=records)
        after, breach = self._after(survivor, outcome)
        return Move("", after, self.bench.shared_after(shared, outcome), breach)


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
