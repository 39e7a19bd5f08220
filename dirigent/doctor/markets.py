"""The configured pairs against what their markets demand."""

from decimal import Decimal
from typing import Any

from dirigent.configuration.sections import PairSection
from dirigent.doctor.findings import Findings, Verdict
from fsm.values import MONEY, quote_of
from services.messages import MarketRules


def examine_market(
    findings: Findings, pair: PairSection, rules: MarketRules, price: Decimal | None, extra: dict[str, Any]
) -> None:
    """Notes whether a deal of this pair is large enough, with room for what its exit may lose."""
    quote = quote_of(pair.symbol)
    findings.markets.append(
        {
            "symbol": pair.symbol,
            "amount_step": rules.amount_step,
            "price_step": rules.price_step,
            "amount_min": rules.amount_min,
            "cost_min": rules.cost_min,
            "price_min": rules.price_min,
            "price_max": rules.price_max,
            "deal_quota": pair.deal_quota,
            "price": price,
            **extra,
        }
    )
    least = _least_deal(rules, price)
    room = MONEY.multiply(least, 1 + (pair.stop_loss or Decimal(0)))
    words = f"deals of {pair.deal_quota:f} {quote}, the market takes {_short(least)} at least"
    name = f"market {pair.symbol}"
    if pair.deal_quota < least:
        remedy = f"raise deal_quota to {_short(room)} or more"
        findings.note(name, Verdict.FAULT, f"{words}: no order would be taken", remedy)
    elif pair.deal_quota <= room:
        remedy = "raise deal_quota, so that what a loss leaves can still be sold"
        findings.note(
            name, Verdict.WARNING, f"{words}: after a stop-loss the rest would be too small", remedy
        )
    else:
        findings.note(name, Verdict.OK, words)


def _least_deal(rules: MarketRules, price: Decimal | None) -> Decimal:
    """In quote currency; by the amount's minimum only where a price is known."""
    if price is None:
        return rules.cost_min
    least_amount = max(rules.amount_min, rules.amount_step)
    return max(rules.cost_min, MONEY.multiply(least_amount, price))


def _short(value: Decimal) -> str:
    return f"{value.normalize():f}" if value else "0"
