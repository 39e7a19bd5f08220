"""The books of a past moment, as one document and as a page of text."""

from collections.abc import Sequence
from typing import Any

import click

from dirigent.commands.listing import in_words
from dirigent.output import Row, print_rows, rfc3339, text
from fsm.records import OrderRecord, PairRecord, PermissionRecord, PositionRecord
from persistence.past import PastBooks

_COLUMNS = {
    "pairs": ("symbol", "state", "strategy", "entry_position_id", "cooldown_until", "reason"),
    "permissions": ("scope", "state", "until", "reason"),
    "positions": ("id", "symbol", "state", "quantity", "entry_price", "spent", "realized_pnl", "exit_reason"),
    "orders": ("client_order_id", "symbol", "side", "type", "state", "amount", "price", "filled", "average"),
    "trades": ("symbol", "bought", "spent", "sold", "received", "fee_base", "fee_quote"),
    "holdings": ("currency", "amount", "dust"),
}


def document(past: PastBooks) -> dict[str, Any]:
    moment = past.moment
    return {
        "at_ms": moment.asked_ms,
        "seq": moment.seq,
        "entry_at_ms": moment.entry_at_ms,
        "is_last": moment.is_last,
        "pairs": [in_words(_pair(pair)) for pair in past.pairs.values()],
        "permissions": [_permission(permission) for permission in past.permissions.values()],
        "positions": [in_words(_position(position)) for position in past.positions.values()],
        "orders": [_order(order) for order in past.orders.values()],
        "counts": {f"{machine}s": dict(sorted(states.items())) for machine, states in past.counts.items()},
        "trades": [
            {"symbol": symbol, **{name: getattr(sums, name) for name in _COLUMNS["trades"][1:]}}
            for symbol, sums in sorted(past.trades.items())
        ],
        "holdings": [
            {"currency": currency, "amount": held.amount, "dust": held.dust}
            for currency, held in sorted(past.holdings.items())
        ],
        "realized_pnl": past.realized_pnl,
    }


def tell(past: PastBooks) -> None:
    told = document(past)
    moment = past.moment
    then = "nothing has happened since" if moment.is_last else "more was to follow"
    click.echo(f"at {rfc3339(moment.asked_ms)}: after journal entry {moment.seq}", nl=False)
    click.echo(f" of {rfc3339(moment.entry_at_ms)}; {then}")
    for name in ("pairs", "permissions", "positions", "orders"):
        remark = "; what is not listed had never been stopped" if name == "permissions" else ""
        _section(name, told[name], text(told["counts"][name]) + remark)
    _section("trades", told["trades"], "what all orders had filled; fees in a third coin are with the fills")
    _section("holdings", told["holdings"], "of all deals; the account's own balances are not kept")
    click.echo(f"\nprofit of the deals that had ended: {text(past.realized_pnl)}")


def _section(name: str, rows: Sequence[Row], remark: str) -> None:
    click.echo(f"\n{name}: {remark}")
    if rows:
        columns = [column for column in _COLUMNS[name] if any(row[column] not in (None, "") for row in rows)]
        print_rows(rows, columns, as_json=False, none="", title="")


def _pair(pair: PairRecord) -> dict[str, Any]:
    return {
        "symbol": pair.symbol,
        "state": pair.state,
        "strategy": pair.strategy,
        "signal": pair.signal,
        "entry_position_id": pair.entry_position_id,
        "cooldown_until": pair.cooldown_until_ms or None,
        "due_at": pair.due_at_ms,
        "reason": pair.reason,
        "version": pair.version,
    }


def _permission(permission: PermissionRecord) -> dict[str, Any]:
    return {
        "scope": permission.scope,
        "state": permission.state,
        "until": permission.due_at_ms,
        "reason": permission.reason,
        "version": permission.version,
    }


def _position(position: PositionRecord) -> dict[str, Any]:
    names = (
        "id", "symbol", "state", "strategy", "quantity", "dust", "entry_price", "exit_price", "bought", "spent",
        "sold", "received", "fee_base", "fee_quote", "realized_pnl", "high_water", "entry_order_id",
        "exit_order_id", "exit_reason", "reason", "version",
    )  # fmt: skip
    return {
        **{name: getattr(position, name) for name in names},
        "created_at": position.created_at_ms,
        "opened_at": position.opened_at_ms,
        "closed_at": position.closed_at_ms,
        "due_at": position.due_at_ms,
    }


def _order(order: OrderRecord) -> dict[str, Any]:
    names = (
        "client_order_id", "exchange_order_id", "position_id", "symbol", "leg", "side", "type", "state",
        "attempt", "amount", "price", "filled", "average", "cost", "fee_base", "fee_quote", "cancel_reason",
        "reason", "version",
    )  # fmt: skip
    return {
        **{name: getattr(order, name) for name in names},
        "created_at": order.created_at_ms,
        "sent_at": order.sent_at_ms or None,
        "due_at": order.due_at_ms,
    }
