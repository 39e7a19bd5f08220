"""What people ask of the books as they stand: read-only, while the engine writes; money as Decimal, times in int ms."""

import json
import sqlite3
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

from fsm.permission import ENGINE_SUBJECT, PERMISSION
from fsm.records import Fill, OrderRecord, PairRecord, PermissionRecord, PositionRecord
from persistence import creation
from persistence.files import reading
from persistence.lock import holder_pid
from persistence.subjects import FILL_CODEC, FILL_SELECT, SUBJECT_TABLES

Row = dict[str, Any]
_STRICTNESS = {state.name: rank for rank, state in enumerate(PERMISSION.states)}
_NOT_ASKED = PermissionRecord(PERMISSION.initial)


def pairs(path: Path) -> list[Row]:
    """Each pair with its last price, and the stricter of its own permission and the engine's."""
    with reading(path) as connection:
        records: list[PairRecord] = _records(connection, "pair", {})
        permissions: list[PermissionRecord] = _records(connection, "permission", {})
        feeds = {row[0]: row[1:] for row in connection.execute("SELECT * FROM feeds")}
    by_scope = {permission.scope: permission for permission in permissions}
    return [_pair(record, by_scope, feeds.get(record.symbol)) for record in records]


def _pair(
    pair: PairRecord, permissions: dict[str, PermissionRecord], feed: tuple[str, int, str] | None
) -> Row:
    price, at_ms, note = feed or (None, None, "")
    permission = max(
        permissions.get(pair.symbol, _NOT_ASKED),
        permissions.get(ENGINE_SUBJECT, _NOT_ASKED),
        key=lambda one: _STRICTNESS.get(one.state, 0),
    )
    return {
        "symbol": pair.symbol,
        "state": pair.state,
        "strategy": pair.strategy,
        "last_price": Decimal(price) if price else None,
        "last_tick_at": at_ms or None,
        "reason": _refusal(permission) or pair.reason or note or permission.reason,
        "permission": permission.state,
        "permission_reason": permission.reason,
        "cooldown_until": pair.cooldown_until_ms or None,
    }


def facts(path: Path, beginning: str) -> dict[str, str]:
    """Those whose names begin so, by the rest of the name; empty ones are left out."""
    with reading(path) as connection:
        rows = connection.execute(
            "SELECT substr(name, ?), value FROM facts WHERE substr(name, 1, ?) = ? AND value <> ''",
            (len(beginning) + 1, len(beginning), beginning),
        ).fetchall()
    return dict(rows)


def permission_versions(path: Path) -> dict[str, int]:
    """By scope, the version of each permission that is not active."""
    with reading(path) as connection:
        permissions: list[PermissionRecord] = _records(connection, "permission", {})
    return {one.scope: one.version for one in permissions if one.state != PERMISSION.initial}


def _refusal(permission: PermissionRecord) -> str:
    """Why the pair may not enter, which says more than any signal's reason."""
    return "" if permission.state == PERMISSION.initial else permission.reason


def positions(path: Path, state: str | None = None, symbol: str | None = None) -> list[Row]:
    with reading(path) as connection:
        records = _records(connection, "position", {"state": state, "symbol": symbol})
    return [_position(record) for record in records]


def _position(position: PositionRecord) -> Row:
    return {
        "id": position.id,
        "symbol": position.symbol,
        "state": position.state,
        "strategy": position.strategy,
        "quantity": position.quantity,
        "entry_price": position.entry_price,
        "exit_price": position.exit_price,
        "dust": position.dust,
        "realized_pnl": position.realized_pnl,
        "opened_at": position.opened_at_ms,
        "closed_at": position.closed_at_ms,
        "exit_reason": position.exit_reason,
        "reason": position.reason,
        "bought": position.bought,
        "spent": position.spent,
        "sold": position.sold,
        "received": position.received,
        "fee_base": position.fee_base,
        "fee_quote": position.fee_quote,
        "created_at": position.created_at_ms,
    }


def orders(
    path: Path, state: str | None = None, symbol: str | None = None, position_id: str | None = None
) -> list[Row]:
    wanted = {"state": state, "symbol": symbol, "position_id": position_id}
    with reading(path) as connection:
        records = _records(connection, "order", wanted)
    return [_order(record) for record in records]


def _order(order: OrderRecord) -> Row:
    return {
        "client_order_id": order.client_order_id,
        "exchange_order_id": order.exchange_order_id,
        "position_id": order.position_id,
        "symbol": order.symbol,
        "side": order.side,
        "type": order.type,
        "state": order.state,
        "amount": order.amount,
        "price": order.price,
        "filled": order.filled,
        "average": order.average,
        "fee": _fee_in_quote(order),
        "fee_base": order.fee_base,
        "fee_quote": order.fee_quote,
        "reason": order.reason,
        "created_at": order.created_at_ms,
        "sent_at": order.sent_at_ms or None,
    }


