"""A command is carried out once: whatever fails, dies, repeats itself or comes too late."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dirigent.steering.plans import Plan, Result
from fsm.commit import CommitBatch, StoreConflict, StoreError
from persistence import commands, journal_queries, queries
from persistence.commands import Command, inbox_path
from persistence.store import SqliteStore
from persistence.verification import verify
from services.strategies.budget import StrategyHung
from services.turns.turn import Turn
from tests.steering.cockpit import BTC, START_MS, Cockpit, cockpit, give


def rows(database: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT kind, outcome FROM commands ORDER BY rowid").fetchall()


def events(database: Path, name: str) -> int:
    return sum(entry["event"] == name for entry in journal_queries.entries(database))


async def test_a_command_is_not_carried_out_again_after_a_restart(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        await held.tick(BTC, "100")
        await held.command("force-enter", symbol=BTC)
        await held.settle()
        await held.command("force-exit", id="all")
        await held.settle()
    for _ in range(2):
        async with cockpit(tmp_path, now_ms=START_MS + 10_000) as held:
            await held.tick(BTC, "100")
            await held.obey()
            await held.settle()
    assert len(queries.positions(tmp_path / "engine.sqlite")) == 1
    assert rows(tmp_path / "engine.sqlite") == [("force-enter", "done"), ("force-exit", "done")]
    assert verify(tmp_path / "engine.sqlite").is_whole


async def test_commands_are_carried_out_in_the_order_in_which_they_were_given(tmp_path: Path) -> None:
    async with cockpit(tmp_path):
        pass
    for kind in ("halt", "resume", "halt", "resume", "stop-entry"):
        give(tmp_path / "engine.sqlite", kind)
    async with cockpit(tmp_path) as held:
        await held.obey()
        assert held.permission("engine") == "exits_only"
    assert [kind for kind, _ in rows(tmp_path / "engine.sqlite")] == [
        "halt", "resume", "halt", "resume", "stop-entry",
    ]  # fmt: skip


async def test_a_command_whose_commit_fails_is_tried_again_and_those_behind_it_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = SqliteStore.commit

    def full(self: SqliteStore, batch: CommitBatch) -> None:
        raise StoreError("the disk is full")

    async with cockpit(tmp_path) as held:
        await held.tick(BTC, "100")
        monkeypatch.setattr(SqliteStore, "commit", full)
        entering = held.give("force-enter", symbol=BTC)
        halting = held.give("halt")
        await held.obey()
        await held.obey()
        assert commands.answer_to(held.store.path, entering.id) is None
        assert held.permission("engine") == "active"
        assert held.engine.state.commitments.deals == 0, "what did not happen holds no money"
        monkeypatch.setattr(SqliteStore, "commit", commit)
        await held.obey()
        await held.settle()
        assert len(held.positions(BTC)) == 1
        assert held.permission("engine") == "halted"
        assert {answer.outcome for one in (entering, halting) if (answer := held_answer(held, one))} == {
            "done"
        }
    assert events(tmp_path / "engine.sqlite", "buy_signalled") == 1


async def test_a_death_while_all_leave_leaves_the_rest_to_the_next_start(tmp_path: Path) -> None:
    symbols = [f"C{number}/USDT" for number in range(30)]
    pairs = "".join(
        f'[[pairs]]\nsymbol = "{symbol}"\nstrategy = "external"\ndeal_quota = "20"\n' for symbol in symbols
    )
    configuration = pairs + "[risk]\nmax_open_deals = 100\n"
    async with cockpit(tmp_path, configuration) as held:
        for symbol in symbols:
            await held.tick(symbol, "1")
            assert await held.buy(symbol, symbol)
        given = held.give("force-exit", id="all")
        commit, died = held.store.commit, StoreError("it died")
        done = 0

        def first_commit_only(batch: CommitBatch) -> None:
            nonlocal done
            if done or not batch.outbox:
                raise died
            done += 1
            commit(batch)

        held.store.commit = first_commit_only  # type: ignore[method-assign]
        await held.obey()
        held.store.commit = commit  # type: ignore[method-assign]
    leaving = events(tmp_path / "engine.sqlite", "exit_triggered")
    assert 0 < leaving < len(symbols)
    async with cockpit(tmp_path, configuration, now_ms=START_MS + 1_000) as held:
        await held.obey()
        await held.settle()
        assert held_answer(held, given) is not None
        assert not held.engine.state.working.positions
    assert events(tmp_path / "engine.sqlite", "exit_triggered") == len(symbols)


def held_answer(held: Cockpit, command: Command) -> commands.Answer | None:
    return commands.answer_to(held.store.path, command.id)


async def test_the_books_take_an_answer_once(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        answered: list[CommitBatch] = []
        commit = held.store.commit

        def kept(batch: CommitBatch) -> None:
            answered.append(batch)
            commit(batch)

        held.store.commit = kept  # type: ignore[method-assign]
        await held.command("halt")
        twice = CommitBatch(commands=answered[-1].commands)
        with pytest.raises(StoreConflict, match="was answered before"):
            commit(twice)


async def test_a_command_that_expired_is_answered_and_changes_nothing(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        given = held.give("halt", life_ms=5)
        held.clock.set(START_MS + 2_005)
        await held.obey()
        answer = held_answer(held, given)
        assert answer is not None
        assert (answer.outcome, answer.words) == (
            "expired",
            "it expired 2 s before the engine could carry it out",
        )
        assert held.permission("engine") == "active"
    assert events(tmp_path / "engine.sqlite", "command_answered") == 1


async def test_a_command_to_a_later_state_of_the_books_or_to_others_is_refused(tmp_path: Path) -> None:
    """As when a backup is put back: what was done after it was made is not done a second time."""
    async with cockpit(tmp_path):
        pass
    backup = (tmp_path / "engine.sqlite").read_bytes()
    async with cockpit(tmp_path) as held:
        await held.tick(BTC, "100")
        await held.command("force-enter", symbol=BTC)
        await held.settle()
    (tmp_path / "engine.sqlite").write_bytes(backup)
    with closing(sqlite3.connect(inbox_path(tmp_path / "engine.sqlite"))) as inbox, inbox:
        inbox.execute("UPDATE inbox SET epoch = 3")
    async with cockpit(tmp_path) as held:
        await held.tick(BTC, "100")
        await held.obey()
        assert held.positions(BTC) == []
    assert rows(tmp_path / "engine.sqlite") == [("force-enter", "refused")]


async def test_a_command_that_nobody_knows_or_that_is_malformed_is_refused(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        assert (await held.command("dance")).words == "this engine knows no command 'dance'"
        malformed = await held.command("force-exit")
        assert (malformed.outcome, malformed.words) == ("refused", "it failed: KeyError: 'id'")


@pytest.mark.parametrize("arguments", ["{", "[]", '"all"'])
async def test_a_command_that_cannot_be_read_is_refused_and_those_after_it_go_on(
    tmp_path: Path, arguments: str
) -> None:
    async with cockpit(tmp_path) as held:
        broken, halting = held.give("resume"), held.give("halt")
        with closing(sqlite3.connect(inbox_path(held.store.path))) as inbox, inbox:
            inbox.execute("UPDATE inbox SET arguments = ? WHERE id = ?", (arguments, broken.id))
        await held.obey()
        answers = [held_answer(held, one) for one in (broken, halting)]
        assert [answer.outcome for answer in answers if answer] == ["refused", "done"]
        assert held.permission("engine") == "halted"


@pytest.mark.parametrize("error", [RuntimeError("a defect"), StrategyHung("it did not answer")])
async def test_a_command_that_cannot_be_prepared_is_refused_and_ends_nothing(
    tmp_path: Path, error: BaseException
) -> None:
    """Not even by a strategy that hangs where a command makes it."""

    async def broken(command: Command) -> Plan:
        raise error

    async with cockpit(tmp_path) as held:
        held.helm.steering.handlers["broken"] = broken
        answer = await held.command("broken")
        assert (answer.outcome, answer.words) == ("refused", f"it failed: {type(error).__name__}: {error}")
        assert (await held.command("halt")).outcome == "done"


async def test_work_that_raises_changes_nothing_and_does_not_stand_in_the_way(tmp_path: Path) -> None:
    async def broken(command: Command) -> Plan:
        def work(turn: Turn) -> Result:
            turn.facts["half"] = "done"
            raise RuntimeError("a defect")

        return Plan(work, BTC)

    async with cockpit(tmp_path) as held:
        held.helm.steering.handlers["broken"] = broken
        answer = await held.command("broken")
        assert (answer.outcome, "half" in held.engine.state.facts) == ("refused", False)
        assert (await held.command("halt")).outcome == "done"
