"""The command `status`: how the engine is doing, from its heartbeat and its tables."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from dirigent.commands.common import Common, common_options, json_option, pass_common
from fsm.commit import StoreError

_FIELDS = (
    "mode",
    "exchange",
    "running",
    "pid",
    "uptime_s",
    "pairs_by_state",
    "positions_by_state",
    "orders_by_state",
    "ticks",
    "ticks_per_s",
    "tick_ms_p50",
    "tick_ms_p99",
    "equity",
    "stopped",
    "differences",
    "feeds",
    "store_fault",
)

STALE_NAMED_MAX = 5
SIMULATED = "simulated"


@click.command(epilog="Example: dirigent status --json")
@click.option("--watch", is_flag=True, help="Show it anew every second, until Ctrl-C.")
@click.option("--healthy", is_flag=True, help="Say only whether it is well: exit 0, or 1 with what is not.")
@json_option
@common_options
@pass_common
def status(common: Common, as_json: bool, watch: bool, healthy: bool) -> None:
    """Show how the engine is doing.

    Works while it runs, and tells of its last moments when it does not. With --watch the JSON is one object a
    line.
    """
    if watch:
        from dirigent import live_view

        live_view.watch(common.database_path(), as_json=as_json)
        return
    if healthy:
        from dirigent.health import tell_health

        tell_health(common.database_path(), as_json=as_json)
        return
    from dirigent.last_words import as_of
    from dirigent.output import print_object
    from persistence import queries

    now_ms = int(time.time() * 1000)
    known = as_of(queries.status(common.database_path(), now_ms), now_ms) | _waiting(common.database_path())
    wanted = {name: known.get(name) for name in _FIELDS}
    shown = {**wanted, **{name: value for name, value in known.items() if name not in wanted}}
    if "commands_waiting" in known:
        wanted["commands_waiting"] = known["commands_waiting"]
    wanted["differences"] = _differences_in_words(known)
    wanted["stopped"] = "; ".join(f"{scope} {why}" for scope, why in known["stopped"].items()) or "none"
    wanted |= _of_the_living_in_words(known)
    print_object(shown if as_json else wanted, as_json=as_json)
    hint = (known.get("prices") or {}).get("hint")
    if hint and not as_json:
        click.echo(f"hint: {hint}")


def _of_the_living_in_words(known: Mapping[str, Any]) -> dict[str, str]:
    """What is of this moment while a process says it; marked as its last words when none does."""
    from dirigent.last_words import marked, of_the_living
    from dirigent.output import text

    said = of_the_living(known)
    words = {"feeds": _in_words(said.get("feeds") or ()), **_prices_in_words(said)}
    words |= _link_in_words(said) | _books_in_words(said)
    if known.get("last_words") and said.get("ticks_per_s") is not None:
        words["ticks_per_s"] = text(said["ticks_per_s"])
    return {name: told if told == SIMULATED else marked(known, told) for name, told in words.items()}


def _differences_in_words(known: Mapping[str, Any]) -> str:
    """How many at the last comparison, and when that was: a pair may have been stopped by another one."""
    from dirigent.output import rfc3339

    at_ms = known.get("differences_at_ms")
    if not at_ms:
        return "not looked for yet"
    untold = len(known.get("not_compared") or ())
    count = f"{len(known.get('differences') or ())}{f' and {untold} not compared' if untold else ''}"
    return f"{count}, looked at {rfc3339(int(at_ms))}"


def _prices_in_words(known: Mapping[str, Any]) -> dict[str, str]:
    """Those that count as too old to enter on; nothing while none does."""
    from dirigent.price_ages import in_words

    words = in_words(known.get("prices") or {})
    return {"prices": words} if words else {}


def _waiting(database: Path) -> dict[str, Any]:
    """The commands that nobody has answered, where there are any: an engine that is down does them at its start."""
    from persistence import commands

    try:
        kept = len(commands.waiting(database))
    except StoreError as error:
        return {"commands_waiting": str(error)}
    return {"commands_waiting": kept} if kept else {}


def _link_in_words(known: Mapping[str, Any]) -> dict[str, str]:
    """The way of orders to a real exchange and back; nothing where orders fill on paper."""
    from dirigent.connection_status import circuit_in_words, order_stream_in_words

    ways = {"order_stream": order_stream_in_words, "circuit": circuit_in_words}
    return {name: in_words(known[name]) for name, in_words in ways.items() if known.get(name)}


def _books_in_words(known: Mapping[str, Any]) -> dict[str, str]:
    """The order books that strategies ask for; nothing where none does."""
    from dirigent.order_books import in_words

    rows = known.get("order_books")
    return {"order_books": in_words(rows)} if rows else {}


def _in_words(feeds: Sequence[Mapping[str, Any]]) -> str:
    """How many prices come in which way, those that do not come, and how often they had stopped."""
    from dirigent.connection_status import stalls_in_words

    if not feeds:
        return SIMULATED
    sources = Counter(str(feed["source"]) for feed in feeds)
    stale = [str(feed["symbol"]) for feed in feeds if feed["stale"]]
    words = ", ".join(f"{count} {source}" for source, count in sorted(sources.items()))
    named = ", ".join(stale[:STALE_NAMED_MAX]) + (" ..." if len(stale) > STALE_NAMED_MAX else "")
    told = (words, f"{len(stale)} stale: {named}" if stale else "", stalls_in_words(feeds))
    return "; ".join(part for part in told if part)
