"""Configurations of the real engine on a rehearsal exchange, and the faults that it has to live through there."""

from collections.abc import Mapping
from typing import Any

from dirigent.proofs.death.configurations import Market, only_leaving, restless
from dirigent.proofs.rehearsed.beside import Beside
from dirigent.rehearsal.chaos import Chaos, Maintenance

SYMBOLS = tuple(f"{coin}/USDT" for coin in (
    "BTC", "ETH", "SOL", "LTC", "DOGE", "ADA", "XRP", "DOT", "LINK", "AVAX",
    "TRX", "TON", "ATOM", "NEAR", "UNI", "AAVE", "ALGO", "FIL", "ICP", "XLM",
))  # fmt: skip

TICKS_PER_S = 20.0
LATENCY_MS = (2, 40)
"""Of a request, the least and the greatest."""

MAINTENANCE_EVERY_S = 100
LONGEST_S = 7_200
"""No proof lasts longer."""

RECV_WINDOW_MS = 1_000
"""Short, so that it is soon known of an order that it never arrived."""

OPTIONS: Mapping[str, Any] = {
    "timeout": 3_000,
    "rateLimit": 1,
    "options": {"recvWindow": RECV_WINDOW_MS},
}
"""For ccxt's constructor: an exchange on this machine needs no pause between requests."""


def each_kind(chance: float) -> Chaos:
    """Every fault that befalls requests, reports, orders and connections, each with this chance.

    Maintenance takes that share of the time, and once the exchange's clock jumps ahead by more than its window for
    requests. Some executions are so late that the exchange refuses them, as their window is over.
    """
    maintenance = tuple(
        Maintenance(after_s=after_s, duration_s=MAINTENANCE_EVERY_S * chance)
        for after_s in range(MAINTENANCE_EVERY_S // 2, LONGEST_S, MAINTENANCE_EVERY_S)
    )
    return Chaos(
        lost_request=chance,
        lost_response=chance,
        late_execution=chance,
        late_ms_min=50,
        late_ms_max=1_200,
        server_error=chance,
        garbage=chance,
        garbage_success=chance,
        rate_limited=chance,
        banned=chance,
        retry_after_s=1,
        lost_report=chance,
        duplicate_report=chance,
        reordered_report=chance,
        partial_fill=chance,
        silence_s=1,
        disconnect=chance,
        stall=chance,
        stall_s=4,
        maintenance=maintenance,
        clock_skew_ms=3 * RECV_WINDOW_MS,
        clock_skew_after_s=70,
    )


ONE_IN_TWENTY = each_kind(0.05)
ONE_IN_FIFTY = each_kind(0.02)


def trading_on(beside: Beside) -> str:
    """Deals all the time, and as many as there can be: an exit may take long while its exchange is left alone."""
    pairs = restless(Market(), beside.server.settings.symbols).replace(
        "max_open_deals = 20", "max_open_deals = 60"
    )
    return _engine_on(beside) + pairs + _LIMITS


def leaving_on(beside: Beside) -> str:
    """Nothing enters; what is open leaves by its own rules."""
    return _engine_on(beside) + only_leaving(Market(), beside.server.settings.symbols)


_LIMITS = "stale_after_s = 3\n"
"""Continues the section of risks, with which `restless` ends."""


def _engine_on(beside: Beside) -> str:
    reconciling = "unknown_escalates_s = 600\nreconcile_every_s = 20\n"
    return reconciling + beside.configuration("live", keys=True, options=OPTIONS)
