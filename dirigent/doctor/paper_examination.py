"""The paper exchange examined: what holds for it by its making, and whether the configured deals fit its markets."""

from dirigent.configuration.settings import Settings, paper_settings
from dirigent.doctor.findings import Findings, Verdict
from dirigent.doctor.markets import examine_market
from dirigent.venues import PAPER, paper_file
from fsm.values import quote_of
from services.clocks import SystemClock
from services.exchanges.paper import PaperExchange


def examine_paper(settings: Settings) -> Findings:
    """Opens nothing: also beside a running engine."""
    findings = Findings(PAPER, settings.mode)
    section = settings.paper
    findings.capabilities = {
        "orders_carry_client_ids": True,
        "looks_up": ["by client id", "open orders"],
        "cancels": "by client id",
        "market_buy_amount": "coins",
        "fees_in_trades": True,
        "stop_orders": False,
        "order_book": False,
        "ticker_stream": True,
        "order_stream": True,
        "lacks": [],
    }
    findings.latency = {"configured_ms": [section.latency_ms_min, section.latency_ms_max]}
    findings.note("protocol", Verdict.OK, "everything that the order protocol needs")
    findings.note("keys", Verdict.OK, "none needed: no money is real")
    findings.note("clock", Verdict.OK, "the exchange runs on the engine's own clock")
    findings.note(
        "latency",
        Verdict.OK,
        f"{section.latency_ms_min} to {section.latency_ms_max} ms each way, as configured",
    )
    findings.note("streams", Verdict.OK, "prices and order reports, in the same process")
    symbols = [pair.symbol for pair in settings.pairs]
    exchange = PaperExchange(
        paper_file(settings.database), symbols=symbols, settings=paper_settings(settings), clock=SystemClock()
    )
    quote = quote_of(symbols[0])
    begins_with = section.balances.get(quote)
    if begins_with:
        findings.note("balance", Verdict.OK, f"begins with {begins_with:f} {quote}")
    else:
        findings.note(
            "balance", Verdict.FAULT, f"no {quote}, so no deal can begin", f"add {quote} to paper.balances"
        )
    for pair in settings.pairs:
        examine_market(findings, pair, exchange.market(pair.symbol), None, {"fee": section.fee})
    return findings
