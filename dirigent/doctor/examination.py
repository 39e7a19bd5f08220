"""A real exchange examined, read-only: what it can do, how far away it is, what the key may, what its markets take."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from statistics import median
from typing import Any

from dirigent.configuration.keys import CONFIGURATION, Keys, resolve_keys
from dirigent.configuration.settings import Settings
from dirigent.doctor import permissions
from dirigent.doctor.findings import Findings, Verdict
from dirigent.doctor.markets import examine_market
from dirigent.doctor.order_reports import note_order_reports
from dirigent.venues import Refused
from fsm.values import quote_of
from services.clocks import SystemClock
from services.exchanges.ccxt_exchange.account import CcxtAccount
from services.exchanges.ccxt_exchange.capabilities import Capabilities
from services.exchanges.ccxt_exchange.client import Clients, open_clients
from services.exchanges.ccxt_exchange.feeds import Feeds
from services.exchanges.ccxt_exchange.library import UnknownExchange
from services.exchanges.ccxt_exchange.options import BadOptions
from services.exchanges.ccxt_exchange.questions import NotThere
from services.messages import QueryFailed

ROUND_TRIPS = 5
SKEW_MS_MAX = 1_000
"""Beyond it requests are close to being refused for their time, and the journal's moments are wrong."""
FIRST_PRICE_S = 10.0


async def examine_exchange(settings: Settings) -> Findings:
    """Raises Refused or SettingsError when the exchange is unknown or the configuration cannot be used."""
    findings = Findings(settings.exchange.id, settings.mode)
    keys = resolve_keys(settings)
    _note_keys(findings, settings, keys)
    try:
        clients = await open_clients(
            settings.exchange.id, settings.exchange.options, None if keys is None else keys.as_ccxt()
        )
    except (UnknownExchange, BadOptions) as error:
        raise Refused(str(error)) from None
    except QueryFailed as error:
        findings.note(
            "reachable", Verdict.FAULT, str(error), "check the network, and the exchange's status page"
        )
        return findings
    try:
        findings.note("reachable", Verdict.OK, f"{len(clients.queries.markets)} markets")
        _note_capabilities(findings, clients.capabilities, settings)
        await _note_times(findings, clients, settings)
        missing: list[str] = []
        if keys is not None:
            missing = _note_missing_keys(findings, clients)
        if keys is not None and not missing:
            await _note_permissions(findings, clients)
            await _note_balance(findings, clients, settings)
        prices = await _note_prices(findings, clients, settings)
        await note_order_reports(findings, clients, settings, _why_not_tried(keys, missing))
        await _note_markets(findings, clients, settings, prices)
    finally:
        await clients.close()
    return findings


def _note_keys(findings: Findings, settings: Settings, keys: Keys | None) -> None:
    if keys is None:
        if settings.mode == "live":
            remedy = "set exchange.key_file, keyring or key_variables"
            findings.note("keys", Verdict.FAULT, "none are named, and live trading needs them", remedy)
        else:
            findings.note("keys", Verdict.OK, "none named, none needed: orders fill on paper")
        return
    found = ", ".join(f"{name} from {keys.sources[name]}" for name in keys.names)
    if CONFIGURATION in keys.sources.values():
        remedy = "move them to a key_file, a keyring or variables"
        findings.note("keys", Verdict.WARNING, found, remedy)
    else:
        findings.note("keys", Verdict.OK, found)


def _note_missing_keys(findings: Findings, clients: Clients) -> list[str]:
    demanded = clients.queries.requiredCredentials
    missing = [
        name for name, is_needed in demanded.items() if is_needed and not getattr(clients.queries, name)
    ]
    if missing:
        words = f"{clients.exchange_id} demands {', '.join(missing)} too"
        verdict = Verdict.FAULT if findings.mode == "live" else Verdict.WARNING
        findings.note("missing keys", verdict, words, "put them where the other keys are")
    return missing


def _why_not_tried(keys: Keys | None, missing: list[str]) -> str:
    if keys is None:
        return "it needs keys, and none are named"
    return f"the keys lack {', '.join(missing)}" if missing else ""