def _fee_in_quote(order: OrderRecord) -> Decimal:
    """What was taken in the base coin counts at the order's average price."""
    if not order.fee_base or order.average is None:
        return order.fee_quote
    return order.fee_quote + order.fee_base * order.average


def fills(path: Path, symbol: str | None = None, client_order_id: str | None = None) -> list[Row]:
    """In the order of their times."""
    condition, values = _condition({"symbol": symbol, "client_order_id": client_order_id})
    with reading(path) as connection:
        rows = connection.execute(f"{FILL_SELECT}{condition} ORDER BY at_ms, symbol, id", values).fetchall()
    return [_fill(FILL_CODEC.decode(row)) for row in rows]


def _fill(fill: Fill) -> Row:
    return {
        "id": fill.id,
        "client_order_id": fill.client_order_id,
        "symbol": fill.symbol,
        "side": fill.side,
        "amount": fill.amount,
        "price": fill.price,
        "fee": fill.fee,
        "fee_currency": fill.fee_currency,
        "at": fill.at_ms,
    }


def state_counts(path: Path) -> dict[str, dict[str, int]]:
    """By machine and state, how many subjects are there; states without any are left out."""
    with reading(path) as connection:
        return _state_counts(connection)


def _state_counts(connection: sqlite3.Connection) -> dict[str, dict[str, int]]:
    return {
        table.machine: dict(connection.execute(f"SELECT state, count(*) FROM {table.name} GROUP BY state"))
        for table in SUBJECT_TABLES.values()
    }


def has_past(path: Path) -> bool:
    """Whether anything has happened in this database; one without a past belongs to whoever trades with it next."""
    with reading(path) as connection:
        return creation.has_past(connection)


def status(path: Path, now_ms: int | None = None) -> Row:
    """The last heartbeat, whether a live process holds the database, and the subjects counted by state."""
    with reading(path) as connection:
        heartbeat = _heartbeat(connection)
        counts = _state_counts(connection)
        engine = dict(connection.execute("SELECT name, value FROM engine WHERE name IN ('mode', 'exchange')"))
        permissions: list[PermissionRecord] = _records(connection, "permission", {})
    engine_wide = next((p for p in permissions if p.scope == ENGINE_SUBJECT), _NOT_ASKED)
    pid = holder_pid(path)
    if now_ms is None:
        now_ms = int(time.time() * 1000)
    started_at_ms = heartbeat.get("started_at_ms")
    seen_at_ms = now_ms if pid is not None else heartbeat.get("at_ms", 0)
    return {
        **heartbeat,
        **engine,
        "running": pid is not None,
        "pid": pid,
        "uptime_s": (seen_at_ms - started_at_ms) / 1000 if started_at_ms is not None else None,
        "permission": engine_wide.state,
        "permission_reason": engine_wide.reason,
        "stopped": {p.scope: f"{p.state}: {p.reason}" for p in permissions if p.state != PERMISSION.initial},
        "pairs_by_state": counts["pair"],
        "positions_by_state": counts["position"],
        "orders_by_state": counts["order"],
    }


def balance(path: Path) -> dict[str, dict[str, Decimal]]:
    """By currency free, used and total, as the last heartbeat knew them; empty before the first."""
    with reading(path) as connection:
        held: dict[str, dict[str, Decimal]] = _heartbeat(connection).get("balance", {})
    return held


def _heartbeat(connection: sqlite3.Connection) -> Row:
    """With its money as Decimals: the equity and the balances."""
    row = connection.execute("SELECT value FROM engine WHERE name = 'heartbeat'").fetchone()
    heartbeat: Row = json.loads(row[0]) if row else {}
    if heartbeat.get("equity") is not None:
        heartbeat["equity"] = Decimal(heartbeat["equity"])
    if "balance" in heartbeat:
        heartbeat["balance"] = {
            currency: {name: Decimal(amount) for name, amount in amounts.items()}
            for currency, amounts in heartbeat["balance"].items()
        }
    return heartbeat


def _records(connection: sqlite3.Connection, machine: str, wanted: dict[str, str | None]) -> list[Any]:
    """In the order in which they were born."""
    table = SUBJECT_TABLES[machine]
    condition, values = _condition(wanted)
    rows = connection.execute(f"{table.select}{condition} ORDER BY rowid", values)
    return [table.codec.decode(row) for row in rows]


def _condition(wanted: dict[str, str | None]) -> tuple[str, list[str]]:
    given = {name: value for name, value in wanted.items() if value is not None}
    terms = " AND ".join(f'"{name}" = ?' for name in given)
    return (f" WHERE {terms}" if terms else ""), list(given.values())
