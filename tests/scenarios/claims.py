"""What a story may claim, read from the engine's store as any person would read it."""

from collections import Counter
from decimal import Decimal
from typing import Any

from fsm.permission import ACTIVE, ENGINE_SUBJECT
from fsm.position import POSITION
from fsm.values import ZERO
from persistence import queries
from tests.scenarios.stage import Stage
from tests.scenarios.terms import SYMBOL

Row = dict[str, Any]


class Claims:
    """One claim a method; each raises AssertionError with what is the case instead."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def _positions(self) -> list[Row]:
        return queries.positions(self._stage.database)

    def _position(self, number: int) -> Row:
        positions = self._positions()
        assert 1 <= number <= len(positions), f"there are {len(positions)} positions"
        return positions[number - 1]

    def _bought(self) -> list[Row]:
        return [position for position in self._positions() if position["bought"]]

    def position_is(self, count: int, word: str) -> None:
        position = self._position(count)
        assert position["state"] == word, f"it is {position['state']}: {position['reason']}"

    def position_left_by(self, count: int, word: str) -> None:
        reason = self._position(count)["exit_reason"]
        assert reason == word, f"its exit reason is {reason or 'none'}"

    def position_holds(self, count: int, number: Decimal) -> None:
        quantity = self._position(count)["quantity"]
        assert quantity == number, f"it holds {quantity}"

    def position_bought_at(self, count: int, price: Decimal) -> None:
        paid = self._position(count)["entry_price"]
        assert paid == price, f"it was bought at {paid}"

    def position_sold_at(self, count: int, price: Decimal) -> None:
        got = self._position(count)["exit_price"]
        assert got == price, f"it was sold at {got}"

    def deals_are(self, deals: int, opened: int) -> None:
        bought = self._bought()
        living = sum(position["state"] not in POSITION.finals for position in bought)
        assert (len(bought), living) == (deals, opened), f"{len(bought)} deals, {living} open"

    def deals_at_least(self, count: int) -> None:
        have = len(self._bought())
        assert have >= count, f"{have} deals"

    def no_entry_because(self, word: str) -> None:
        """The last signal moved nothing, and this guard or check said so."""
        reasons = f"{self._stage.decision.because}; {self._pair()['reason']}"
        born = self._stage.positions_since_signal
        assert not born, f"it became {born} position"
        assert f"{word}: " in reasons, f"the reasons are: {reasons}"

    def signal_was_taken(self) -> None:
        assert self._stage.decision.taken, self._stage.decision.because

    def _profit(self) -> Decimal:
        results: list[Decimal] = [position["realized_pnl"] for position in self._positions()]
        return sum(results, ZERO)

    def profit_is_of_sign(self, word: str) -> None:
        _check_sign(word, self._profit())

    def profit_is(self, number: Decimal) -> None:
        assert self._profit() == number, f"it is {self._profit()}"

    def _dust(self) -> Decimal:
        left: list[Decimal] = [position["dust"] for position in self._positions()]
        return sum(left, ZERO)

    def dust_is_of_sign(self, word: str) -> None:
        _check_sign(word, self._dust())

    def dust_is(self, number: Decimal) -> None:
        assert self._dust() == number, f"it is {self._dust()}"

    def orders_are(self, tally: str, side: str | None = None) -> None:
        orders = queries.orders(self._stage.database)
        states = Counter(order["state"] for order in orders if side in (None, order["side"]))
        wanted = {} if tally == "none" else dict(_counted(entry) for entry in tally.split(", "))
        assert states == wanted, f"they are {dict(states)}"

    def entry_orders_are(self, tally: str) -> None:
        self.orders_are(tally, "buy")

    def exit_orders_are(self, tally: str) -> None:
        self.orders_are(tally, "sell")

    def _pair(self) -> Row:
        return next(pair for pair in queries.pairs(self._stage.database) if pair["symbol"] == SYMBOL)

    def pair_is(self, word: str) -> None:
        pair = self._pair()
        assert pair["state"] == word, f"it is {pair['state']}: {pair['reason']}"

    def permission_of_pair_is(self, word: str) -> None:
        self._permission_is(SYMBOL, word)

    def permission_of_engine_is(self, word: str) -> None:
        self._permission_is(ENGINE_SUBJECT, word)

    def _permission_is(self, scope: str, word: str) -> None:
        permission = self._stage.engine.state.permission(scope)
        assert permission.state == word, f"it is {permission.state}: {permission.reason or ACTIVE}"


def _counted(entry: str) -> tuple[str, int]:
    count, _, state = entry.partition(" ")
    return state, int(count)


def _check_sign(word: str, number: Decimal) -> None:
    signs = {"positive": number > ZERO, "negative": number < ZERO, "zero": number == ZERO}
    assert word in signs, f"{word!r} is none of {', '.join(signs)}"
    assert signs[word], f"it is {number}"
