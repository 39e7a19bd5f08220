"""The text that a scraper reads, made in slices: between two of them the event loop does something else."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter

from prometheus_client.core import Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from dirigent.monitoring.collector import EngineCollector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
FRESH_S = 0.2
"""An answer no older than this is given again: many scrapers cost no more than a few."""


@dataclass(frozen=True, slots=True)
class _Slice(Collector):
    metric: Metric

    def collect(self) -> Iterator[Metric]:
        yield self.metric


def slices(collector: Collector) -> Iterator[bytes]:
    """The whole text in parts; of a family that comes in several only the first has the heading."""
    before = ""
    for family in collector.collect():
        text = generate_latest(_Slice(family))
        yield _without_heading(text) if family.name == before else text
        before = family.name


def _without_heading(text: bytes) -> bytes:
    return b"".join(line for line in text.splitlines(keepends=True) if not line.startswith(b"#"))


class Exposition:
    """Answers scrapers, one at a time."""

    def __init__(self, collector: EngineCollector) -> None:
        self._collector = collector
        self._one_at_a_time = asyncio.Lock()
        self._text = b""
        self._made_at_s = float("-inf")

    async def text(self) -> bytes:
        async with self._one_at_a_time:
            started_s = perf_counter()
            if started_s - self._made_at_s > FRESH_S:
                parts = []
                for part in slices(self._collector):
                    parts.append(part)
                    await asyncio.sleep(0)
                self._text = b"".join(parts)
                self._made_at_s = perf_counter()
                self._collector.instruments.scrape_s = self._made_at_s - started_s
            return self._text
