"""The start: the working set is rebuilt, what fell due fires, what is outstanding is looked up, trading goes on."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from time import perf_counter

from loguru import logger

from fsm.commit import StoredState
from fsm.order import ENGINE_RESTARTED, UNKNOWN
from fsm.pair import CONFIGURED, IDLE
from fsm.permission import ACTIVE, ENGINE_SUBJECT
from fsm.records import PairRecord, PermissionRecord, Record
from fsm.values import MONEY, quote_of
from services.indicators import CheckpointError
from services.messages import KeysRefused, OrderNews, QueryFailed
from services.ports import Account
from services.trading_orchestrator import TradingOrchestrator

Reconcile = Callable[[], Awaitable[object]]

ASK_AGAIN_S = 1.0


@dataclass(frozen=True, slots=True)
class Resumption:
    """What a start found and how long it took."""

    epoch: int
    positions: int
    orders: int
    unknown_orders: int
    cold_symbols: tuple[str, ...]
    """Symbols whose indicators start anew, because no usable checkpoint was stored."""
    rebuild_ms: float


async def resume(
    orchestrator: TradingOrchestrator,
    account: Account,
    stored: StoredState,
    symbols: Sequence[str],
    patience_s: float = 10,
    *,
    first: Reconcile | None = None,
    reconcile: Reconcile | None = None,
    for_a_person: bool = False,
) -> Resumption:
    """Goes on from what the store's `load` found. Looks up every outstanding order before anything new is sent; an
    order that no look-up settled within `patience_s` stays unknown, and its pair enters nothing meanwhile.

    Raises QueryFailed when the exchange did not tell the balance for so long; nothing new was sent then.

    `first` runs as soon as the books stand, before anything follows from them; `reconcile` after the look-ups and
    before anything new is sent. `for_a_person`: a short session in which
    only what a person decides happens; no deadline fires, and sends stay held until they are released.
    """
    state = orchestrator.state
    state.deadlines_are_held = for_a_person
    started_s = perf_counter()
    state.rebuild(stored)
    for symbol in symbols:
        if symbol not in state.working.pairs:
            state.working.put(PairRecord(state=IDLE, symbol=symbol))
    for scope in (ENGINE_SUBJECT, *state.working.pairs):
        if scope not in state.working.permissions:
            state.working.put(PermissionRecord(state=ACTIVE, scope=scope))
    cold = tuple(symbol for symbol in symbols if not _restore(orchestrator, symbol, stored.checkpoints))
    rebuild_ms = (perf_counter() - started_s) * 1000
    state.sends_are_held = True
    if first is not None:
        await first()
    for row in stored.pending_outbox:
        state.deliver(OrderNews(row.client_order_id, row.symbol, outbox_done=row.id))
    outstanding, positions = list(state.working.orders.values()), len(state.working.positions)
    await _refresh_balance_soon(orchestrator, account, patience_s)
    await orchestrator.update_open_positions()
    for order in outstanding:
        state.deliver(OrderNews(order.client_order_id, order.symbol, None, ENGINE_RESTARTED))
    await orchestrator.update_open_positions()
    await state.settle(patience_s)
    await orchestrator.update_open_positions()
    await _refresh_balance_soon(orchestrator, account, patience_s)
    if reconcile is not None:
        await reconcile()
    if not for_a_person:
        await _configure(orchestrator, symbols)
        state.release_sends()
    await orchestrator.update_open_positions()
    unknown = sum(order.state == UNKNOWN for order in state.working.orders.values())
    resumption = Resumption(stored.epoch, positions, len(outstanding), unknown, cold, rebuild_ms)
    logger.bind(event="resumed", epoch=stored.epoch, positions=positions, orders=len(outstanding)).info(
        "resumed"
    )
    return resumption


async def _refresh_balance_soon(
    orchestrator: TradingOrchestrator, account: Account, patience_s: float
) -> None:
    """An exchange that does not answer at once, or has asked for quiet, may a little later. Raises QueryFailed."""
    loop = asyncio.get_running_loop()
    until_s = loop.time() + patience_s
    while True:
        try:
            await refresh_balance(orchestrator, account)
        except QueryFailed as error:
            if loop.time() >= until_s or isinstance(error, KeysRefused):
                raise
            logger.bind(event="balance_not_told", error=repr(error)).warning("balance_not_told")
            await asyncio.sleep(ASK_AGAIN_S)
        else:
            return


async def refresh_balance(orchestrator: TradingOrchestrator, account: Account) -> None:
    """The exchange's word on the quote currency replaces the engine's own sum."""
    state = orchestrator.state
    quotes = {quote_of(symbol) for symbol in state.working.pairs}
    transitions = state.metrics.transitions
    balances = await account.fetch_balance()
    state.balances = balances
    if state.metrics.transitions != transitions:
        return  # something was booked meanwhile: the answer may be older than the engine's own sum
    for quote in quotes & set(balances):
        state.commitments.quote_total = MONEY.add(balances[quote].free, balances[quote].used)


async def _configure(orchestrator: TradingOrchestrator, symbols: Sequence[str]) -> None:
    """Journals which strategies decide from now on, for each pair where that is new."""
    state = orchestrator.state
    described = {symbol: orchestrator.signals.describe(symbol) for symbol in symbols}
    changed = [s for s, strategy in described.items() if state.working.pairs[s].strategy != strategy]
    await asyncio.gather(
        *(orchestrator.apply("pair", symbol, CONFIGURED, _by(described[symbol])) for symbol in changed)
    )


def _by(strategy: str) -> Callable[[Record], None]:
    def update(record: Record) -> None:
        assert isinstance(record, PairRecord)
        record.strategy = strategy

    return update


def checkpoint_of(orchestrator: TradingOrchestrator, symbol: str) -> str:
    """Everything of a symbol that ticks have built up, as JSON: indicators, strategies, trailing stops."""
    watches = orchestrator.state.working.watches.get(symbol, {})
    return json.dumps(
        {
            "market": orchestrator.market.checkpoint(symbol),
            "signals": orchestrator.signals.checkpoint(symbol),
            "highs": {watch.position_id: str(watch.high) for watch in watches.values() if not watch.is_entry},
        },
        separators=(",", ":"),
    )


def _restore(orchestrator: TradingOrchestrator, symbol: str, checkpoints: dict[str, str]) -> bool:
    text = checkpoints.get(symbol)
    if text is None:
        return False
    try:
        data = json.loads(text)
        orchestrator.market.restore(symbol, data["market"])
        orchestrator.signals.restore(symbol, data["signals"])
        watches = orchestrator.state.working.watches.get(symbol, {})
        for position_id, high in data["highs"].items():
            if position_id in watches:
                watches[position_id].lift(Decimal(high))
    except (CheckpointError, ValueError, KeyError, TypeError, InvalidOperation) as error:
        logger.bind(event="checkpoint_unusable", symbol=symbol, fault=str(error)).warning(
            "checkpoint_unusable"
        )
        return False
    return True
