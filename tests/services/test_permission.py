"""Permission to enter can be taken from one pair or from all; leaving is always permitted."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from fsm.records import PermissionRecord
from services.clocks import GivenClock
from services.messages import PairRules, Tick
from services.signal_aggregation import WeightedStrategy
from services.strategies.base import IndicatorSource, Strategy, Vote
from tests.services.bench import NOW_MS, Plan, market_rules, running, ticker
from tests.services.desks import MarketDesk, ScriptedDesk
from tests.services.reports import MARKET, PAIR

OTHER = "XRP/USDT"


def two_pairs(**others: object) -> Plan:
    clock = GivenClock(NOW_MS)
    rules: Mapping[str, PairRules] = {
        symbol: replace(market_rules(**others), symbol=symbol) for symbol in (PAIR, OTHER)
    }
    desk = MarketDesk(clock, rules={symbol: replace(MARKET, symbol=symbol) for symbol in (PAIR, OTHER)})
    return Plan(desk, rules, clock=clock)


def because(words: str) -> Callable[[PermissionRecord], None]:
    def update(permission: PermissionRecord) -> None:
        permission.reason = words

    return update


@pytest.mark.parametrize(("event", "state"), [("entries_stopped", "exits_only"), ("halt_ordered", "halted")])
@pytest.mark.parametrize("scope", [PAIR, "engine"])
async def test_without_permission_nothing_enters_and_everything_may_leave(
    tmp_path: Path, event: str, state: str, scope: str
) -> None:
    async with running(tmp_path / "d.sqlite", two_pairs(max_deals=2, stop_loss=Decimal("0.1"))) as bench:
        await bench.price("10", OTHER)
        await bench.enter()
        deal = bench.position().id
        assert await bench.orchestrator.apply("permission", scope, event, because("a look first"))
        assert bench.permission(scope) == state
        decision = await bench.buy()
        assert decision.because == f"entry_is_permitted: {scope} is {state}: a look first"
        assert (await bench.buy(OTHER)).taken is (scope == PAIR)
        await bench.price("9")
        assert (bench.position(deal).state, bench.position(deal).exit_reason) == ("closed", "stop_loss")
        assert await bench.orchestrator.apply("permission", scope, "resumed")
        assert bench.engine.state.permission(scope).reason == ""
        assert (await bench.buy()).taken


async def test_permission_survives_a_restart(tmp_path: Path) -> None:
    plan = two_pairs()
    async with running(tmp_path / "d.sqlite", plan) as bench:
        await bench.orchestrator.apply("permission", PAIR, "halt_ordered", because("a look first"))
    async with running(tmp_path / "d.sqlite", plan) as bench:
        await bench.price("10")
        assert (await bench.buy()).because == f"entry_is_permitted: {PAIR} is halted: a look first"


class Unsteady(Strategy):
    """Raises from its second sample on."""

    name = "unsteady"
    samples = 0

    def bind(self, indicators: IndicatorSource) -> None:
        """It needs none."""

    @property
    def samples_needed(self) -> int:
        return 0

    def on_sample(self, tick: Tick) -> Vote | None:
        self.samples += 1
        if self.samples > 1:
            raise ZeroDivisionError("by zero")
        return None

    def why_not(self) -> str:
        return "it never votes"


async def test_a_strategy_that_raises_halts_its_pair_and_its_stops_stay_in_force(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", two_pairs(stop_loss=Decimal("0.1"))) as bench:
        bench.engine.signals.replace(PAIR, [WeightedStrategy(Unsteady())])
        await bench.enter()
        deal = bench.position().id
        await bench.price("9.5")
        assert bench.permission() == "halted"
        assert "by zero" in bench.engine.state.permission(PAIR).reason
        assert bench.permission(OTHER) == "active"
        await bench.price("9")
        assert (bench.position(deal).state, bench.position(deal).exit_reason) == ("closed", "stop_loss")
        await bench.price("10", OTHER)
        assert (await bench.buy(OTHER)).taken


# fmt: off
BAD_TICKS = {
    "no price":        {"last": None},
    "a negative one":  {"last": "-1"},
    "zero":            {"last": "0"},
    "not a number":    {"last": "NaN"},
    "infinite":        {"last": "Infinity"},
    "of the past":     {"timestamp": NOW_MS - 1},
    "of the future":   {"timestamp": NOW_MS + 60_001},
    "a strange time":  {"timestamp": "now"},
    "unknown symbol":  {"symbol": "DOGE/USDT"},
    "a list for text": {"symbol": [PAIR]},
}
# fmt: on


@pytest.mark.parametrize("fault", BAD_TICKS.values(), ids=BAD_TICKS.keys())
async def test_a_bad_tick_touches_no_deal_and_the_next_good_one_does(
    tmp_path: Path, fault: dict[str, object], logged: list[dict[str, object]]
) -> None:
    async with running(tmp_path / "d.sqlite", two_pairs(stop_loss=Decimal("0.1"))) as bench:
        await bench.enter()
        await bench.orchestrator.process_market_tick({**ticker("1", bench.now_ms), **fault})
        assert bench.position().state == "open"
        (line,) = [line for line in logged if line.get("event") == "bad_tick"]
        assert line["reason"] == bench.engine.state.metrics.last_bad_tick
        assert bench.engine.state.metrics.bad_ticks == 1
        await bench.price("9")
        assert bench.engine.state.working.positions == {}


async def test_a_turn_that_fails_quarantines_its_pair_alone(
    tmp_path: Path, logged: list[dict[str, object]]
) -> None:
    async with running(tmp_path / "d.sqlite", two_pairs()) as bench:
        await bench.price("10")
        await bench.price("10", OTHER)
        market_rules_of_pair = bench.engine.risk.market_rules.pop(PAIR)
        assert not (await bench.buy()).taken
        assert bench.permission() == "halted"
        assert [line["symbol"] for line in logged if line.get("event") == "turn_failed"] == [PAIR]
        assert (await bench.buy(OTHER)).taken
        bench.engine.risk.market_rules[PAIR] = market_rules_of_pair
        await bench.orchestrator.apply("permission", PAIR, "resumed")
        assert (await bench.buy()).taken


async def test_an_event_for_a_subject_that_does_not_exist_harms_nobody(tmp_path: Path) -> None:
    async with running(tmp_path / "d.sqlite", Plan(ScriptedDesk())) as bench:
        assert not await bench.orchestrator.apply("position", "nobody", "exit_triggered")
        assert bench.permission() == "active"
        await bench.price("10")
        assert (await bench.buy()).taken
