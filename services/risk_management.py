"""RiskManagementService: a list of small named checks; each approves or refuses with its numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache

from fsm.records import PairRecord
from fsm.values import MONEY, ZERO, Verdict
from services.deals.booking import floor_to_step
from services.drawdown import EQUITY_PEAK
from services.market_data_analyzer import MarketDataAnalyzer, MarketView
from services.messages import MarketRules, PairRules, RiskLimits
from services.ports import EntryGate
from services.state_management import StateManagementService
from services.turns.turn import Turn

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Proposal:
    """An entry about to be decided, with all that a check may compare."""

    rules: PairRules
    market_rules: MarketRules
    market: MarketView
    amount: Decimal
    cost: Decimal
    now_ms: int
    equity: Decimal | None = None
    """None until a check needs it: it is a sum over all positions."""


Check = Callable[[Proposal], Verdict]


class RiskManagementService:
    """Answers the guards `cooldown_is_over`, `price_is_fresh` and `risk_allows_entry` from memory alone."""

    def __init__(
        self,
        limits: RiskLimits,
        rules: dict[str, PairRules],
        market_rules: dict[str, MarketRules],
        market: MarketDataAnalyzer,
        state: StateManagementService,
    ) -> None:
        self.limits = limits
        self.rules = rules
        self.market_rules = market_rules
        self.market = market
        self.state = state
        self.checks: list[Check] = [
            self.max_deals_of_pair,
            self.max_open_deals,
            self.max_exposure_of_pair,
            self.max_exposure,
            self.balance,
            self.min_amount,
            self.min_notional,
            self.max_spread,
            self.max_price_jump,
            self.max_daily_loss,
            self.max_drawdown,
            self.max_orders_per_minute,
        ]

    def heed(self, gate: EntryGate) -> None:
        """From now on an entry is refused, before a deal is born of it, while the exchange would take none."""

        def exchange_takes_entries(_: Proposal) -> Verdict:
            refusal = gate.entry_refusal()
            return Verdict("exchange_takes_entries", not refusal, refusal or "it answers")

        self.checks.insert(0, exchange_takes_entries)

    def cooldown_is_over(self, turn: Turn, pair: PairRecord) -> Verdict:
        left_ms = pair.cooldown_until_ms - turn.now_ms
        return Verdict("cooldown_is_over", left_ms <= 0, f"{max(left_ms, 0) / 1000:g} s left")

    def price_is_fresh(self, turn: Turn, pair: PairRecord) -> Verdict:
        age_ms = self.market.age_ms(pair.symbol)
        limit_ms = self.limits.stale_after_s * 1000
        if age_ms is None:
            return Verdict("price_is_fresh", False, "no price was seen yet")
        return Verdict("price_is_fresh", age_ms <= limit_ms, f"{age_ms} ms old, limit {limit_ms:g} ms")

    def risk_allows_entry(self, turn: Turn, pair: PairRecord) -> Verdict:
        """Runs every check and stops at the first that refuses; its name and numbers are the reason."""
        proposal = self.propose(pair.symbol, turn.now_ms)
        for check in self.checks:
            verdict = check(proposal)
            if not verdict.holds:
                return Verdict("risk_allows_entry", False, f"{verdict.guard}: {verdict.because}")
        return Verdict("risk_allows_entry", True, f"{len(self.checks)} checks, deal of {proposal.cost}")

    def verdicts(self, symbol: str, now_ms: int, equity: Decimal | None = None) -> list[Verdict]:
        """Every check's answer to an entry at this moment, for people who ask why; there must be a price.

        `equity`, where it is known already, spares the sum over all positions.
        """
        proposal = self.propose(symbol, now_ms, equity)
        return [check(proposal) for check in self.checks]

    def propose(self, symbol: str, now_ms: int, equity: Decimal | None = None) -> Proposal:
        rules, market_rules, market = (
            self.rules[symbol],
            self.market_rules[symbol],
            self.market.market(symbol),
        )
        price = market.last
        amount = floor_to_step(MONEY.divide(rules.deal_quota, price), market_rules.amount_step)
        return Proposal(rules, market_rules, market, amount, MONEY.multiply(amount, price), now_ms, equity)

    def equity(self) -> Decimal:
        """Quote currency at the exchange plus every holding of ours at its last price."""
        total = self.state.commitments.quote_total
        for position in self.state.working.positions.values():
            if position.quantity:
                last = self.market.market(position.symbol).last
                price = last if last else position.entry_price or ZERO
                total = MONEY.add(total, MONEY.multiply(position.quantity, price))
        return total

    def loss_today(self, equity: Decimal | None = None) -> Decimal:
        """Equity at the start of the day (UTC) less equity now; negative for a gain."""
        start = self.state.facts.get("day_start_equity")
        if start is None:
            return ZERO
        return MONEY.subtract(Decimal(start), self.equity() if equity is None else equity)

    def max_deals_of_pair(self, proposal: Proposal) -> Verdict:
        have, limit = self.state.commitments.deals_of[proposal.rules.symbol], proposal.rules.max_deals
        return Verdict("max_deals", have < limit, f"{have}/{limit} deals of {proposal.rules.symbol}")

    def max_open_deals(self, proposal: Proposal) -> Verdict:
        have, limit = self.state.commitments.deals, self.limits.max_open_deals
        return Verdict("max_open_deals", have < limit, f"{have}/{limit} deals in total")

    def max_exposure_of_pair(self, proposal: Proposal) -> Verdict:
        bound = self.state.commitments.exposure_of[proposal.rules.symbol]
        would_be = MONEY.add(bound, proposal.rules.deal_quota)
        return _within("max_pair_exposure", would_be, proposal.rules.max_exposure)

    def max_exposure(self, proposal: Proposal) -> Verdict:
        bound = self.state.commitments.exposure
        would_be = MONEY.add(bound, proposal.rules.deal_quota)
        return _within("max_exposure", would_be, self.limits.max_exposure)

    def balance(self, proposal: Proposal) -> Verdict:
        have = self.state.commitments.available
        need = MONEY.multiply(proposal.rules.deal_quota, 1 + self.limits.fee_reserve)
        return Verdict("balance", have >= need, f"{have:f} available, {need:f} needed")

    def min_amount(self, proposal: Proposal) -> Verdict:
        least = max(proposal.market_rules.amount_min, proposal.market_rules.amount_step)
        return Verdict("min_amount", proposal.amount >= least, f"{proposal.amount:f} of at least {least:f}")

    def min_notional(self, proposal: Proposal) -> Verdict:
        least = proposal.market_rules.cost_min
        return Verdict("min_notional", proposal.cost >= least, f"{proposal.cost:f} of at least {least:f}")

    def max_spread(self, proposal: Proposal) -> Verdict:
        return _fraction("max_spread", proposal.market.spread, self.limits.max_spread)

    def max_price_jump(self, proposal: Proposal) -> Verdict:
        return _fraction("max_price_jump", abs(proposal.market.jump), self.limits.max_price_jump)

    def max_daily_loss(self, proposal: Proposal) -> Verdict:
        if self.limits.max_daily_loss is None:
            return Verdict("max_daily_loss", True, "no limit")
        return self.daily_loss_verdict(proposal.equity)

    def daily_loss_verdict(self, equity: Decimal | None = None) -> Verdict:
        limit = self.limits.max_daily_loss
        if limit is None:
            return Verdict("max_daily_loss", True, "no limit")
        loss = self.loss_today(equity)
        return Verdict("max_daily_loss", loss < limit, f"lost {loss:f} today, limit {limit:f}")

    def max_drawdown(self, proposal: Proposal) -> Verdict:
        return self.drawdown_verdict(proposal.equity)

    def drawdown_verdict(self, equity: Decimal | None = None) -> Verdict:
        """How far the equity lies below its highest since the last such halt."""
        limit, peak = self.limits.max_drawdown, Decimal(self.state.facts.get(EQUITY_PEAK, ZERO))
        if limit is None:
            return Verdict("max_drawdown", True, "no limit")
        if peak <= ZERO:
            return Verdict("max_drawdown", True, "no equity was seen yet")
        fallen = MONEY.subtract(peak, self.equity() if equity is None else equity)
        holds = fallen < MONEY.multiply(peak, limit)
        share = MONEY.divide(max(fallen, ZERO), peak)
        words = f"{share:.4%} below the highest equity of {peak:f}, limit {limit:.4%}"
        return Verdict("max_drawdown", holds, words)

    def max_orders_per_minute(self, proposal: Proposal) -> Verdict:
        limit = self.limits.max_orders_per_minute
        if limit is None:
            return Verdict("max_orders_per_minute", True, "no limit")
        rate = self.state.order_rate
        have = rate.count(proposal.now_ms)
        words = f"{have}/{limit} orders in the last minute"
        if have >= limit:
            words += f", {rate.below_in_ms(limit, proposal.now_ms) / 1000:g} s to wait"
        return Verdict("max_orders_per_minute", have < limit, words)


def _within(name: str, would_be: Decimal, limit: Decimal | None) -> Verdict:
    if limit is None:
        return Verdict(name, True, "no limit")
    return Verdict(name, would_be <= limit, f"{would_be:f} with this deal, limit {limit:f}")


def _fraction(name: str, value: float, limit: Decimal | None) -> Verdict:
    if limit is None:
        return Verdict(name, True, "no limit")
    return Verdict(name, value <= float(limit), f"{value:.4%}, limit {float(limit):.4%}")


def day_of(now_ms: int) -> str:
    """The UTC date of a moment, as RFC 3339 writes it."""
    return _date_of(now_ms // DAY_MS)


@lru_cache(maxsize=8)
def _date_of(day: int) -> str:
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def next_day_ms(now_ms: int) -> int:
    """When the next UTC day begins."""
    return (now_ms // DAY_MS + 1) * DAY_MS
