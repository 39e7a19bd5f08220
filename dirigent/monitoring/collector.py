"""What the engine is at this moment, as families of metrics: read from memory at each scrape, never kept."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from dirigent.monitoring import process
from dirigent.monitoring.catalogue import BY_NAME
from dirigent.monitoring.instruments import Instruments, row_number
from dirigent.monitoring.observed import Observed
from fsm.records import Record
from fsm.values import quote_of
from persistence.files import wal_path
from services.metrics import LatencyHistogram
from services.turns.bindings import TABLES

SYMBOLS_MAX = 2_000
"""So many symbols have series of their own; the others are one series, named `other`."""

_TICK_EDGES_NS = tuple(2**power for power in range(11, 31))
"""From 2 µs to 1 s: at powers of two the engine's histogram cuts exactly."""
_WAIT_EDGES_NS = tuple(2**power for power in range(14, 36))
"""From 16 µs to 34 s."""

PART = 50
"""Symbols of one part of a family; such a part takes about half a millisecond."""

Labelled = tuple[Sequence[str], float]
Family = Callable[[str, Sequence[Labelled]], Metric]


@dataclass(frozen=True, slots=True)
class EngineCollector(Collector):
    """One run, seen by prometheus-client. It is asked in the thread of the event loop, between two turns.

    A family that is long comes in several parts, one after the other, under the same name.
    """

    run: Observed
    instruments: Instruments
    samples_before: Mapping[str, int]
    """How many prices each market had seen before this run."""
    version: str

    def collect(self) -> Iterator[Metric]:
        yield from self._of_the_run()
        yield from self._of_prices()
        yield from self._of_decisions()
        yield from self._of_orders()
        yield from self._of_the_store()
        yield from self._of_money()
        yield from self._of_the_process()

    def _of_the_run(self) -> Iterator[Metric]:
        settings, heartbeat = self.run.settings, self.run.heartbeat
        labels = (settings.mode, settings.exchange.id, self.version)
        yield _gauge("dirigent_run", [(labels, 1)])
        yield _gauge("dirigent_started_timestamp_seconds", [((), heartbeat.started_at_ms / 1000)])

    def _of_prices(self) -> Iterator[Metric]:
        metrics = self.run.engine.state.metrics
        yield _counter("dirigent_ticks", [((), metrics.ticks)])
        yield _counter("dirigent_bad_ticks", [((), metrics.bad_ticks)])
        yield _histogram("dirigent_tick_seconds", {"": metrics.tick_latency}, _TICK_EDGES_NS)
        yield from self._of_feeds("dirigent_feed_ticks", _counter, self._ticks_of, sum)
        yield from self._of_feeds("dirigent_feed_age_seconds", _gauge, self._age_s_of, max)

    def _of_feeds(
        self,
        name: str,
        family: Family,
        value_of: Callable[[str], float],
        sum_up: Callable[[list[float]], float],
    ) -> Iterator[Metric]:
        """One family in several parts: made at once for a thousand symbols it would stall the ticks."""
        symbols = self.run.engine.symbols
        for first in range(0, min(len(symbols), SYMBOLS_MAX), PART):
            part = symbols[first : min(first + PART, SYMBOLS_MAX)]
            yield family(name, [((symbol,), value_of(symbol)) for symbol in part])
        if len(symbols) > SYMBOLS_MAX:
            yield family(name, [(("other",), sum_up([value_of(symbol) for symbol in symbols[SYMBOLS_MAX:]]))])

    def _ticks_of(self, symbol: str) -> int:
        return self.run.engine.market.market(symbol).samples - self.samples_before.get(symbol, 0)

    def _age_s_of(self, symbol: str) -> float:
        seen_at_ms = max(self.run.engine.market.market(symbol).at_ms, self.run.heartbeat.started_at_ms)
        return max(self.run.clock.now_ms() - seen_at_ms, 0) / 1000

    def _of_decisions(self) -> Iterator[Metric]:
        state = self.run.engine.state
        taken: Counter[tuple[str, int]] = Counter()
        for key, count in self.instruments.moves.items():
            taken[key[0], row_number(key)] += count
        yield _counter(
            "dirigent_transitions",
            [
                ((table.name, str(number), row.source, row.event, row.target), taken[table.name, number])
                for table in TABLES
                for number, row in enumerate(table.rows, 1)
                if taken[table.name, number]
            ],
        )
        yield _counter("dirigent_anomalies", [((), state.metrics.anomalies)])
        yield _gauge("dirigent_subjects", list(self._subjects()))
        yield _counter("dirigent_refusals", list(self.instruments.refusals.items()))
        yield _gauge("dirigent_mailbox_depth", [((kind,), n) for kind, n in state.waiting.items()])

    def _subjects(self) -> Iterator[Labelled]:
        working = self.run.engine.state.working
        living: dict[str, Sequence[Record]] = {
            "pair": list(working.pairs.values()),
            "position": list(working.positions.values()),
            "order": list(working.orders.values()),
            "permission": list(working.permissions.values()),
        }
        for table in TABLES:
            counts = Counter(record.state for record in living[table.name])
            for state in table.states:
                if not state.final:
                    yield (table.name, state.name), counts[state.name]

    def _of_orders(self) -> Iterator[Metric]:
        instruments = self.instruments
        yield _histogram(
            "dirigent_order_request_seconds", dict(sorted(instruments.requests.items())), _WAIT_EDGES_NS
        )
        yield _counter("dirigent_order_requests", sorted(instruments.outcomes.items()))
        yield _gauge("dirigent_effects_under_way", [((), self.run.engine.state.effects_under_way)])
        reconciler = self.run.reconciler
        yield _gauge("dirigent_differences", [((), len(reconciler.last_plan.differences))])
        compared_at_ms = reconciler.reconciled_at_ms or self.run.heartbeat.started_at_ms
        yield _gauge(
            "dirigent_compared_age_seconds", [((), (self.run.clock.now_ms() - compared_at_ms) / 1000)]
        )

    def _of_the_store(self) -> Iterator[Metric]:
        instruments, path = self.instruments, Path(self.run.settings.database)
        yield _histogram("dirigent_commit_seconds", {"": instruments.commits}, _WAIT_EDGES_NS)
        yield _counter("dirigent_commits_failed", [((), instruments.commits_failed)])
        yield _gauge("dirigent_store_faulty", [((), bool(self.run.engine.state.store_fault))])
        yield _gauge("dirigent_database_bytes", [((), process.size_bytes(path))])
        yield _gauge("dirigent_wal_bytes", [((), process.size_bytes(wal_path(path)))])

    def _of_money(self) -> Iterator[Metric]:
        """Here alone Decimals become floats: a scraper knows no other number."""
        engine = self.run.engine
        currency = (next(map(quote_of, engine.symbols), ""),)
        equity, commitments = engine.risk.equity(), engine.state.commitments
        started = engine.state.facts.get("day_start_equity")
        yield _gauge("dirigent_equity", [(currency, float(equity))])
        yield _gauge("dirigent_day_start_equity", [(currency, float(started or equity))])
        yield _gauge("dirigent_exposure", [(currency, float(commitments.exposure))])
        yield _gauge("dirigent_reserved", [(currency, float(commitments.reserved))])

    def _of_the_process(self) -> Iterator[Metric]:
        yield _histogram("dirigent_loop_lag_seconds", {"": self.instruments.loop_lag}, _WAIT_EDGES_NS)
        yield _gauge("dirigent_memory_resident_bytes", [((), process.resident_bytes())])
        yield _counter("dirigent_cpu_seconds", [((), process.cpu_s())])
        yield _gauge("dirigent_scrape_seconds", [((), self.instruments.scrape_s)])


def _gauge(name: str, values: Sequence[Labelled]) -> Metric:
    described = BY_NAME[name]
    family = GaugeMetricFamily(name, described.meaning, labels=described.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def _counter(name: str, values: Sequence[Labelled]) -> Metric:
    described = BY_NAME[name]
    family = CounterMetricFamily(name, described.meaning, labels=described.labels)
    for labels, value in values:
        family.add_metric(labels, value)
    return family


def _histogram(name: str, of: dict[str, LatencyHistogram], edges_ns: Sequence[int]) -> Metric:
    """By the value of its one label; `""` where it has none."""
    described = BY_NAME[name]
    family = HistogramMetricFamily(name, described.meaning, labels=described.labels)
    for label, histogram in of.items():
        below = histogram.counted_upto(edges_ns)
        buckets = [(f"{edge / 1e9:.9g}", float(count)) for edge, count in zip(edges_ns, below, strict=True)]
        buckets.append(("+Inf", float(sum(histogram.counts))))
        family.add_metric((label,) if label else (), buckets, histogram.total_ns / 1e9)
    return family
