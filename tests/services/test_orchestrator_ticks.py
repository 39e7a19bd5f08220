"""How the orchestrator coordinates a tick, and a round of news and deadlines, all collaborators faked."""

from typing import Any

import pytest

from fsm.commit import StoreConflict, StoreError
from services.messages import OrderNews
from tests.services.fakes import TODAY, Troupe, price, signal, watch
from tests.services.reports import PAIR


async def test_a_tick_that_moves_nothing_opens_no_turn() -> None:
    troupe = Troupe()
    await troupe.orchestrator.process_market_tick(price())
    assert troupe.calls == ["observe", "touched", "evaluate"]
    assert troupe.state.metrics.ticks == 1
    assert sum(troupe.state.metrics.tick_latency.counts) == 1


async def test_exits_go_before_entries() -> None:
    troupe = Troupe()
    troupe.pair_is("open")
    troupe.holds("p1")
    troupe.state.working.hits = [watch("p1")]
    troupe.signals.next = signal()
    await troupe.orchestrator.process_market_tick(price("8"))
    turns = [call for call in troupe.calls if call.startswith("turn")]
    assert turns == [f"turn {PAIR} urgent", f"turn {PAIR}"]
    exits = [index for index, call in enumerate(troupe.calls) if call == "submit_exit p1"]
    entries = [index for index, call in enumerate(troupe.calls) if call.startswith("submit_entry")]
    assert exits < entries
    assert troupe.calls[:2] == ["observe", "touched"]


@pytest.mark.parametrize(
    ("last", "reason"), [("11", "take_profit"), ("9", "stop_loss"), ("12", "take_profit"), ("8", "stop_loss")]
)
async def test_a_touched_level_sends_the_position_out_with_its_reason(last: str, reason: str) -> None:
    troupe = Troupe()
    troupe.pair_is("open")
    troupe.holds("p1")
    troupe.state.working.hits = [watch("p1")]
    await troupe.orchestrator.process_market_tick(price(last))
    position = troupe.position("p1")
    assert (position.state, position.exit_reason) == ("closing", reason)


async def test_an_entry_left_behind_is_cancelled_and_no_exit() -> None:
    troupe = Troupe()
    troupe.pair_is("ordering")
    troupe.holds("p1", state="ordering")
    troupe.state.working.hits = [watch("p1", is_entry=True)]
    await troupe.orchestrator.process_market_tick(price("11"))
    assert "cancel_entry p1" in troupe.calls
    position = troupe.position("p1")
    assert (position.state, position.exit_reason) == ("ordering", "")


async def test_a_level_of_a_position_that_is_leaving_or_gone_is_left_alone() -> None:
    troupe = Troupe()
    troupe.pair_is("closing")
    troupe.holds("p1", state="closing", exit_reason="stop_loss")
    troupe.state.working.hits = [watch("p1"), watch("p9")]
    await troupe.orchestrator.process_market_tick(price("8"))
    (turn,) = troupe.state.committed
    assert turn.journal == []


async def test_a_point_inside_a_bar_is_not_judged_by_strategies() -> None:
    troupe = Troupe()
    await troupe.orchestrator.process_market_tick(price(sample=False))
    assert "evaluate" not in troupe.calls


async def test_a_waiting_signal_is_reconsidered_with_each_price() -> None:
    troupe = Troupe()
    troupe.pair_is("signalled", signal='{"id":"s0","reason":"up","expires_at_ms":1900000000000}')
    troupe.risk.refusals["price_is_fresh"] = "too old"
    await troupe.orchestrator.process_market_tick(price())
    assert troupe.state.pair(PAIR).state == "signalled"
    troupe.risk.refusals.clear()
    await troupe.orchestrator.process_market_tick(price())
    assert troupe.state.pair(PAIR).state == "ordering"


async def test_a_bad_tick_is_counted_and_logged_and_moves_nothing(logged: list[dict[str, object]]) -> None:
    troupe = Troupe()
    troupe.market.refuses = "ADA/USDT: last '-1' is not above zero"
    troupe.state.working.hits = [watch("p1")]
    troupe.signals.next = signal()
    await troupe.orchestrator.process_market_tick(price("-1"))
    assert troupe.calls == ["observe"]
    metrics = troupe.state.metrics
    assert (metrics.ticks, metrics.bad_ticks) == (0, 1)
    assert metrics.last_bad_tick == troupe.market.refuses
    assert logged == [{"event": "bad_tick", "reason": troupe.market.refuses}]


