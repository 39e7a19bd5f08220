"""A person's session with the books: a plan that only reads, or an engine that does what the person decides."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from dirigent.assembly import all_rules, assemble
from dirigent.configuration.settings import Settings, pair_rules
from dirigent.venues import Venue, is_simulated, opened, paper_file, refuse_exchange, tolerances
from dirigent.wiring import Engine
from fsm.commit import former_tags
from fsm.records import OrderRecord, PairRecord, PositionRecord
from persistence.files import reading
from persistence.standing import standing
from persistence.store import SqliteStore
from services.clocks import SystemClock
from services.exchanges.paper_file import audit
from services.messages import OrderReport
from services.reconciliation.baselines import baselines_in
from services.reconciliation.comparison import compare, questions
from services.reconciliation.decisions import CannotDecide, Decisions
from services.reconciliation.plan import Account, Beliefs, Kind, Plan
from services.reconciliation.reconciler import PAUSE_S, Reconciler
from services.resumption import resume

PATIENCE_S = 10.0


def plan_of(settings: Settings) -> Plan:
    """Compares the database with the exchange's books, and changes nothing; also beside a running daemon.

    Raises what `opened` raises, and QueryFailed.
    """
    refuse_exchange(settings)
    return plan_from_files(settings) if is_simulated(settings) else asyncio.run(_plan_from_exchange(settings))


async def _plan_from_exchange(settings: Settings) -> Plan:
    """What was seen twice: between the answers of one look an order may fill."""
    symbols = _beliefs(settings, []).symbols
    async with opened(settings, symbols, SystemClock()) as exchange:
        plan = await _look(settings, exchange, symbols)
        if not plan.differences:
            return plan
        await asyncio.sleep(PAUSE_S)
        again = await _look(settings, exchange, symbols)
        seen = {row.identity for row in plan.differences}
        return replace(again, differences=tuple(row for row in again.differences if row.identity in seen))


async def _look(settings: Settings, exchange: Venue, symbols: Sequence[str]) -> Plan:
    listed = await exchange.fetch_open_orders()
    balances = await exchange.fetch_balance()
    allowed = tolerances(settings, {symbol: exchange.market(symbol) for symbol in symbols})
    beliefs = replace(_beliefs(settings, listed), tolerances=allowed)
    account = Account(listed, balances)
    while asked := questions(beliefs, account):
        answers = {name: await exchange.fetch_order(name, symbol) for name, symbol in asked}
        account = Account(listed, balances, {**account.answers, **answers})
    return compare(beliefs, account)


def plan_from_files(settings: Settings) -> Plan:
    """Compares the database with the paper exchange's file; reads both, also beside a running daemon."""
    with reading(Path(settings.database)):  # its absence is told before that of the exchange's file
        book = audit(paper_file(settings.database))
    listed = [order.listed() for order in book.orders if order.is_open]
    beliefs = _beliefs(settings, listed)
    found = {(order.client_order_id, order.symbol): order.report() for order in book.orders}
    account = Account(listed, book.balances)
    while asked := questions(beliefs, account):
        answers = {name: found.get((name, symbol)) for name, symbol in asked}
        account = Account(listed, book.balances, {**account.answers, **answers})
    return compare(beliefs, account)


def _beliefs(settings: Settings, listed: Sequence[OrderReport]) -> Beliefs:
    """The engine's side, as the database has it at this moment."""
    whole = standing(Path(settings.database), [report.client_order_id for report in listed])
    live = {order.client_order_id: order for order in whole.stored.orders if isinstance(order, OrderRecord)}
    pairs = [pair.symbol for pair in whole.stored.pairs if isinstance(pair, PairRecord)]
    return Beliefs(
        tag=whole.stored.tag,
        symbols=tuple(dict.fromkeys([*pairs, *pair_rules(settings)])),
        live=live,
        ended={order.client_order_id: order for order in whole.recent},
        positions=[p for p in whole.stored.positions if isinstance(p, PositionRecord)],
        totals=whole.totals,
        baselines=baselines_in(whole.stored.facts),
        former_tags=former_tags(whole.stored.facts),
    )


