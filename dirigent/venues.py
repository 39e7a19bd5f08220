"""Where an engine trades: the exchange that the configuration names, opened, and the refusal of what cannot be."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dirigent.configuration.settings import Settings, paper_settings
from fsm.values import base_of, quote_of
from run_realtime_trading import Exchange
from services.exchanges.paper import PaperExchange
from services.messages import MarketRules, QueryFailed
from services.ports import Account, Clock, OpenOrders
from services.tasks import end_tasks

if TYPE_CHECKING:
    from services.exchanges.ccxt_exchange.account import CcxtAccount
    from services.exchanges.ccxt_exchange.client import Clients
    from services.exchanges.ccxt_exchange.feeds import Feeds

PAPER = "paper"


class Refused(Exception):
    """The engine does not start; the message says why and what to do."""


class Unreachable(Exception):
    """The exchange did not answer at the start; nothing was begun, and another try may succeed."""


class Venue(Exchange, Account, OpenOrders, Protocol):
    """Everything the daemon needs of an exchange: prices, orders, reports, money, and the list of what is open."""


@runtime_checkable
class TellsGaps(Protocol):
    """A venue whose order reports come over a network, and can be missed."""

    def when_reports_were_missed(self, call: Callable[[], None]) -> None: ...


def refuse_what_cannot_trade(settings: Settings, live: bool) -> None:
    """Raises Refused unless the configuration and `--live` agree and the exchange can be traded on."""
    if live and settings.mode != "live":
        raise Refused('--live was given and the configuration says mode = "paper"; change one of them')
    if settings.mode == "live" and not live:
        raise Refused('the configuration says mode = "live"; give --live too if real money is meant')
    refuse_exchange(settings)


def refuse_exchange(settings: Settings) -> None:
    """Raises Refused for an exchange that cannot be traded on as configured; asks no network, and imports no ccxt."""
    if settings.exchange.id == PAPER:
        return
    from services.exchanges.ccxt_exchange.library import UnknownExchange, refuse_unknown
    from services.exchanges.ccxt_exchange.options import BadOptions, refuse_bad_options

    try:
        refuse_unknown(settings.exchange.id)
        refuse_bad_options(settings.exchange.options, settings.exchange.id)
    except UnknownExchange as error:
        raise Refused(f'{error}; "paper" is the simulated one') from None
    except BadOptions as error:
        raise Refused(str(error)) from None
    if settings.mode == "live":
        _keys(settings)


def streams_order_books(exchange_id: str) -> bool:
    """As ccxt describes the exchange; asks no network, and imports ccxt unless it is the simulated one."""
    if exchange_id == PAPER:
        return False
    from services.exchanges.ccxt_exchange.library import exchange_class

    return bool(exchange_class(exchange_id)().has.get("watchOrderBook"))


def paper_file(database: str | Path) -> Path:
    """Where the paper exchange keeps its own books: beside the engine's database, never in it."""
    path = Path(database)
    return path.with_name(f"{path.stem}.paper-exchange{path.suffix}")


def is_simulated(settings: Settings) -> bool:
    """Whether orders fill on paper, so that their books are in a file of ours."""
    return settings.mode == "paper"


@asynccontextmanager
async def opened(settings: Settings, symbols: Sequence[str], clock: Clock) -> AsyncIterator[Venue]:
    """The exchange, open for as long as the block lasts. Raises Refused or Unreachable."""
    if settings.exchange.id == PAPER:
        simulated = PaperExchange(
            paper_file(settings.database), symbols=symbols, settings=paper_settings(settings), clock=clock
        )
        await simulated.open()
        try:
            yield simulated
        finally:
            await simulated.close()
        return
    async with _connected(settings) as clients:
        make = _dry_run if is_simulated(settings) else _real
        async with make(settings, clients, symbols, clock) as venue:
            yield venue


@asynccontextmanager
async def unless_stopped(
    opening: AbstractAsyncContextManager[Venue], stop: asyncio.Event
) -> AsyncIterator[Venue | None]:
    """The venue; None when `stop` was set before it was open. An exchange may take long to say nothing."""
    entering, stopping = asyncio.create_task(_entered(opening)), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait((entering, stopping), return_when=asyncio.FIRST_COMPLETED)
        is_stopped = not entering.done()
    finally:
        await end_tasks((entering, stopping))
    if is_stopped:
        if not entering.cancelled() and entering.exception() is None:  # it opened in that very moment
            await opening.__aexit__(None, None, None)
        yield None
        return
    venue = entering.result()
    try:
        yield venue
    except BaseException as error:
        await opening.__aexit__(type(error), error, error.__traceback__)
        raise
    await opening.__aexit__(None, None, None)


async def _entered(opening: AbstractAsyncContextManager[Venue]) -> Venue:
    return await opening.__aenter__()


def tolerances(settings: Settings, rules: Mapping[str, MarketRules]) -> dict[str, Decimal]:
    """By currency, by how much an account may differ from the books without a word; what is simulated is exact.

    A coin may by one step of its coarsest market, as that cannot be sold. The quote currency by what is configured.
    """
    if is_simulated(settings):
        return {}
    allowed = {quote_of(symbol): settings.reconcile_tolerance for symbol in rules}
    for symbol, market in rules.items():
        base = base_of(symbol)
        allowed[base] = max(allowed.get(base, Decimal(0)), market.amount_step)
    return allowed


