"""How a person gives a command: written down for the engine, then its answer awaited and printed."""

import getpass
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click

from dirigent.commands.common import Common, Failed, Finite, Refused

WAIT_S = 5.0
"""How long the answer of a running engine is awaited."""
_ASK_AGAIN_S = 0.02

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Manner:
    """How the command is given: who gives it, what is asked before, and how its answer is told."""

    person: str
    yes: bool
    waits: bool
    as_json: bool
    life_s: float | None = None


def manner_options(*, money: bool, life_s: float | None = None) -> Callable[[Command], Command]:
    """--no-wait, --person, --expires and --json; with `money` also --yes. Their values are one `manner`."""

    def decorate(command: Command) -> Command:
        options = [
            click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
            click.option(
                "--expires",
                "life_s",
                metavar="SECONDS",
                type=Finite(min=0, min_open=True, max=1e9),
                default=life_s,
                help=f"After it the engine no longer does it. Default: {'never' if life_s is None else f'{life_s:g}'}.",
            ),
            click.option(
                "--person",
                metavar="NAME",
                help="Who decides, for the journal. Default: the user of this process.",
            ),
            click.option("--no-wait", is_flag=True, help="Do not wait for the engine's answer."),
        ]
        if money:
            options.append(click.option("--yes", is_flag=True, help="Do not ask."))
        for option in options:
            command = option(command)
        return command

    return decorate


def manner_of(given: Mapping[str, Any]) -> Manner:
    """From what `manner_options` put into the command's arguments."""
    return Manner(
        person=given["person"] or _user(),
        yes=given.get("yes", True),
        waits=not given["no_wait"],
        as_json=given["as_json"],
        life_s=given["life_s"],
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"


def confirm(manner: Manner, question: str) -> None:
    """Raises Refused without a terminal to ask on, Abort when the answer is no."""
    if manner.yes:
        return
    if not sys.stdin.isatty():
        raise Refused("this moves money and there is no terminal to ask on; give --yes if it is meant")
    click.confirm(question, abort=True, err=True)


def give(common: Common, kind: str, arguments: Mapping[str, Any], manner: Manner) -> None:
    """Writes the command down and tells what became of it; exit code 1 when the engine refused it."""
    from persistence import commands
    from persistence.lock import holder_pid

    database = common.database_path()
    life_ms = None if manner.life_s is None else max(int(manner.life_s * 1000), 1)
    command = commands.give(database, kind, arguments, manner.person, life_ms=life_ms)
    until_s = time.monotonic() + WAIT_S
    answer = None
    while manner.waits and holder_pid(database) is not None and time.monotonic() < until_s:
        answer = commands.answer_to(database, command.id)
        if answer is not None:
            break
        time.sleep(_ASK_AGAIN_S)
    else:
        answer = commands.answer_to(database, command.id) if manner.waits else None
    _tell(database, command, answer, manner)


def _tell(database: Path, command: Any, answer: Any, manner: Manner) -> None:
    from dirigent.output import print_json, rfc3339
    from persistence.lock import holder_pid

    outcome = answer.outcome if answer is not None else "kept"
    if answer is not None:
        words = answer.words
    else:
        until = f" until {rfc3339(command.expires_at_ms)}" if command.expires_at_ms is not None else ""
        if holder_pid(database) is None:
            words = f"the engine is not running: the command is kept for its next start{until}"
        elif not manner.waits:
            words = f"the command is with the engine{until}"
        else:
            words = f"no answer within {WAIT_S:g} s: the command is kept{until}"
    if manner.as_json:
        document = {"id": command.id, "command": command.kind, "person": command.person, "outcome": outcome}
        print_json({**document, "answer": words, "expires_at": command.expires_at_ms})
    elif outcome in ("done", "kept"):
        click.echo(words)
    if outcome in ("refused", "expired"):
        if manner.as_json:
            sys.exit(1)
        raise Failed(words)


def require_pair(common: Common, symbol: str) -> None:
    """Raises Refused for what is no pair of the database."""
    from persistence import queries

    require_known(symbol, [row["symbol"] for row in queries.pairs(common.database_path())], "pair")


def require_known(name: str, known: Sequence[str], what: str) -> None:
    """Raises Refused, with the nearest name, for what is not among `known`."""
    if name in known:
        return
    from difflib import get_close_matches

    close = get_close_matches(name.upper() if what == "pair" else name, known, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]}?" if close else f"see `dirigent {what}s`"
    raise Refused(f"there is no {what} {name!r} in this database; {hint}")