@dataclass(frozen=True, slots=True)
class Session:
    """An engine that trades nothing: only what a person decides happens, through the same tables as ever."""

    engine: Engine
    exchange: Venue
    reconciler: Reconciler
    decisions: Decisions

    async def apply(self) -> Plan:
        self.engine.state.release_sends()
        plan = await self.reconciler.reconcile()
        await self._settle()
        return plan

    async def adopt(self, subject: str, price: Decimal | None) -> str:
        """An order that is not ours, a coin that is not ours, or the balance of the quote currency; in words."""
        plan = await self.reconciler.look()
        row = next((row for row in plan.differences if row.subject == subject), None)
        if row is None and subject in plan.beside:
            raise CannotDecide(f"no pair of this engine trades {subject}; add one to the configuration first")
        if row is None:
            raise CannotDecide(f"{subject} is no row of the plan; see dirigent reconcile --plan")
        if row.kind in (Kind.ORDER_FOREIGN, Kind.ORDER_UNBOOKED):
            assert row.report is not None
            self.engine.state.release_sends()
            adopted = await self.decisions.adopt_order(row.report)
            await self._settle()
            return f"order {subject} is the entry of position {adopted}"
        if row.kind is Kind.QUOTE_DIFFERS:
            await self.decisions.adopt_balance(subject, plan.still_quotes[subject])
            return f"{row.says} are right from now on"
        if row.kind is not Kind.HOLDING_FOREIGN or not row.surplus:
            raise CannotDecide(f"{subject} is {row.kind}: {row.proposal}; it cannot be adopted")
        symbol = next((one for one in row.symbols if one in self.engine.risk.rules), None)
        if symbol is None:
            raise CannotDecide(f"no pair of this engine trades {subject}; add one to the configuration first")
        cost = price or Decimal(str((await self.exchange.watch_ticker(symbol))["last"]))
        adopted = await self.decisions.adopt_holding(symbol, row.surplus, cost)
        return f"{row.surplus:f} {subject} at {cost:f} are position {adopted}"

    async def detach(self, position_id: str) -> str:
        await self.decisions.detach(position_id)
        return self._told(position_id)

    async def close(self, position_id: str) -> str:
        position = self.engine.state.position(position_id)
        if position is not None:
            ticker = await self.exchange.watch_ticker(position.symbol)
            self.engine.market.observe(ticker)
        self.engine.state.release_sends()
        await self.decisions.close(position_id)
        await self._settle()
        return self._told(position_id)

    async def resume(self, scope: str) -> str:
        """A pair, the engine, or `all` that are not active; in words."""
        permissions = self.engine.state.working.permissions
        stopped = [name for name, permission in permissions.items() if permission.state != "active"]
        scopes = stopped if scope == "all" else [scope]
        for one in scopes:
            await self.decisions.resume(one)
        return f"active: {', '.join(scopes)}" if scopes else "all are active already"

    async def _settle(self) -> None:
        await self.engine.state.settle(PATIENCE_S)
        await self.engine.orchestrator.update_open_positions()

    def _told(self, position_id: str) -> str:
        position = self.engine.state.position(position_id)
        assert position is not None
        result = f", result {position.realized_pnl:f}" if position.closed_at_ms else ""
        return f"position {position_id} is {position.state}{result}"


@asynccontextmanager
async def session(settings: Settings, person: str) -> AsyncIterator[Session]:
    """Opens store and exchange as the daemon does, and looks up what is outstanding.

    Raises StoreError while a daemon holds the database, and what `opened` raises.
    """
    refuse_exchange(settings)
    clock = SystemClock()
    with SqliteStore.open(settings.database, mode=settings.mode, exchange=settings.exchange.id) as store:
        stored = store.load()
        rules = all_rules(settings, stored)
        async with opened(settings, list(rules), clock) as exchange:
            engine = assemble(settings, rules, store, exchange, clock, stored.facts)
            await resume(engine.orchestrator, exchange, stored, engine.symbols, PATIENCE_S, for_a_person=True)
            allowed = tolerances(settings, engine.risk.market_rules)
            reconciler = Reconciler(engine.orchestrator, exchange, store, tolerances=allowed)
            yield Session(engine, exchange, reconciler, Decisions(engine.orchestrator, person))