def _note_capabilities(findings: Findings, row: Capabilities, settings: Settings) -> None:
    findings.capabilities = {
        "from_the_table": row.is_known,
        "client_id_as": row.create_as,
        "looks_up": [str(source) for source in row.sources],
        "cancels": str(row.cancel),
        "trades": str(row.trades),
        "market_buy_amount": str(row.market_buy),
        "request_window_ms": row.window_ms,
        "fees_in_trades": row.fees_in_trades,
        "stop_orders": row.stop_orders,
        "order_book": row.order_book,
        "ticker_stream": row.ticker_stream,
        "order_stream": row.order_stream,
        "lacks": list(row.lacks),
    }
    if row.lacks:
        verdict = Verdict.FAULT if settings.mode == "live" else Verdict.WARNING
        remedy = "trade live on another exchange; paper trading on its prices works"
        findings.note("protocol", verdict, "; ".join(row.lacks), remedy)
    elif row.is_known:
        findings.note("protocol", Verdict.OK, "everything that the order protocol needs")
    else:
        words = "by what ccxt says of it, everything that the order protocol needs; nobody has tried it here"
        findings.note("protocol", Verdict.WARNING, words, "begin with small deals")


async def _note_times(findings: Findings, clients: Clients, settings: Settings) -> None:
    """Round trips of a small question; the clock from the middle of each, where the question is the time."""
    queries = clients.queries
    tells_time = queries.has.get("fetchTime") is True
    listed = [pair.symbol for pair in settings.pairs if pair.symbol in queries.markets]
    if not (tells_time or listed):
        words = "not asked: the exchange does not tell its time, and none of the configured markets is listed"
        findings.note("latency", Verdict.UNTOLD, words)
        return
    trips_ms: list[float] = []
    skews_ms: list[float] = []
    try:
        for _ in range(ROUND_TRIPS):
            asked_s, asked_ms = time.monotonic(), time.time() * 1000
            if tells_time:
                answer = await clients.questions.ask("time", queries.fetch_time, wants=(dict, list))
            else:
                answer = await clients.questions.ask("price", queries.fetch_ticker, listed[0])
            trip_ms = (time.monotonic() - asked_s) * 1000
            trips_ms.append(trip_ms)
            if tells_time and answer is not None:
                skews_ms.append(asked_ms + trip_ms / 2 - float(answer))
    except (QueryFailed, NotThere) as error:
        findings.note("latency", Verdict.FAULT, str(error), "check the network")
        return
    _note_latency(findings, trips_ms)
    _note_clock(findings, clients, skews_ms, settings.risk.stale_after_s)


def _note_latency(findings: Findings, trips_ms: list[float]) -> None:
    middle, longest = median(trips_ms), max(trips_ms)
    findings.latency = {"round_trip_ms_p50": round(middle, 1), "round_trip_ms_max": round(longest, 1)}
    words = f"round trip p50 {middle:.0f} ms, longest {longest:.0f} ms of {len(trips_ms)}"
    slow = middle > 1_000
    remedy = "run the engine nearer to the exchange" if slow else ""
    findings.note("latency", Verdict.WARNING if slow else Verdict.OK, words, remedy)


def _note_clock(
    findings: Findings, clients: Clients, skews_ms: list[float], stale_after_s: Decimal | float
) -> None:
    if not skews_ms:
        findings.note("clock", Verdict.UNTOLD, "the exchange does not tell its time")
        return
    skew_ms = median(skews_ms)
    findings.latency["clock_ahead_ms"] = round(skew_ms)
    side = "ahead of" if skew_ms > 0 else "behind"
    words = f"{abs(skew_ms):.0f} ms {side} the exchange's"
    if abs(skew_ms) <= SKEW_MS_MAX:
        findings.note("clock", Verdict.OK, words)
        return
    remedy = "set this machine's clock by NTP"
    verdict = Verdict.FAULT
    if clients.skew_ms is not None:
        verdict, words = Verdict.WARNING, f"{words}; requests are signed with the difference taken off"
    if skew_ms >= float(stale_after_s) * 1000:
        verdict, words = Verdict.FAULT, f"{words}; every price would count as stale ({stale_after_s} s)"
    findings.note("clock", verdict, words, remedy)


async def _note_permissions(findings: Findings, clients: Clients) -> None:
    name = "key permissions"
    known = permissions.READERS.get(clients.exchange_id)
    if known is None:
        findings.note(name, Verdict.UNTOLD, f"{clients.exchange_id} is not known to tell what a key may")
        return
    try:
        answer = await clients.questions.ask(name, getattr(clients.queries, known[0]))
        granted = permissions.read(clients.exchange_id, answer)
    except (QueryFailed, NotThere, permissions.UnreadableAnswer) as error:
        findings.note(name, Verdict.UNTOLD, _bare(error, name), "look at the exchange's page of keys")
        return
    words = permissions.told(granted)
    if granted.trades is False:
        findings.note(name, Verdict.FAULT, words, "allow spot trading for this key")
    elif granted.withdraws:
        remedy = "take the permission to withdraw from this key: the engine never needs it"
        findings.note(name, Verdict.WARNING, words, remedy)
    elif granted.is_bound_to_addresses is False:
        findings.note(name, Verdict.WARNING, words, "bind the key to this machine's address")
    else:
        findings.note(name, Verdict.OK, words)


