"""Which strategies run where, read from the books; and which there are to choose from."""

import json
from pathlib import Path
from typing import Any

from dirigent import strategies_from_files
from persistence import queries
from services.strategies import catalogue
from services.strategies.parameters import storable_parameters
from services.strategy_changes import WANTED

Row = dict[str, Any]


def running(database: Path) -> list[Row]:
    """One row for each strategy of each pair, as the engine journaled it last, and what a person put on trial there."""
    wanted = queries.facts(database, WANTED)
    books = {str(book["symbol"]): book for book in queries.status(database).get("order_books") or ()}
    return [
        row
        for pair in queries.pairs(database)
        for row in _rows(pair, wanted.get(pair["symbol"], ""), books.get(pair["symbol"], {}))
    ]


def _rows(pair: Row, wanted: str, book: Row) -> list[Row]:
    try:
        strategies = json.loads(pair["strategy"] or "[]")
    except ValueError:
        return []
    stopped = pair["permission"] != "active"
    return [
        {
            "symbol": pair["symbol"],
            "strategy": one["name"],
            "params": ", ".join(f"{name}={value}" for name, value in one.get("params", {}).items()),
            "weight": one.get("weight"),
            "source": one.get("source", ""),
            "file": one.get("file", ""),
            "permission": pair["permission"],
            "notes": "; ".join(
                filter(
                    None,
                    (
                        pair["permission_reason"] if stopped else _changed(one),
                        _on_trial(wanted),
                        book["fault"] if one["name"] in book.get("asked_by", ()) else "",
                    ),
                )
            ),
        }
        for one in strategies
    ]


def _on_trial(wanted: str) -> str:
    """What of a swap that has not ended yet there is to know."""
    if not wanted:
        return ""
    swap = json.loads(wanted)
    names = " + ".join(choice["name"] for choice in swap["choices"])
    return f"on trial for {swap['shadow']} prices, by {swap['by']}: {names}"


def _changed(strategy: Row) -> str:
    """Whether the file on disk is still what runs."""
    if not strategy.get("file"):
        return ""
    try:
        content = strategies_from_files.path_of(strategy["file"]).read_bytes()
    except OSError as error:
        return f"its file cannot be read: {(error.strerror or str(error)).lower()}"
    on_disk = catalogue.short_hash(content)
    return "" if on_disk == strategy["source"] else f"the file on disk is {on_disk}: it was changed since"


def built_in() -> list[Row]:
    """One row for each parameter of each strategy; one that takes none has a row of its own."""
    rows: list[Row] = []
    for name in catalogue.names():
        parameters = catalogue.kind_named(name).parameters
        for key, parameter in parameters.items():
            default = storable_parameters({key: parameter.default})[key]
            rows.append(
                {
                    "strategy": name,
                    "parameter": key,
                    "default": default,
                    "allowed": parameter.allowed,
                    "meaning": parameter.meaning,
                }
            )
        if not parameters:
            rows.append({"strategy": name, "parameter": "", "default": "", "allowed": "none", "meaning": ""})
    return rows
