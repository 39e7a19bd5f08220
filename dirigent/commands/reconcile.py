"""The command `reconcile`: what the books say against what the exchange says, and what a person decides about it."""

import asyncio
import getpass
import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import click

from dirigent.commands.common import Common, Failed, Refused, common_options, json_option, pass_common

if TYPE_CHECKING:
    from dirigent.configuration.settings import Settings
    from dirigent.settling import Session
    from services.reconciliation.plan import Plan

_QUESTIONS = {
    "apply": "Apply what is certain, and stop the pairs of the rest?",
    "adopt": "Take {} into the books? The engine will trade with it.",
    "detach": "End position {} and book what it held as lost?",
    "close": "Sell what position {} holds, at the market?",
}


def _price(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Decimal | None:
    if value is None:
        return None
    try:
        price = Decimal(value)
    except InvalidOperation:
        raise click.BadParameter(f"{value!r} is no number") from None
    if not (price.is_finite() and price > 0):
        raise click.BadParameter(f"{value!r} is not above zero")
    return price


@click.command(epilog="Example: dirigent reconcile --plan")
@click.option("--plan", is_flag=True, help="Print the differences; read-only, also while the engine runs.")
@click.option("--apply", "applies", is_flag=True, help="Apply what is certain; stop the pairs of the rest.")
@click.option("--adopt", metavar="ORDER|COIN", help="Take a foreign order or holding into the books.")
@click.option(
    "--price", metavar="PRICE", callback=_price, help="What an adopted coin cost. Default: its price now."
)
@click.option("--detach", metavar="POSITION", help="Give up a position whose coins are gone.")
@click.option("--close", metavar="POSITION", help="Sell what a position holds.")
@click.option("--resume", metavar="SYMBOL|all", help="Let a pair that was stopped, or `engine`, enter again.")
@click.option(
    "--person", metavar="NAME", help="Who decides, for the journal. Default: the user of this process."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@common_options
@pass_common
def reconcile(
    common: Common,
    plan: bool,
    applies: bool,
    adopt: str | None,
    price: Decimal | None,
    detach: str | None,
    close: str | None,
    resume: str | None,
    person: str | None,
    yes: bool,
    as_json: bool,
) -> None:
    """Compare the books with the exchange, and settle what differs.

    One of the actions at a time. All but --plan need the engine stopped, and are journaled with who decided.
    """
    actions: dict[str, str | None] = {
        "plan": "" if plan else None,
        "apply": "" if applies else None,
        "adopt": adopt,
        "detach": detach,
        "close": close,
        "resume": resume,
    }
    asked = {name: subject for name, subject in actions.items() if subject is not None}
    if len(asked) != 1:
        raise Refused(f"give one of {', '.join('--' + name for name in actions)}")
    settings = common.settings()
    _log(settings, common.verbosity)
    ((action, subject),) = asked.items()
    if action == "plan":
        from dirigent.settling import plan_of

        with _faults_of_the_exchange():
            made = plan_of(settings)
        _print(made, as_json=as_json)
        return
    if action in _QUESTIONS and not yes:
        _confirm(_QUESTIONS[action].format(subject))
    _settle(settings, action, subject, price, person or _user(), as_json=as_json)


def _confirm(question: str) -> None:
    try:
        said_yes = click.confirm(question, err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise
        raise Refused("there is no terminal to ask on; give --yes if it is meant") from None
    if not said_yes:
        raise click.Abort


@contextmanager
def _faults_of_the_exchange() -> Iterator[None]:
    from dirigent import venues
    from services.exchanges.paper_file import ExchangeFileError
    from services.messages import QueryFailed

    try:
        yield
    except venues.Refused as error:
        raise Refused(str(error)) from None
    except (ExchangeFileError, QueryFailed, venues.Unreachable) as error:
        raise Failed(str(error)) from None


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"user {os.getuid()}"


def _log(settings: "Settings", verbosity: int) -> None:
    """As the daemon does, but what merely happens is told only with -v."""
    from dirigent.logging_secrets import secrets_in
    from dirigent.logging_setup import configure_logging

    section = settings.logging.model_copy(update={"level": "WARNING"})
    configure_logging(section, verbosity=verbosity, secrets=secrets_in(settings.exchange.options))


def _settle(
    settings: "Settings", action: str, subject: str, price: Decimal | None, person: str, *, as_json: bool
) -> None:
    from dirigent.output import print_json
    from dirigent.settling import session
    from services.reconciliation.decisions import CannotDecide

    async def run() -> "str | Plan":
        async with session(settings, person) as held:
            return await _ways(held, subject, price)[action]()

    try:
        with _faults_of_the_exchange():
            result = asyncio.run(run())
    except CannotDecide as error:
        raise Refused(str(error)) from None
    if not isinstance(result, str):
        _print(result, as_json=as_json)
    elif as_json:
        print_json({"done": result, "person": person})
    else:
        click.echo(result)


def _ways(
    held: "Session", subject: str, price: Decimal | None
) -> dict[str, Callable[[], "Awaitable[str | Plan]"]]:
    return {
        "apply": held.apply,
        "adopt": lambda: held.adopt(subject, price),
        "detach": lambda: held.detach(subject),
        "close": lambda: held.close(subject),
        "resume": lambda: held.resume(subject),
    }


def _print(plan: "Plan", *, as_json: bool) -> None:
    from dirigent.output import print_json, print_object
    from services.reconciliation.plan import told

    rows = [told(row) for row in plan.differences]
    if as_json:
        print_json(
            {
                "differences": rows,
                "not_compared": list(plan.not_compared),
                "all_compared": not plan.not_compared,
                "beside": dict(plan.beside),
            }
        )
        return
    for row in rows:
        print_object(row, as_json=False)
        click.echo()
    for words in plan.not_compared:
        click.echo(f"not compared: {words}")
    if plan.beside:
        held = ", ".join(f"{amount:f} {coin}" for coin, amount in plan.beside.items())
        click.echo(f"beside: {held}: no pair of this engine trades it", err=True)
    click.echo(_verdict(len(rows), len(plan.not_compared)), err=True)


def _verdict(differences: int, not_compared: int) -> str:
    """That nothing differs is said by itself only where everything was compared."""
    if not not_compared:
        return f"{differences} differences" if differences else "no differences"
    words = f"{differences} differences in what was compared" if differences else "nothing compared differs"
    return f"{words}; {not_compared} not compared"
