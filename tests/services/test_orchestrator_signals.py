"""What the orchestrator decides about a signal that is handed in, with every collaborator faked."""

import pytest

from fsm.commit import StoreConflict, StoreError
from fsm.records import PermissionRecord
from services.messages import BadSignal
from tests.services.fakes import Troupe
from tests.services.reports import PAIR

BUY = {"id": "s1", "symbol": PAIR}


async def test_a_buy_signal_that_nothing_speaks_against_gives_birth_to_a_deal() -> None:
    troupe = Troupe()
    decision = await troupe.orchestrator.handle_buy_signal(BUY)
    assert (decision.taken, decision.because) == (True, "because")
    assert troupe.state.pair(PAIR).state == "ordering"
    (turn,) = troupe.state.committed
    (position,) = [record for (machine, _), record in turn.staged.items() if machine == "position"]
    assert position.state == "ordering"
    assert [entry.event for entry in turn.journal] == [
        "buy_signalled",
        "entry_considered",
        "entry_signalled",
        "entry_planned",
    ]
    assert f"submit_entry {position.subject_id}" in troupe.calls
    assert [(offered.id, offered.outcome) for offered in turn.signals] == [("s1", "taken")]


@pytest.mark.parametrize(
    ("service", "guard", "words"),
    [
        ("signals", "signal_is_fresh", "it expired 5 ms ago"),
        ("risk", "cooldown_is_over", "12 s left"),
        ("risk", "risk_allows_entry", "max_open_deals: 10/10 deals in total"),
    ],
)
async def test_a_guard_that_refuses_keeps_the_pair_and_is_quoted_with_its_numbers(
    service: str, guard: str, words: str
) -> None:
    troupe = Troupe()
    getattr(troupe, service).refusals[guard] = words
    decision = await troupe.orchestrator.handle_buy_signal(BUY)
    assert not decision.taken
    assert f"{guard}: {words}" in decision.because
    assert troupe.state.pair(PAIR).state == "idle"
    (turn,) = troupe.state.committed
    assert [(offered.id, offered.outcome) for offered in turn.signals] == [("s1", decision.because)]
    assert troupe.state.metrics.refusals == 1
    assert any(not verdict.holds and verdict.because == words for verdict in turn.journal[-1].verdicts)


@pytest.mark.parametrize("scope", [PAIR, "engine"])
@pytest.mark.parametrize("state", ["exits_only", "halted"])
async def test_without_permission_a_buy_signal_is_refused_with_the_reason(scope: str, state: str) -> None:
    troupe = Troupe()
    troupe.state.put(PermissionRecord(state=state, version=1, scope=scope, reason="a person said so"))
    decision = await troupe.orchestrator.handle_buy_signal(BUY)
    assert not decision.taken
    assert decision.because == f"entry_is_permitted: {scope} is {state}: a person said so"


async def test_a_repeated_id_changes_nothing() -> None:
    troupe = Troupe()
    troupe.signals.refusals["signal_is_new"] = "signal s1 was offered before"
    decision = await troupe.orchestrator.handle_buy_signal(BUY)
    assert (decision.taken, decision.because) == (False, "signal_is_new: signal s1 was offered before")
    (turn,) = troupe.state.committed
    assert (turn.staged, turn.signals) == ({}, [])


async def test_a_signal_without_a_fresh_price_waits_and_is_taken() -> None:
    troupe = Troupe()
    troupe.risk.refusals["price_is_fresh"] = "31000 ms old, limit 30000 ms"
    decision = await troupe.orchestrator.handle_buy_signal(BUY)
    assert decision.taken
    assert decision.because == "price_is_fresh: 31000 ms old, limit 30000 ms"
    assert troupe.state.pair(PAIR).state == "signalled"


@pytest.mark.parametrize("state", ["signalled", "ordering"])
async def test_while_an_entry_is_in_flight_another_buy_signal_is_refused(state: str) -> None:
    troupe = Troupe()
    troupe.pair_is(state)
    decision = await troupe.orchestrator.handle_buy_signal(BUY)
    assert (decision.taken, decision.because) == (False, "one entry of this pair is in flight already")
    assert troupe.state.pair(PAIR).state == state


