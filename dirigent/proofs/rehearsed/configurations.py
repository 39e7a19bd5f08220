"""Configurations of the real engine on a rehearsal exchange, and the faults that it has to live through there."""

from collections.abc import Mapping
from typing import Any

from dirigent.proofs.death.configurations import Market, only_leaving, restless
from dirigent.proofs.rehearsed.beside import Beside
from dirigent.rehearsal.chaos import Chaos

SYMBOLS = tuple(f"{coin}/USDT" for coin in (
    "BTC", "ETH", "SOL", "LTC", "DOGE", "ADA", "XRP", "DOT", "LINK", "AVAX",
    "TRX", "TON", "ATOM", "NEAR", "UNI", "AAVE", "ALGO", "FIL", "ICP", "XLM",
))  # fmt: skip

RECV_WINDOW_MS = 1_000
"""Short, so that it is soon known of an order that it never arrived."""

OPTIONS: Mapping[str, Any] = {
    "timeout": 3_000,
    "rateLimit": 1,
    "options": {"recvWindow": RECV_WINDOW_MS},
}
"""For ccxt's constructor: an exchange on this machine needs no pause between requests."""

ONE_IN_TWENTY = Chaos(
    lost_request=0.05,
    lost_response=0.05,
    late_execution=0.05,
    late_ms_min=50,
    late_ms_max=1_200,
    server_error=0.05,
    garbage=0.05,
    garbage_success=0.05,
    lost_report=0.05,
    duplicate_report=0.05,
    reordered_report=0.05,
    partial_fill=0.05,
    silence_s=1,
    disconnect=0.05,
    stall=0.05,
    stall_s=4,
    rate_limited=0.005,
    banned=0.002,
    retry_after_s=1,
)
"""Each kind of fault once in twenty times; being told to wait is rarer, since then nothing else can happen.

Some executions are so late that the exchange refuses them, as their window is over.
"""


def trading_on(beside: Beside) -> str:
    """Deals all the time."""
    return _engine_on(beside) + restless(Market(), beside.server.settings.symbols) + _LIMITS


def leaving_on(beside: Beside) -> str:
    """Nothing enters; what is open leaves by its own rules."""
    return _engine_on(beside) + only_leaving(Market(), beside.server.settings.symbols)


_LIMITS = "stale_after_s = 3\n"
"""Continues the section of risks, with which `restless` ends."""


def _engine_on(beside: Beside) -> str:
    reconciling = "unknown_escalates_s = 600\nreconcile_every_s = 20\n"
    return reconciling + beside.configuration("live", keys=True, options=OPTIONS)
