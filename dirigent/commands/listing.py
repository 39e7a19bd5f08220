"""The read commands' common way: rows from the store, some of them, printed as JSON, a table or text."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dirigent.commands.common import Refused
from dirigent.output import Row, print_rows

if TYPE_CHECKING:
    from fsm.table import Table


def show(rows: Sequence[Row], columns: Sequence[str], name: str, *, as_json: bool) -> None:
    """Prints what a query found; `name` is the plural of what the rows are."""
    print_rows([in_words(row) for row in rows], columns, as_json=as_json, none=f"no {name}", title=name)


def require_state(state: str | None, table: "Table") -> None:
    """Raises Refused for what is no state of the table's machine."""
    if state is not None and state not in table.by_name:
        raise Refused(f"no {table.name} is ever {state!r}; its states are {', '.join(table.by_name)}")


def in_words(row: Row) -> Row:
    """`strategy` by name; what it runs with, as the engine wrote it down, is `strategy_details`."""
    if "strategy" not in row:
        return row
    details = _parsed(row["strategy"])
    return {**row, "strategy": strategy_in_words(details), "strategy_details": details}


def _parsed(described: Any) -> Any:
    try:
        return json.loads(described)
    except (TypeError, ValueError):
        return described


def strategy_in_words(details: Any) -> str:
    """The names in a description of strategies; the description itself where it is no such thing."""
    listed = details if isinstance(details, list) else [details]
    names = [str(item["name"]) for item in listed if isinstance(item, Mapping) and "name" in item]
    return "+".join(names) or str(details)
