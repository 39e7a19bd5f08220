"""Every metric that is exported: its name, its kind, its labels and its meaning, in one table."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True, slots=True)
class Described:
    """One metric. A counter's series ends in `_total`, a histogram's in `_bucket`, `_sum` and `_count`."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    meaning: str

    @property
    def series(self) -> tuple[str, ...]:
        """The names under which a scraper stores it."""
        if self.kind == "counter":
            return (f"{self.name}_total",)
        if self.kind == "histogram":
            return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))
        return (self.name,)


# fmt: off
CATALOGUE = (
    Described("dirigent_run", "gauge", ("mode", "exchange", "version"), "1, labelled with what runs"),
    Described("dirigent_started_timestamp_seconds", "gauge", (), "when this run began, in seconds since 1970"),
    Described("dirigent_ticks", "counter", (), "prices that were taken and decided on"),
    Described("dirigent_bad_ticks", "counter", (), "prices that could not be used"),
    Described("dirigent_tick_seconds", "histogram", (), "from a price's arrival to its decision, commit included"),
    Described("dirigent_feed_ticks", "counter", ("symbol",), "prices that were taken of one symbol"),
    Described("dirigent_feed_age_seconds", "gauge", ("symbol",), "age of the last price, or of the run"),
    Described("dirigent_transitions", "counter", ("machine", "row", "source", "event", "target"), "rows taken"),
    Described("dirigent_anomalies", "counter", (), "events that no row allows"),
    Described("dirigent_subjects", "gauge", ("machine", "state"), "living subjects by state"),
    Described("dirigent_refusals", "counter", ("guard", "check"), "signals turned down, by guard and risk check"),
    Described("dirigent_order_request_seconds", "histogram", ("request",), "from a request to the exchange's answer"),
    Described("dirigent_order_requests", "counter", ("request", "outcome"), "requests answered, refused or lost"),
    Described("dirigent_commit_seconds", "histogram", (), "one commit, on disk where an order waits for it"),
    Described("dirigent_commits_failed", "counter", (), "commits that the store did not take"),
    Described("dirigent_store_faulty", "gauge", (), "1 while the store takes no commit: no order can leave"),
    Described("dirigent_mailbox_depth", "gauge", ("kind",), "mail and news that wait for their turn"),
    Described("dirigent_effects_under_way", "gauge", (), "requests to the exchange that have no answer yet"),
    Described("dirigent_database_bytes", "gauge", (), "size of the database"),
    Described("dirigent_wal_bytes", "gauge", (), "size of its write-ahead log"),
    Described("dirigent_loop_lag_seconds", "histogram", (), "by how much a timer of the event loop was late"),
    Described("dirigent_equity", "gauge", ("currency",), "money and holdings at their last prices"),
    Described("dirigent_day_start_equity", "gauge", ("currency",), "equity with which the day began, UTC"),
    Described("dirigent_exposure", "gauge", ("currency",), "money bound in live deals"),
    Described("dirigent_reserved", "gauge", ("currency",), "the part of it that entries in flight have not spent"),
    Described("dirigent_differences", "gauge", (), "differences from the exchange's books at the last comparison"),
    Described("dirigent_compared_age_seconds", "gauge", (), "time since the last comparison with the exchange's books"),
    Described("dirigent_memory_resident_bytes", "gauge", (), "memory of the process"),
    Described("dirigent_cpu_seconds", "counter", (), "processor time of the process"),
    Described("dirigent_scrape_seconds", "gauge", (), "how long the last scrape took, ticks included"),
)
# fmt: on

BY_NAME = {metric.name: metric for metric in CATALOGUE}
SERIES = frozenset(name for metric in CATALOGUE for name in metric.series)
