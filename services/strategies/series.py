"""Prices to try a strategy on: quiet and wild, tiny and huge, with gaps, without bid and ask; the same every time."""

import random
from collections.abc import Callable, Iterator
from decimal import Decimal

from services.messages import Tick

SYMBOL = "TRIAL/USDT"
START_MS = 1_700_000_000_000


def odd_series(samples: int = 3_000, seed: int = 1) -> list[Tick]:
    """In parts of about a hundred samples, each of another kind of market."""
    draw = random.Random(seed)
    ticks: list[Tick] = []
    price, at_ms = 100.0, START_MS
    while len(ticks) < samples:
        part = _PARTS[len(ticks) // 100 % len(_PARTS)]
        for last, gap_ms in part(draw, price):
            price = last
            at_ms += gap_ms
            ticks.append(_tick(draw, at_ms, price))
    return ticks[:samples]


def _tick(draw: random.Random, at_ms: int, price: float) -> Tick:
    last = Decimal(f"{price:.10g}")
    if draw.random() < 0.1:
        return Tick(SYMBOL, at_ms, last)
    half = last * Decimal(draw.randrange(0, 50)) / 100_000
    return Tick(SYMBOL, at_ms, last, last - half, last + half)


_Part = Callable[[random.Random, float], Iterator[tuple[float, int]]]


def _walk(draw: random.Random, price: float) -> Iterator[tuple[float, int]]:
    for _ in range(100):
        price *= 1 + draw.gauss(0, 0.004)
        yield price, draw.randrange(100, 2_000)


def _still(_draw: random.Random, price: float) -> Iterator[tuple[float, int]]:
    for _ in range(100):
        yield price, 1_000


def _waves(draw: random.Random, price: float) -> Iterator[tuple[float, int]]:
    for number in range(100):
        yield price * (1 + 0.02 * ((number // 10) % 2) + draw.gauss(0, 0.0005)), 1_000


def _jumps(draw: random.Random, price: float) -> Iterator[tuple[float, int]]:
    for _ in range(100):
        yield price * draw.choice((0.1, 0.5, 1, 1, 1, 2, 10)), 1_000


def _gaps(draw: random.Random, price: float) -> Iterator[tuple[float, int]]:
    for _ in range(100):
        price *= 1 + draw.gauss(0, 0.004)
        yield price, draw.choice((0, 1, 1_000, 3_600_000, 86_400_000))


def _tiny(draw: random.Random, _price: float) -> Iterator[tuple[float, int]]:
    for _ in range(100):
        yield 1e-8 * (1 + draw.random()), 1_000


def _huge(draw: random.Random, _price: float) -> Iterator[tuple[float, int]]:
    for _ in range(99):
        yield 1e12 * (1 + draw.random()), 1_000
    yield 100.0, 1_000


_PARTS: tuple[_Part, ...] = (_walk, _waves, _still, _gaps, _jumps, _walk, _tiny, _huge, _waves)