def _bare(error: Exception, asked: str) -> str:
    """What a question was answered, without its own name."""
    return str(error).removeprefix(f"{asked}: ")


async def _note_balance(findings: Findings, clients: Clients, settings: Settings) -> None:
    """Of the one currency that all pairs of an engine are quoted in."""
    quote = quote_of(settings.pairs[0].symbol)
    is_live = settings.mode == "live"
    try:
        balances = await CcxtAccount(clients).fetch_balance()
    except QueryFailed as error:
        remedy = "check that the keys are this exchange's, and that they may read the account"
        verdict = Verdict.FAULT if is_live else Verdict.WARNING
        findings.note("balance", verdict, _bare(error, "balance"), remedy)
        return
    free = balances[quote].free if quote in balances else Decimal(0)
    needed = min(pair.deal_quota for pair in settings.pairs)
    words = f"{free:f} {quote} free, the smallest deal takes {needed:f}"
    enough = free >= needed or not is_live
    findings.note(
        "balance", Verdict.OK if enough else Verdict.WARNING, words, "" if enough else f"deposit {quote}"
    )


async def _note_prices(findings: Findings, clients: Clients, settings: Settings) -> dict[str, Decimal]:
    """Waits for the first price of each pair, as the engine will; returns those that came."""
    feeds = Feeds(clients.market_data, SystemClock(), stale_after_s=float(settings.risk.stale_after_s))
    listed = [pair.symbol for pair in settings.pairs if pair.symbol in clients.queries.markets]
    began_s = time.monotonic()
    try:
        found = await asyncio.gather(*(_first_price(feeds.watch_ticker, symbol) for symbol in listed))
        sources = {status.symbol: str(status.source) for status in feeds.status()}
    finally:
        await feeds.close()
    prices = {symbol: price for symbol, price in zip(listed, found, strict=True) if price is not None}
    silent = [symbol for symbol in listed if symbol not in prices]
    took_s = time.monotonic() - began_s
    if silent:
        words = f"no price of {', '.join(silent)} within {FIRST_PRICE_S:.0f} s"
        findings.note("prices", Verdict.FAULT, words, "try again; if it stays so, take them out of [[pairs]]")
    elif listed:
        ways = ", ".join(sorted(set(sources.values())))
        findings.note("prices", Verdict.OK, f"{len(prices)} pairs by {ways}, the last after {took_s:.1f} s")
    return prices


async def _first_price(watch: Callable[[str], Awaitable[Any]], symbol: str) -> Decimal | None:
    try:
        async with asyncio.timeout(FIRST_PRICE_S):
            ticker = await watch(symbol)
    except (TimeoutError, QueryFailed):
        return None
    last = ticker.get("last")
    return None if last is None else Decimal(str(last))


async def _note_markets(
    findings: Findings, clients: Clients, settings: Settings, prices: dict[str, Decimal]
) -> None:
    account = CcxtAccount(clients)
    markets = clients.queries.markets
    for pair in settings.pairs:
        try:
            await account.prepare([pair.symbol] if pair.symbol in markets else [])
            rules = account.market(pair.symbol)
        except KeyError:
            remedy = f"take it out of [[pairs]]; see what {clients.exchange_id} lists"
            findings.note(f"market {pair.symbol}", Verdict.FAULT, "not listed as a spot market", remedy)
            continue
        except QueryFailed as error:
            findings.note(f"market {pair.symbol}", Verdict.FAULT, str(error), "try again")
            continue
        market = markets[pair.symbol]
        extra = {"active": market.get("active")}
        for name in ("maker", "taker"):  # ccxt's own guesses are floats, whatever it was told of numbers
            extra[name] = None if market.get(name) is None else Decimal(str(market[name]))
        if market.get("active") is False:
            words = "listed, and not traded at the moment"
            findings.note(f"market {pair.symbol}", Verdict.FAULT, words, "wait, or take it out of [[pairs]]")
        examine_market(findings, pair, rules, prices.get(pair.symbol), extra)
