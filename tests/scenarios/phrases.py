"""The sentences of a story: plain English with numbers in it, each bound to a verb that the stage knows."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Any

_PER_UNIT_MS = {"ms": 1, "s": 1000, "min": 60_000, "h": 3_600_000}


def duration_ms(text: str) -> int:
    """`40 s`, `1.5 min`. Raises ValueError."""
    number, _, unit = text.partition(" ")
    if unit not in _PER_UNIT_MS or not re.fullmatch(r"\d+(\.\d+)?", number):
        raise ValueError(f"{text!r} is not a duration, such as 40 s; units are {', '.join(_PER_UNIT_MS)}")
    return int(Decimal(number) * _PER_UNIT_MS[unit])


_NUMBER = r"\d+(?:\.\d+)?"
_KINDS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "number": (rf"-?{_NUMBER}", Decimal),
    "price": (_NUMBER, Decimal),
    "count": (r"\d+", int),
    "duration": (rf"{_NUMBER} (?:ms|s|min|h)", duration_ms),
    "word": (r"[a-z_]+", str),
    "tally": (r"none|\d+ [a-z_]+(?:, \d+ [a-z_]+)*", str),
}
_PLACE = re.compile(r"\{(\w+)(?::(\w+))?\}")


@dataclass(frozen=True)
class Phrase:
    """A pattern such as `fall to {end:price} in {count} ticks`: a place is a kind, or a name and its kind."""

    pattern: str
    verb: str

    @cached_property
    def _regex(self) -> re.Pattern[str]:
        parts, end = [], 0
        for place in _PLACE.finditer(self.pattern):
            kind = place[2] or place[1]
            parts += [re.escape(self.pattern[end : place.start()]), f"(?P<{place[1]}>{_KINDS[kind][0]})"]
            end = place.end()
        return re.compile("".join([*parts, re.escape(self.pattern[end:])]))

    def read(self, text: str) -> dict[str, Any] | None:
        """What stands in the places; None when `text` is another sentence."""
        match = self._regex.fullmatch(text)
        if match is None:
            return None
        kinds = {place[1]: place[2] or place[1] for place in _PLACE.finditer(self.pattern)}
        return {name: _KINDS[kinds[name]][1](value) for name, value in match.groupdict().items()}


# fmt: off
HAPPENINGS = (
    Phrase("start at {price}",                                                "start"),
    Phrase("rise from {begin:price} to {end:price} in {count} ticks",         "rise"),
    Phrase("rise to {end:price} in {count} ticks",                            "rise"),
    Phrase("fall from {begin:price} to {end:price} in {count} ticks",         "fall"),
    Phrase("fall to {end:price} in {count} ticks",                            "fall"),
    Phrase("crash to {end:price} in {count} ticks",                           "fall"),
    Phrase("gap to {price}",                                                  "gap"),
    Phrase("swing between {low:price} and {high:price} for {count} ticks, {period:count} a swing", "swing"),
    Phrase("stay for {count} ticks",                                          "stay"),
    Phrase("frozen for {duration}",                                           "freeze"),
    Phrase("thin book {amount:price}",                                        "thin_book"),
    Phrase("deep book",                                                       "deep_book"),
    Phrase("buy signal",                                                      "buy"),
    Phrase("buy signal again",                                                "buy_again"),
    Phrase("sell signal",                                                     "sell"),
    Phrase("reject the next order",                                           "reject_next_order"),
    Phrase("lose the next order",                                             "lose_next_order"),
    Phrase("lose the next answer",                                            "lose_next_answer"),
    Phrase("restart",                                                         "restart"),
    Phrase("an order may stay",                                               "order_may_stay"),
)

CLAIMS = (
    Phrase("then position {count} is {word}",                                 "position_is"),
    Phrase("then position {count} left by {word}",                            "position_left_by"),
    Phrase("then position {count} holds {number}",                            "position_holds"),
    Phrase("then position {count} was bought at {price}",                     "position_bought_at"),
    Phrase("then position {count} was sold at {price}",                       "position_sold_at"),
    Phrase("then {deals:count} deal, {opened:count} open",                    "deals_are"),
    Phrase("then {deals:count} deals, {opened:count} open",                   "deals_are"),
    Phrase("then at least {count} deals",                                     "deals_at_least"),
    Phrase("then no entry because {word}",                                    "no_entry_because"),
    Phrase("then the signal was taken",                                       "signal_was_taken"),
    Phrase("then profit is {word}",                                           "profit_is_of_sign"),
    Phrase("then profit is {number}",                                         "profit_is"),
    Phrase("then dust is {word}",                                             "dust_is_of_sign"),
    Phrase("then dust is {number}",                                           "dust_is"),
    Phrase("then orders: {tally}",                                            "orders_are"),
    Phrase("then entry orders: {tally}",                                      "entry_orders_are"),
    Phrase("then exit orders: {tally}",                                       "exit_orders_are"),
    Phrase("then the pair is {word}",                                         "pair_is"),
    Phrase("then the pair's permission is {word}",                            "permission_of_pair_is"),
    Phrase("then the engine's permission is {word}",                          "permission_of_engine_is"),
)
# fmt: on
