"""The strategy that `dirigent strategy new` writes: small, commented, and true to the contract as it stands."""

import re
from pathlib import Path

_TEMPLATE = '''\
"""{kind}: buys when the price comes out above its average, sells when it comes out below."""

from collections.abc import Mapping
from typing import Any

from fsm.values import Side
from services.indicators import CheckpointError, Sma
from services.messages import Tick
from services.strategies.base import IndicatorSource, Parameter, Strategy, Vote


class {kind}(Strategy):
    """One object of this class serves one pair. It sees each price once, in their order, and only votes:
    what becomes of its votes is decided by the other strategies' votes, the risk limits and the pair's rules.
    """

    name = "{name}"

    # Each has its kind from its default: a whole number, a number, an exact decimal (Decimal("0.1")), a truth
    # value, or a text that is one of `choices`. A configuration that breaks a bound is refused.
    parameters = {{
        "period": Parameter(20, 2, 10_000, "samples of the average"),
        "margin": Parameter(0.001, 0.0, 0.5, "fraction of the average by which the price has to leave it"),
        "sells": Parameter(True, meaning="whether it votes to sell, too"),
    }}

    def __init__(self, params: Mapping[str, object] | None = None) -> None:
        super().__init__(params)  # checks them; they are in self.params from here on
        self._side = 0  # on which side of the average the price was last: 1 above, -1 below, 0 not yet known

    def bind(self, indicators: IndicatorSource) -> None:
        # Called once. Indicators (services/indicators.py) are shared by all strategies of the pair; each has taken
        # in the price before on_sample is called with it. Read them, never update them.
        self._average = indicators.need(Sma, self.params["period"])

    @property
    def samples_needed(self) -> int:
        # How many prices warm it up. No vote may come before the next one.
        return self.params["period"]

    def on_sample(self, tick: Tick) -> Vote | None:
        # tick: symbol, at_ms (the time of the price, the only clock there is), last, bid, ask. The three prices are
        # Decimals; bid and ask may be None. Return a vote, or None. No files, no network, no clock, no randomness.
        if not self._average.ready:
            return None
        average = self._average.value
        away = float(tick.last) / average - 1
        if abs(away) < self.params["margin"] or away == 0:
            return None
        side = 1 if away > 0 else -1
        before, self._side = self._side, side
        if side == before or before == 0:
            return None
        if side < 0 and not self.params["sells"]:
            return None
        # Side, strength from 0 to 1, and the reason with its numbers: it is journaled with the deal.
        words = f"price {{tick.last}} is {{away:+.3%}} from its average {{average:.8g}}"
        return Vote(Side.BUY if side > 0 else Side.SELL, 1.0, words)

    def why_not(self) -> str:
        # Why the last price brought no vote, with numbers. Only asked for when somebody looks.
        if not self._average.ready:
            return f"not warmed up: {{self._average.samples}} of {{self._average.samples_needed}} samples"
        where = {{1: "above", -1: "below", 0: "not yet away from"}}[self._side]
        return f"still {{where}} the average {{self._average.value:.8g}}"

    def state(self) -> dict[str, Any]:
        # All that it remembers itself, as JSON can hold it: a restart goes on from here. Indicators are saved
        # by their owner.
        return {{"side": self._side}}

    def restore(self, state: Mapping[str, Any]) -> None:
        side = state.get("side")
        if side not in (-1, 0, 1):
            raise CheckpointError(f"side: expected -1, 0 or 1, got {{side!r}}")
        self._side = side
'''


def template_for(path: Path) -> tuple[str, str]:
    """The name of the class, made from the file's, and the text of the file."""
    words = [word for word in re.split(r"[^A-Za-z0-9]+", path.stem) if word]
    name = "_".join(word.lower() for word in words)
    if not name or not name[0].isalpha():
        name, words = f"strategy_{name}".rstrip("_"), ["strategy", *words]
    kind = "".join(word[0].upper() + word[1:] for word in words)
    return kind, _TEMPLATE.format(kind=kind, name=name[:60])
