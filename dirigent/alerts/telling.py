"""The companion that tells people: one task a channel, with what it was told last; trading waits for none."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from loguru import logger

from dirigent.alerts import wording
from dirigent.alerts.channels import Channel, open_channels
from dirigent.alerts.conditions import DAY_MS, last_summary_ms, stale_feeds
from dirigent.alerts.memory import ChannelMemory, Pace, fact_name, from_fact, ready_at_ms
from dirigent.configuration.monitoring_sections import AlertsSection
from dirigent.monitoring.observed import Observed
from fsm.permission import ACTIVE, ENGINE_SUBJECT
from fsm.values import quote_of
from persistence.happenings import day_result, happenings, journal_head
from services.tasks import end_tasks

POLL_S = 1.0
STOP_PATIENCE_S = 0.3
RETRY_S_MIN, RETRY_S_MAX = 5.0, 600.0


async def tell(run: Observed) -> None:
    """Returns at once when no channel is configured; else it never does."""
    section = run.settings.alerts
    if not section.urls:
        return

    def unusable(name: str) -> None:
        logger.bind(event="alert_channel_unusable", channel=name).error("alert_channel_unusable")

    urls = [url.get_secret_value() for url in section.urls]
    channels = await asyncio.to_thread(open_channels, urls, unusable)
    async with asyncio.TaskGroup() as tasks:
        for channel in channels:
            tasks.create_task(Teller(run, section, channel).run_on())


@dataclass(slots=True)
class News:
    """What a channel has not been told yet, and what it knows once it has."""

    counts: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    seq: int = 0
    stale: list[str] = field(default_factory=list)
    summary_at_ms: int = 0
    store_fault: str = ""

    def add(self, kind: str, line: str) -> None:
        self.counts[kind] = self.counts.get(kind, 0) + 1
        self.lines.append(line)

    @property
    def is_urgent(self) -> bool:
        return not wording.URGENT.isdisjoint(self.counts)


class Teller:
    """Tells one channel everything once: after a crash between the telling and the note of it, a second time."""

    def __init__(
        self, run: Observed, section: AlertsSection, channel: Channel, poll_s: float = POLL_S
    ) -> None:
        self._run = run
        self._section = section
        self._channel = channel
        self._poll_s = poll_s
        self._path = Path(run.settings.database)
        self._memory = ChannelMemory(0, 0)
        self._fault_told = ""
        self._since_ms: int | None = None
        """When the oldest of what waits was first seen."""
        self._looked_at = -1
        """The engine's count of transitions at the last look into the journal that found nothing."""
        self.pause_s = 0.0
        self._failures = 0

    async def run_on(self) -> None:
        await self.recall()
        while True:
            step = asyncio.create_task(self.step())
            try:
                await asyncio.shield(step)
            except asyncio.CancelledError:
                await self._end(step)
                raise
            await asyncio.sleep(self.pause_s or self._poll_s)

    async def _end(self, step: asyncio.Task[None]) -> None:
        """A message that is under way at a stop may still be noted as told, and is not told again."""
        await asyncio.wait((step,), timeout=STOP_PATIENCE_S)
        await end_tasks((step,))

    async def recall(self) -> None:
        """A channel that is new is told of what happens from now on."""
        known = from_fact(self._run.engine.state.facts.get(fact_name(self._channel.key)))
        if known is not None:
            self._memory = known
            return
        head = await asyncio.to_thread(journal_head, self._path)
        self._memory = ChannelMemory(head, self._run.clock.now_ms())
        await self._keep(self._memory)

    async def step(self) -> None:
        """Looks once, and tells what may be told by now."""
        self.pause_s = 0.0
        news = await self._look()
        if not news.counts:
            self._since_ms = None
            return
        now_ms = self._run.clock.now_ms()
        self._since_ms = now_ms if self._since_ms is None else self._since_ms
        if not news.is_urgent and now_ms - self._since_ms < self._section.group_s * 1000:
            return
        if now_ms >= ready_at_ms(self._memory.sent_at_ms, now_ms, self._pace(news)):
            await self._tell(news)

    def _pace(self, news: News) -> Pace:
        group_ms = int(self._section.group_s * 1000)
        return Pace(self._section.messages_per_hour, group_ms, news.is_urgent)

    async def _look(self) -> News:
        now_ms, memory, section = self._run.clock.now_ms(), self._memory, self._section
        state = self._run.engine.state
        news = News(seq=memory.seq, stale=memory.stale, summary_at_ms=memory.summary_at_ms)
        news.store_fault = self._fault_told
        if "store_faults" in section.events and bool(state.store_fault) != bool(self._fault_told):
            news.store_fault = state.store_fault
            news.add("store_faults", wording.store_line(now_ms, state.store_fault))
        if "stale_feeds" in section.events:
            self._look_at_feeds(news, now_ms)
        if "daily_summary" in section.events and section.daily_summary_at is not None:
            await self._look_at_the_day(news, last_summary_ms(now_ms, section.daily_summary_at))
        await self._look_into_journal(news)
        return news

    def _look_at_feeds(self, news: News, now_ms: int) -> None:
        limit_s = float(self._section.stale_feed_s)
        if now_ms - self._run.heartbeat.started_at_ms < limit_s * 1000:
            return
        stale = set(stale_feeds(self._run, limit_s))
        known = set(news.stale) & set(self._run.engine.symbols)
        for symbols, are_stale in ((stale - known, True), (known - stale, False)):
            if symbols:
                news.add("stale_feeds", wording.feeds_line(now_ms, symbols, stale=are_stale, limit_s=limit_s))
        news.stale = sorted(stale)

    async def _look_into_journal(self, news: News) -> None:
        """In a thread, where SQLite holds no lock of Python's; not at all while the engine has moved nothing."""
        moved = self._run.engine.state.metrics.transitions
        if moved == self._looked_at:
            return
        found = await asyncio.to_thread(
            happenings, self._path, self._memory.seq, self._section.events, wording.LINES_MAX
        )
        news.seq = found.upto
        if not found.counts:
            self._memory.seq, self._looked_at = found.upto, moved
            return
        for kind, count in found.counts.items():
            news.counts[kind] = news.counts.get(kind, 0) + count
        news.lines += [wording.line(one) for one in sorted(found.first, key=lambda one: one.seq)]

    async def _look_at_the_day(self, news: News, until_ms: int) -> None:
        if until_ms <= self._memory.summary_at_ms:
            return
        run = self._run
        day = await asyncio.to_thread(day_result, self._path, until_ms - DAY_MS, until_ms)
        permissions = run.engine.state.working.permissions.values()
        stopped = [f"{one.scope} {one.state}" for one in permissions if one.state != ACTIVE]
        quote = next(map(quote_of, run.engine.symbols), "")
        news.summary_at_ms = until_ms
        news.add(
            "daily_summary",
            wording.summary_lines(until_ms, day, run.engine.risk.equity(), stopped, quote),
        )

    async def _tell(self, news: News) -> None:
        message = wording.message(self._run.settings.mode, news.counts, news.lines)
        answer = await self._channel.tell(message)
        told = logger.bind(event="alert", channel=self._channel.name, **news.counts)
        if not answer.taken:
            told.bind(event="alert_not_told", reason=answer.reason).warning("alert_not_told")
            self.pause_s = min(RETRY_S_MIN * 2 ** min(self._failures, 10), RETRY_S_MAX)
            self._failures += 1
            return
        told.debug("alert")
        self._failures, self._since_ms, self._fault_told = 0, None, news.store_fault
        memory = ChannelMemory(news.seq, news.summary_at_ms, news.stale, self._memory.sent_at_ms)
        memory.note_sent(self._run.clock.now_ms())
        self._memory = memory
        await self._keep(memory)

    async def _keep(self, memory: ChannelMemory) -> None:
        """A failed commit is no reason to be silent: then a restart tells some of it again."""
        fact = {fact_name(self._channel.key): memory.to_fact()}
        await self._run.engine.orchestrator.transact(ENGINE_SUBJECT, lambda turn: turn.facts.update(fact))