@pytest.mark.parametrize("method", ["handle_buy_signal", "handle_sell_signal"])
async def test_bad_data_is_refused_before_any_turn(method: str) -> None:
    troupe = Troupe()
    with pytest.raises(BadSignal, match="id: is missing"):
        await getattr(troupe.orchestrator, method)({})
    assert troupe.calls == []


async def test_a_signal_that_cannot_be_stored_is_not_taken_and_may_be_offered_again() -> None:
    troupe = Troupe()
    troupe.state.faults.append(StoreError("the disk is full"))
    decision = await troupe.orchestrator.handle_buy_signal(BUY)
    assert (decision.taken, decision.because) == (False, "the disk is full")
    assert troupe.state.pair(PAIR).state == "idle"
    assert (await troupe.orchestrator.handle_buy_signal(BUY)).taken


async def test_a_conflict_in_the_store_is_raised() -> None:
    troupe = Troupe()
    troupe.state.faults.append(StoreConflict("another engine took it over"))
    with pytest.raises(StoreConflict):
        await troupe.orchestrator.handle_buy_signal(BUY)


async def test_a_turn_that_fails_quarantines_its_pair(logged: list[dict[str, object]]) -> None:
    troupe = Troupe()
    troupe.state.faults.append(ZeroDivisionError("by zero"))
    decision = await troupe.orchestrator.handle_buy_signal(BUY)
    assert (decision.taken, decision.because) == (False, "the turn failed")
    permission = troupe.state.permission(PAIR)
    assert (permission.state, permission.reason) == ("halted", "ZeroDivisionError: by zero")
    assert troupe.state.permission("engine").state == "active"
    assert [line["symbol"] for line in logged if line.get("event") == "turn_failed"] == [PAIR]


async def test_a_sell_signal_sends_every_listening_position_out() -> None:
    troupe = Troupe()
    troupe.pair_is("open")
    troupe.holds("p1")
    troupe.holds("p2")
    troupe.holds("p3", exit_reason="stop_loss", state="closing")
    decision = await troupe.orchestrator.handle_sell_signal(BUY)
    assert (decision.taken, decision.because) == (True, "2 positions leave")
    assert [call for call in troupe.calls if call.startswith("submit_exit")] == [
        "submit_exit p1",
        "submit_exit p2",
    ]
    for position_id in ("p1", "p2"):
        position = troupe.state.position(position_id)
        assert position is not None
        assert (position.state, position.exit_reason) == ("closing", "opposite_signal")


async def test_a_sell_signal_drops_a_waiting_buy_signal() -> None:
    troupe = Troupe()
    troupe.executor.refusals["x"] = ""
    troupe.pair_is("signalled", signal='{"id":"s0","reason":"up","expires_at_ms":1}')
    decision = await troupe.orchestrator.handle_sell_signal(BUY)
    assert decision.taken
    assert (troupe.state.pair(PAIR).state, troupe.state.pair(PAIR).signal) == ("idle", "")


async def test_a_sell_signal_with_nothing_to_sell_says_so() -> None:
    troupe = Troupe()
    decision = await troupe.orchestrator.handle_sell_signal(BUY)
    assert (decision.taken, decision.because) == (False, "no position listens")


@pytest.mark.parametrize("guard", ["signal_is_new", "signal_is_fresh"])
async def test_an_old_sell_signal_moves_no_position(guard: str) -> None:
    troupe = Troupe()
    troupe.pair_is("open")
    troupe.holds("p1")
    troupe.signals.refusals[guard] = "no"
    decision = await troupe.orchestrator.handle_sell_signal(BUY)
    assert (decision.taken, decision.because) == (False, f"{guard}: no")
    assert troupe.position("p1").state == "open"


async def test_two_orchestrators_over_the_same_services_are_one() -> None:
    troupe = Troupe()
    troupe.risk.refusals["price_is_fresh"] = "too old"
    assert (await troupe.orchestrator.handle_buy_signal(BUY)).taken
    troupe.risk.refusals.clear()
    second = troupe.another()
    assert not (await second.handle_buy_signal({"id": "s2", "symbol": PAIR})).taken
    await second.process_market_tick({"symbol": PAIR, "last": "10"})
    assert troupe.state.pair(PAIR).state == "ordering"
