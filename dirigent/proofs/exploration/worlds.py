"""The joint state of pair, positions, orders, exchange and wire, and every state that may come next."""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import NamedTuple

from dirigent.proofs.exploration.bench import SELL, SIGNAL, STALE_MS, SYMBOL, Shared
from dirigent.proofs.exploration.bounds import Bounds
from dirigent.proofs.exploration.deals import NOW_MS, Deal, Others
from dirigent.proofs.exploration.moves import DealMoves
from fsm.pair import IDLE, ORDERING, SIGNALLED
from fsm.permission import ACTIVE, RESUMED
from fsm.values import ZERO
from services.trading_orchestrator import Decision
from services.turns.turn import Turn, Work


class World(NamedTuple):
    """The joint state of all machines and of everything outside that may still reach them."""

    shared: Shared
    crashes_left: int | None
    deals: tuple[str, ...]
    """The keys of the deals under way, in alphabetical order: which of two was first decides nothing."""


class Step(NamedTuple):
    label: str
    world: World
    breach: str = ""


class PairMove(NamedTuple):
    """`born`: the deal that begins."""

    label: str
    shared: Shared
    born: Deal | None
    breach: str = ""


_ENTERING = frozenset({"idle", "signalled", "ordering"})


class Exploration:
    """The successor function over worlds; what one deal can do is found by `DealMoves`."""

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.moves = DealMoves(bounds)
        self._pair_moves: dict[tuple[Shared, tuple[object, ...]], list[PairMove]] = {}

    @property
    def start(self) -> World:
        return World(Shared(IDLE, False, ACTIVE), self.bounds.crashes, ())

    def is_flat(self, world: World) -> bool:
        return not world.deals and world.shared.pair == IDLE

    def steps(self, world: World) -> Iterator[Step]:
        """Every world that may come next, with what leads there."""
        deals = [self.moves.deals[key] for key in world.deals]
        shared, crashes = world.shared, world.crashes_left
        for index, deal in enumerate(deals):
            others = deals[:index] + deals[index + 1 :]
            seen = tuple(sorted(other.summary for other in others))
            name = f"deal {index + 1}: " if len(deals) > 1 else ""
            for move in self.moves.of(deal, shared, seen):
                after = [*others, move.deal] if move.deal else others
                yield self._step(name + move.label, move.shared, crashes, after, move.breach)
        for pair_move in self.of_pair(shared, tuple(sorted(deal.summary for deal in deals))):
            after = [*deals, pair_move.born] if pair_move.born else deals
            yield self._step(pair_move.label, pair_move.shared, crashes, after, pair_move.breach)
        yield from self._window(shared, crashes, deals)
        if crashes != 0 and deals:
            yield self._death(shared, crashes, deals)

    def _step(
        self, label: str, shared: Shared, crashes: int | None, deals: Sequence[Deal], breach: str
    ) -> Step:
        if not deals and shared.pair == IDLE:
            crashes = self.bounds.crashes
        keys = tuple(sorted(deal.key for deal in deals))
        breach = breach or breach_of_pair(shared, [deal.position.state for deal in deals])
        return Step(label, World(shared, crashes, keys), breach)

    def _window(self, shared: Shared, crashes: int | None, deals: Sequence[Deal]) -> Iterator[Step]:
        passed = [self.moves.window_passed(deal) for deal in deals]
        breach = next((breach for _, breach in passed if breach), "")
        after = [deal for deal, _ in passed if deal is not None]
        yield self._step("the window for late requests passes", shared, crashes, after, breach)

    def _death(self, shared: Shared, crashes: int | None, deals: Sequence[Deal]) -> Step:
        after, breach, then = [], "", shared
        for deal in deals:
            move = self.moves.died(deal, then)
            then, breach = move.shared, breach or move.breach
            if move.deal is not None:
                after.append(move.deal)
        left = None if crashes is None else crashes - 1
        return self._step("the engine dies and is started again", then, left, after, breach)

    def of_pair(self, shared: Shared, deals: Others) -> list[PairMove]:
        """What comes from outside to the pair: signals, prices, deadlines, a person.

        What a sell signal does to a deal is a move of that deal; so nothing here reaches one, and the answers hold
        for all deals that look alike.
        """
        found = self._pair_moves.get((shared, deals))
        if found is None:
            found = self._pair_moves[shared, deals] = list(self._find_of_pair(shared, deals))
        return found

    def _find_of_pair(self, shared: Shared, deals: Others) -> Iterator[PairMove]:
        bench = self.moves.bench
        for label, work, price_age_ms, is_poor in self._pair_works(shared, len(deals)):
            bench.load(shared, self.moves.examples_of(deals))
            bench.price_clock.at_ms = NOW_MS + price_age_ms
            if is_poor:
                bench.engine.state.commitments.quote_total = ZERO
            outcome = bench.run([work])
            born, breach = self.moves.born(outcome, len(deals))
            then = bench.shared_after(shared, outcome)
            if breach or born is not None or then != shared:
                yield PairMove(label, then, born, breach)

    def _pair_works(self, shared: Shared, deals: int) -> Iterator[tuple[str, Work, int, bool]]:
        """Each with the age of the last price, and whether there is no money."""
        orchestrator = self.moves.bench.engine.orchestrator
        if deals < self.bounds.intents:
            buy = partial(orchestrator._consider_buy, SIGNAL, Decision())
            yield "a buy signal", buy, 0, False
            yield "a buy signal without a fresh price", buy, STALE_MS, False
            yield "a buy signal without money", buy, 0, True
        if shared.pair == SIGNALLED:
            yield "a price for the waiting signal", partial(orchestrator._reconsider, SYMBOL), 0, False
            yield "a price, and no money", partial(orchestrator._reconsider, SYMBOL), 0, True
            yield "a sell signal for the pair", partial(orchestrator._answer_sell, SELL, Decision()), 0, False
            if shared.pair_is_armed:
                yield "the signal expires", self._expiry, 0, False
        if shared.permission != ACTIVE:
            yield "a person lifts the halt", self._resumed, 0, False

    def _expiry(self, turn: Turn) -> None:
        bench = self.moves.bench
        bench.engine.state.working.pairs[SYMBOL].due_at_ms = NOW_MS
        bench.engine.orchestrator._pass_deadline("pair", SYMBOL, turn)

    def _resumed(self, turn: Turn) -> None:
        turn.raise_event("permission", SYMBOL, RESUMED)
        self.moves.bench.engine.orchestrator._runner.run(turn)


def breach_of_pair(shared: Shared, states: Sequence[str]) -> str:
    """A pair that waits on positions has one to wait on; one that waits on nothing else has a deadline."""
    if shared.pair == SIGNALLED and not shared.pair_is_armed:
        return "the pair waits in signalled without a deadline"
    entering = sum(state in _ENTERING for state in states)
    if entering > 1:
        return "two entries of the pair are in flight"
    if shared.pair == ORDERING and not entering:
        return "the pair waits for an entry that is not in flight"
    living = any(state in ("open", "closing") for state in states)
    if shared.pair in ("open", "closing") and not living:
        return f"the pair is {shared.pair} and no position lives"
    if shared.pair == IDLE and (living or entering):
        return "the pair is idle while a position lives"
    return ""
