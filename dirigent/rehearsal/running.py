"""The rehearsal exchange as a process: it says where it is, serves until it is told to stop, and reckons."""

import asyncio
import os
import signal
import sys
from contextlib import suppress
from typing import Any

import click

from dirigent.output import aligned, plain, print_json_line, text
from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.settings import RehearsalSettings


class CannotListen(Exception):
    """The address is not to be had; the message says why and what to do."""


def run(settings: RehearsalSettings, duration_s: float | None, *, as_json: bool) -> int:
    """Exit code 0; 1 when an intent was carried out twice, or the books do not add up.

    Raises CannotListen.
    """
    return asyncio.run(_run(settings, duration_s, as_json))


async def _run(settings: RehearsalSettings, duration_s: float | None, as_json: bool) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    server = Rehearsal(settings)
    try:
        await server.__aenter__()
    except (OSError, UnicodeError) as error:
        raise CannotListen(
            f"{settings.host}:{settings.port} cannot be listened on ({_why(error)});"
            " choose another --port or --host"
        ) from None
    try:
        _say_where(server, as_json)
        with suppress(TimeoutError):
            async with asyncio.timeout(duration_s):
                await stop.wait()
    finally:
        await server.__aexit__(None, None, None)
    return _reckon(server.audit(), as_json)


def _why(error: OSError | UnicodeError) -> str:
    """asyncio wraps the system's words in its own; a name that is not found has no words of the system."""
    if isinstance(error, UnicodeError):
        return "no name of a machine"
    number = error.errno or 0
    words = os.strerror(number) if number > 0 else error.strerror
    return (words or str(error)).lower()


def _say_where(server: Rehearsal, as_json: bool) -> None:
    if as_json:
        print_json_line({"url": server.url, "port": server.port, "options": server.ccxt_options()})
    else:
        click.echo(f"listening on {server.url}; put this into dirigent.toml:\n\n{section(server)}")
        if server.listens_everywhere:
            click.echo(
                f"It listens on every address of this machine. Should {server.host} be none that the engine's"
                f" machine reaches, put another there; on this machine itself 127.0.0.1 serves.",
                err=True,
            )
        click.echo("Ctrl-C ends it and prints the audit.", err=True)
    sys.stdout.flush()


def section(server: Rehearsal) -> str:
    """The part of a configuration that makes the engine trade here."""
    options = server.ccxt_options()
    api = options["urls"]["api"]
    sockets = api["ws"]
    addresses = "\n".join(f'{name} = "{api[name]}"' for name in api if name != "ws")
    return f"""\
[exchange]
id = "binance"

[exchange.options]
apiKey = "{options["apiKey"]}"
secret = "{options["secret"]}"

[exchange.options.urls.api]
{addresses}

[exchange.options.urls.api.ws]
spot = "{sockets["spot"]}"
ws-api = {{ spot = "{sockets["ws-api"]["spot"]}" }}

[exchange.options.options.fetchMarkets]
types = ["spot"]
"""


def _reckon(audit: dict[str, Any], as_json: bool) -> int:
    if as_json:
        print_json_line(audit)
    else:
        for line in _told(audit):
            click.echo(line)
    return 1 if audit["duplicates"] or audit["faults_in_the_books"] else 0


def _told(audit: dict[str, Any]) -> list[str]:
    orders = audit["orders"]
    rows = [
        ["requests", text(sum(audit["requests"].values()))],
        ["faults", text(audit["faults"])],
        ["orders", f"{orders['accepted']} accepted, {orders['open']} open"],
        ["by status", text(orders["by_status"])],
        ["refused", text(orders["refused"])],
        ["fills", text(audit["fills"])],
        ["fees", text(plain(audit["fees"]))],
        *([f"balance {name}", text(plain(row))] for name, row in audit["balances"].items()),
        ["duplicates", "none" if not audit["duplicates"] else str(len(audit["duplicates"]))],
        ["books", "add up" if not audit["faults_in_the_books"] else "DO NOT ADD UP"],
    ]
    twice = [
        f"carried out twice: {row['client_order_id']}, orders {', '.join(map(str, row['orders']))}"
        for row in audit["duplicates"]
    ]
    return ["", "audit", *aligned(rows), *twice, *audit["faults_in_the_books"]]
