"""Watching strategies' files: one that is saved is swapped in, as if a person had asked for it."""

import asyncio
from pathlib import Path

from loguru import logger

from dirigent import strategies_from_files
from dirigent.configuration.sections import StrategyChoice
from dirigent.swapping.swaps import Swaps, made
from services.strategies import catalogue
from services.strategies.base import StrategyError
from services.swapping import Terms
from services.tasks import end_tasks

LOOK_S = 0.5
"""The pause between two looks. A file counts as saved when two looks find it the same."""

_Signature = tuple[int, int, int]


class Watcher:
    """Remembers what it saw of each file, and which content it has tried for which pair."""

    def __init__(self, swaps: Swaps) -> None:
        self._swaps = swaps
        self._seen: dict[Path, _Signature] = {}
        self._sources: dict[Path, tuple[_Signature, str]] = {}
        self._tried: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def keep(self) -> None:
        """Watches until it is cancelled."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(LOOK_S)
        finally:
            await end_tasks(self._tasks)

    async def look(self) -> list[str]:
        """Begins the swaps of the pairs whose file was saved; returns those pairs."""
        signals = self._swaps.engine.signals
        begun = []
        for symbol in self._swaps.engine.symbols:
            configured = self._swaps.configured(symbol)
            watched = [choice for choice in configured if choice.watch]
            if not watched or signals.panel(symbol).chosen:
                continue  # what a person swapped in by command stays, whatever is saved
            sources = {choice.name: self._source_of(choice) for choice in watched}
            running = {seat.file: seat.identity["source"] for seat in signals.panel(symbol).seats}
            if None in sources.values() or set(sources.values()) <= set(running.values()):
                continue
            content = " ".join(str(source) for source in sources.values())
            if self._tried.get(symbol) == content:
                continue
            self._tried[symbol] = content
            begun.append(symbol)
            task = asyncio.create_task(self._swap(symbol, configured, watched))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return begun

    def _source_of(self, choice: StrategyChoice) -> str | None:
        """The hash of the file as it is saved; None while it changes, or cannot be read."""
        path = strategies_from_files.path_of(choice.name)
        try:
            found = path.stat()
            signature = (found.st_mtime_ns, found.st_size, found.st_ino)
            before = self._seen.get(path)
            self._seen[path] = signature
            if before != signature:
                return None
            known = self._sources.get(path)
            if known is None or known[0] != signature:
                known = self._sources[path] = (signature, catalogue.short_hash(path.read_bytes()))
        except OSError:
            self._seen.pop(path, None)
            return None
        return known[1]

    async def _swap(
        self, symbol: str, configured: tuple[StrategyChoice, ...], watched: list[StrategyChoice]
    ) -> None:
        names = ", ".join(strategies_from_files.path_of(choice.name).name for choice in watched)
        terms = Terms(
            shadow_samples=self._swaps.terms.shadow_samples,
            probation_samples=self._swaps.terms.probation_samples,
            by=f"saving {names}",
        )
        try:
            weighted = made(configured)
        except StrategyError as error:
            await self._swaps.swapper.refuse(symbol, terms, str(error))
            return
        await self._swaps.swapper.swap(symbol, weighted, terms)
        logger.bind(event="watched_swap_ended", symbol=symbol).debug("watched_swap_ended")
