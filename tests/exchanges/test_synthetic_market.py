"""The synthetic market is repeatable, resumable, plausible, and moves enough to be traded."""

import json
from decimal import Decimal

import pytest

from services.exchanges.listings import listing
from services.exchanges.synthetic_market import SyntheticMarket

SYMBOLS = ["BTC/USDT", "ETH/USDT", "SOL/USDT", "XRP/USDT", "ADA/USDT", "NONAME/USDT", "ETH/BTC"]


def market(seed: int = 1, symbols: list[str] | None = None) -> SyntheticMarket:
    return SyntheticMarket(seed, {symbol: listing(symbol) for symbol in symbols or SYMBOLS})


def lasts(of: SyntheticMarket, symbol: str, ticks: int) -> list[Decimal]:
    return [of.next_point(symbol).last for _ in range(ticks)]


def test_a_seed_and_a_symbol_decide_every_price_whatever_else_is_listed() -> None:
    alone, together = market(symbols=["SOL/USDT"]), market()
    lasts(together, "BTC/USDT", 50)
    prices = lasts(alone, "SOL/USDT", 500)
    assert prices == lasts(together, "SOL/USDT", 500)
    assert prices != lasts(market(seed=2), "SOL/USDT", 500)


def test_a_restored_market_goes_on_where_it_was_saved() -> None:
    first = market()
    lasts(first, "ADA/USDT", 333)
    state = json.loads(json.dumps(first.save("ADA/USDT")))
    second = market(seed=99)
    second.restore("ADA/USDT", state)
    assert lasts(first, "ADA/USDT", 500) == lasts(second, "ADA/USDT", 500)


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_prices_are_on_the_step_and_lie_between_bid_and_ask(symbol: str) -> None:
    rules, start = listing(symbol).rules, listing(symbol).start_price
    walk = market()
    for _ in range(1500):
        point = walk.next_point(symbol)
        assert 0 < point.bid < point.last < point.ask
        assert point.last % rules.price_step == point.bid % rules.price_step == 0
        assert abs(point.last / start - 1) < Decimal("0.3")
        assert (point.ask - point.bid) / point.last < Decimal("0.005")


def test_all_regimes_and_some_jumps_occur() -> None:
    walk = market()
    seen, jumps = set(), 0
    for _ in range(12_000):
        jumps += walk.next_point("BTC/USDT").gap
        seen.add(walk.regime("BTC/USDT"))
    assert seen == {"trend_up", "trend_down", "range", "volatile"}
    assert 2 <= jumps <= 40


def first_deal_ticks(seed: int, symbol: str) -> int:
    """Ticks until an sma_cross 5/20 has bought, and sold at +0.3 percent or at the opposite crossover."""
    walk, prices, bought_at, before = market(seed), list[float](), 0.0, 0.0
    for tick in range(3000):
        point = walk.next_point(symbol)
        prices.append(float(point.last))
        if tick < 20:
            continue
        now = sum(prices[-5:]) / 5 - sum(prices[-20:]) / 20
        if bought_at and (float(point.bid) >= bought_at * 1.003 or before >= 0 > now):
            return tick
        if not bought_at and before <= 0 < now:
            bought_at = float(point.ask)
        before = now
    raise AssertionError("no deal in five minutes")


@pytest.mark.parametrize("seed", range(1, 6))
def test_one_of_three_pairs_closes_its_first_deal_within_half_a_minute(seed: int) -> None:
    assert min(first_deal_ticks(seed, symbol) for symbol in SYMBOLS[:3]) < 300


def test_the_default_listing_of_an_unknown_coin_depends_on_its_name_alone() -> None:
    assert listing("NONAME/USDT") == listing("NONAME/USDT")
    assert listing("NONAME/USDT").start_price != listing("OTHER/USDT").start_price
    assert listing("BTC/USDT").start_price == 65000