def tell_gaps(venue: object, call: Callable[[], None]) -> None:
    """Has `call` made whenever order reports may have been missed, where the venue can miss any."""
    if isinstance(venue, TellsGaps):
        venue.when_reports_were_missed(call)


def _keys(settings: Settings) -> dict[str, str]:
    """Raises Refused where none are named or one is missing, SettingsError where they cannot be used."""
    from dirigent.configuration.keys import places_for, resolve_keys
    from services.exchanges.ccxt_exchange.library import demanded_credentials

    keys = resolve_keys(settings)
    if keys is None:
        raise Refused(
            f"live trading on {settings.exchange.id} needs keys, and none are named;"
            " set exchange.key_file, keyring or key_variables"
        )
    missing = [name for name in demanded_credentials(settings.exchange.id) if name not in keys.names]
    if missing:
        named = ", ".join(f"{name} from {keys.sources[name]}" for name in keys.names)
        raise Refused(
            f"the keys of {settings.exchange.id} are incomplete: it demands {', '.join(missing)} too, and there is"
            f" {named} alone; put {'it' if len(missing) == 1 else 'them'} into {places_for(settings, missing)}"
        )
    return keys.as_ccxt()


@asynccontextmanager
async def _connected(settings: Settings) -> AsyncIterator["Clients"]:
    from services.exchanges.ccxt_exchange.client import open_clients
    from services.exchanges.ccxt_exchange.library import UnknownExchange
    from services.exchanges.ccxt_exchange.options import BadOptions

    exchange = settings.exchange
    keys = None if is_simulated(settings) else _keys(settings)
    try:
        clients = await open_clients(exchange.id, exchange.options, keys)
    except (UnknownExchange, BadOptions) as error:
        raise Refused(str(error)) from None
    except QueryFailed as error:
        raise Unreachable(
            f"{exchange.id} cannot be reached: {error}; another try may succeed, or see dirigent doctor"
        ) from None
    try:
        yield clients
    finally:
        await clients.close()


def _feeds(settings: Settings, clients: "Clients", clock: Clock) -> "Feeds":
    from services.exchanges.ccxt_exchange.feeds import Feeds

    feeds = Feeds(
        clients.market_data,
        clock,
        stale_after_s=float(settings.risk.stale_after_s),
        ask=clients.questions.ask,
    )
    clients.follow(feeds)
    return feeds


@asynccontextmanager
async def _dry_run(
    settings: Settings, clients: "Clients", symbols: Sequence[str], clock: Clock
) -> AsyncIterator[Venue]:
    from services.exchanges.ccxt_exchange.account import CcxtAccount
    from services.exchanges.live_paper import LivePaper

    account = CcxtAccount(clients)
    await _refuse_unlisted(account, clients, symbols)
    venue = LivePaper(
        paper_file(settings.database),
        prices=_feeds(settings, clients, clock),
        symbols=symbols,
        rules=account.market,
        settings=paper_settings(settings),
        clock=clock,
    )
    await venue.open()
    try:
        yield venue
    finally:
        await venue.close()


@asynccontextmanager
async def _real(
    settings: Settings, clients: "Clients", symbols: Sequence[str], clock: Clock
) -> AsyncIterator[Venue]:
    from services.exchanges.ccxt_exchange.account import CcxtAccount
    from services.exchanges.ccxt_exchange.capabilities import CannotTrade, refuse_what_is_lacking
    from services.exchanges.ccxt_exchange.connector import CcxtExchange
    from services.exchanges.ccxt_exchange.desk import CcxtDesk
    from services.exchanges.ccxt_exchange.order_stream import OrderStream

    try:
        refuse_what_is_lacking(clients.capabilities)
    except CannotTrade as error:
        raise Refused(str(error)) from None
    account = CcxtAccount(clients)
    await _refuse_unlisted(account, clients, symbols)
    desk = CcxtDesk(clients, account, symbols)
    reports = OrderStream(clients.queries, desk, desk.read, on_clock_fault=clients.notice_clock)
    clients.follow(reports)
    venue = CcxtExchange(clients, account, desk, _feeds(settings, clients, clock), reports)
    try:
        yield venue
    finally:
        await venue.close()


async def _refuse_unlisted(account: "CcxtAccount", clients: "Clients", symbols: Sequence[str]) -> None:
    """Raises Refused with the nearest market for a symbol that the exchange does not list; or Unreachable."""
    from difflib import get_close_matches

    for symbol in symbols:
        try:
            account.market(symbol)
        except KeyError:
            listed = [name for name, market in clients.queries.markets.items() if market.get("spot")]
            close = get_close_matches(symbol, listed, n=1)
            hint = f"did you mean {close[0]}?" if close else "take it out of [[pairs]]"
            raise Refused(f"{clients.exchange_id} lists no spot market {symbol}; {hint}") from None
    try:
        await account.prepare(symbols)
    except QueryFailed as error:
        raise Unreachable(
            f"{clients.exchange_id} did not tell its prices ({error}); another try may succeed"
        ) from None
