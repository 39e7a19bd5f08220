"""A strategy that asks for the order book gets it, as deep as it asks; until it is heard it is told why not."""

from decimal import Decimal
from pathlib import Path

import pytest

from dirigent.strategies_from_files import create
from services.indicator_set import IndicatorSet
from services.messages import Tick
from services.order_book import LEVELS_MAX, NOT_HEARD, BookLevels
from services.signal_aggregation import WeightedStrategy
from services.strategies.base import StrategyError
from services.strategies.contract import Subject, examine
from services.strategies.panel import Panel
from services.strategies.series import odd_series
from tests.strategies.imbalance import imbalance
from tests.strategies.trading import PAIR

TICK = Tick(PAIR, 5_000, Decimal(100))


def seated(name: str, indicators: IndicatorSet, params: dict[str, object] | None = None) -> Panel:
    panel = Panel(PAIR, indicators)
    panel.seat([WeightedStrategy(create(name, params))])
    return panel


def levels(*amounts: str) -> tuple[tuple[Decimal, Decimal], ...]:
    return tuple((Decimal(100), Decimal(amount)) for amount in amounts)


def test_it_votes_on_the_book_and_says_why_it_does_not(tmp_path: Path) -> None:
    indicators = IndicatorSet()
    panel = seated(imbalance(tmp_path), indicators)
    assert not panel.ask(TICK)
    assert panel.account().endswith(NOT_HEARD)
    indicators.book.take(BookLevels(PAIR, levels("1"), levels("3"), 4_000))
    assert not panel.ask(TICK)
    assert panel.account().endswith("bids are 25% of the book")
    indicators.book.take(BookLevels(PAIR, levels("3"), levels("1"), 4_000))
    assert panel.ask(TICK)
    assert not panel.ask(Tick(PAIR, 10_000, Decimal(100)))
    assert panel.account().endswith("the book is 6 s old")
    indicators.book.lose("the stream broke")
    assert not panel.ask(TICK)
    assert panel.account().endswith("the stream broke")


def test_each_sees_as_many_levels_as_it_asked_for_whatever_others_ask() -> None:
    indicators = IndicatorSet()
    few, many = indicators.order_book(1), indicators.order_book(3)
    indicators.book.take(BookLevels(PAIR, levels("1", "2", "3"), levels("4", "5"), 1))
    assert (few.bids, few.asks) == (levels("1"), levels("4"))
    assert (many.bids, many.asks) == (levels("1", "2", "3"), levels("4", "5"))
    assert indicators.book.levels == 3
    indicators.book.release(3)
    assert indicators.book.levels == 1


def test_a_book_is_asked_for_until_the_strategy_leaves_and_is_in_no_checkpoint(tmp_path: Path) -> None:
    indicators = IndicatorSet()
    panel = seated(imbalance(tmp_path), indicators)
    assert (indicators.book.levels, indicators.state(), panel.checkpoint()) == (
        5,
        {},
        {panel.seats[0].key: {}},
    )
    panel.seat([WeightedStrategy(create("macd"))])
    assert indicators.book.levels == 0


@pytest.mark.parametrize(
    ("depth", "words"),
    [
        ("0", "it asks for no order book; set order_book_depth"),
        ("-1", "order_book_depth -1 is no whole number from 0 to 50"),
        (str(LEVELS_MAX + 1), "order_book_depth 51 is no whole number"),
        ("True", "order_book_depth True is no whole number"),
    ],
)
def test_a_depth_that_cannot_be_is_refused_and_nothing_is_asked_for(
    tmp_path: Path, depth: str, words: str
) -> None:
    name = imbalance(tmp_path, ("order_book_depth = 5", f"order_book_depth = {depth}"))
    indicators = IndicatorSet()
    with pytest.raises(StrategyError, match=words):
        seated(name, indicators)
    assert indicators.book.levels == 0


def test_the_contract_is_kept_with_an_empty_book(tmp_path: Path) -> None:
    name = imbalance(tmp_path)
    found = list(examine(Subject(lambda: create(name), odd_series(200), budget_ms=50)))
    assert {finding.clause: finding.fault for finding in found if finding.fault} == {}
    assert any(finding.told == NOT_HEARD for finding in found)
