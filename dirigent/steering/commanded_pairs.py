"""The pairs that commands added to the configured ones and took from them, as the store remembers them."""

import json
from collections.abc import Iterable, Mapping

from loguru import logger
from pydantic import ValidationError

from dirigent.configuration.sections import PairSection
from dirigent.configuration.settings import Settings
from dirigent.venues import Refused
from fsm.values import quote_of

ADDED, REMOVED = "pairs_added", "pairs_removed"
"""The facts: the added pairs' sections as JSON, and the symbols of the removed ones."""


def added_in(facts: Mapping[str, str]) -> dict[str, PairSection]:
    """By symbol. One that this version cannot read is left out, and told."""
    sections = {}
    for written in json.loads(facts.get(ADDED, "[]")):
        try:
            section = PairSection.model_validate(written)
        except ValidationError as error:
            logger.bind(event="added_pair_unreadable", pair=str(written), fault=str(error)).error(
                "added_pair_unreadable"
            )
        else:
            sections[section.symbol] = section
    return sections


def removed_in(facts: Mapping[str, str]) -> set[str]:
    return set(json.loads(facts.get(REMOVED, "[]")))


def facts_of(added: Iterable[PairSection], removed: Iterable[str]) -> dict[str, str]:
    return {
        ADDED: json.dumps([section.model_dump(mode="json") for section in added], separators=(",", ":")),
        REMOVED: json.dumps(sorted(removed)),
    }


def with_commanded_pairs(settings: Settings, facts: Mapping[str, str]) -> Settings:
    """The configuration as commands left it. What is configured wins over what was added under the same name.

    Raises Refused when no pair is left.
    """
    added, removed = added_in(facts), removed_in(facts)
    configured = {pair.symbol: pair for pair in settings.pairs}
    quote = quote_of(settings.pairs[0].symbol)
    for symbol in [one for one in added if quote_of(one) != quote]:
        logger.bind(event="added_pair_of_another_quote", symbol=symbol).error("added_pair_of_another_quote")
        del added[symbol]
    together = {**added, **configured}
    pairs = tuple(pair for symbol, pair in together.items() if symbol not in removed)
    if not pairs:
        raise Refused(
            f"every configured pair was removed by a command ({', '.join(sorted(removed))}); configure another"
            " one, and bring these back with `dirigent pairs add`"
        )
    return settings.model_copy(update={"pairs": pairs})