async def test_a_strategy_that_raises_halts_its_own_pair_once_and_exits_go_on(
    logged: list[dict[str, object]],
) -> None:
    troupe = Troupe()
    troupe.pair_is("open")
    troupe.holds("p1")
    troupe.signals.raises = True
    for last in ("10", "10"):
        await troupe.orchestrator.process_market_tick(price(last))
    assert troupe.state.permission(PAIR).state == "halted"
    assert "ZeroDivisionError: by zero" in troupe.state.permission(PAIR).reason
    assert troupe.state.permission("engine").state == "active"
    assert len([line for line in logged if line.get("event") == "strategy_failed"]) == 1
    troupe.state.working.hits = [watch("p1")]
    await troupe.orchestrator.process_market_tick(price("8"))
    assert troupe.position("p1").state == "closing"
    assert troupe.state.metrics.ticks == 3


async def test_a_store_fault_is_logged_and_swallowed_and_nothing_has_happened(
    logged: list[dict[str, object]],
) -> None:
    troupe = Troupe()
    troupe.pair_is("open")
    troupe.holds("p1")
    troupe.state.working.hits = [watch("p1")]
    troupe.state.faults.append(StoreError("the disk is full"))
    await troupe.orchestrator.process_market_tick(price("8"))
    assert troupe.position("p1").state == "open"
    assert logged == [{"event": "commit_failed", "symbol": PAIR, "fault": "the disk is full"}]
    await troupe.orchestrator.process_market_tick(price("8"))
    assert troupe.position("p1").state == "closing"


async def test_a_conflict_in_the_store_ends_the_tick() -> None:
    troupe = Troupe()
    troupe.state.working.hits = [watch("p1")]
    troupe.state.faults.append(StoreConflict("another engine took it over"))
    with pytest.raises(StoreConflict):
        await troupe.orchestrator.process_market_tick(price("8"))


def news(of: str) -> OrderNews:
    return OrderNews(of, PAIR)


async def test_news_are_applied_before_deadlines() -> None:
    troupe = Troupe()
    order = troupe.holds("p1", state="ordering").entry_order_id
    troupe.state.order(order).due_at_ms = troupe.state.clock.now_ms()  # type: ignore[union-attr]
    troupe.state.working.due = [("order", order)]
    troupe.state.news = [news("o1"), news("o2")]
    await troupe.orchestrator.update_open_positions()
    asked = [call for call in troupe.calls if call.startswith(("news", "look_up"))]
    assert asked == ["news o1", "news o2", f"look_up_order {order}"]
    assert troupe.state.working.given_back == [("order", order)]


async def test_news_that_cannot_be_stored_is_kept_for_the_next_round() -> None:
    troupe = Troupe()
    troupe.state.news = [news("o1"), news("o2"), news("o3")]
    troupe.state.faults.extend([None, StoreError("the disk is full"), None])
    await troupe.orchestrator.update_open_positions()
    assert [each.client_order_id for each in troupe.state.news] == ["o2"]
    await troupe.orchestrator.update_open_positions()
    assert troupe.calls.count("news o2") == 2
    assert troupe.state.news == []


async def test_news_of_somebody_elses_order_is_reported(logged: list[dict[str, object]]) -> None:
    troupe = Troupe()
    troupe.executor.foreign = True
    troupe.state.news = [news("o1")]
    await troupe.orchestrator.update_open_positions()
    assert logged == [{"event": "foreign_order", "order": "o1", "symbol": PAIR}]


async def test_a_new_day_begins_with_the_equity_of_now() -> None:
    troupe = Troupe()
    troupe.state.facts["day"] = "2023-11-13"
    await troupe.orchestrator.update_open_positions()
    (turn,) = troupe.state.committed
    assert turn.facts == {"day": TODAY, "day_start_equity": "1000"}


async def test_the_loss_limit_of_the_day_stops_entries_until_the_next_day() -> None:
    troupe = Troupe()
    troupe.risk.refusals["max_daily_loss"] = "lost 50 today, limit 50"
    await troupe.orchestrator.update_open_positions()
    permission = troupe.state.permission("engine")
    assert (permission.state, permission.reason) == ("exits_only", "max_daily_loss: lost 50 today, limit 50")
    assert permission.due_at_ms == 1_700_006_400_000
    turns = len(troupe.state.committed)
    await troupe.orchestrator.update_open_positions()
    assert len(troupe.state.committed) == turns


async def test_without_a_loss_limit_the_day_is_kept_and_nothing_stopped() -> None:
    troupe = Troupe()
    limits: Any = troupe.risk.limits
    troupe.risk.limits = type(limits)(max_daily_loss=None)
    troupe.risk.refusals["max_daily_loss"] = "never asked"
    await troupe.orchestrator.update_open_positions()
    assert troupe.state.permission("engine").state == "active"
    assert troupe.state.committed == []
