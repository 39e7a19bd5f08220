"""reload: what changes at once, what waits and is named, and that a mistake changes nothing."""

from decimal import Decimal
from pathlib import Path

from persistence.commands import Answer
from tests.steering.cockpit import BTC, CONFIGURATION, ETH, LTC, Cockpit, cockpit

LTC_TOO = '[[pairs]]\nsymbol = "LTC/USDT"\nstrategy = "external"\n'


async def reloaded(held: Cockpit, configuration: str) -> Answer:
    (held.store.path.parent / "dirigent.toml").write_text(configuration, encoding="utf-8")
    return await held.command("reload")


async def test_limits_rules_and_logging_change_at_once(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        changed = (
            CONFIGURATION.replace('"0.1"', '"0.2"')
            + '[risk]\nmax_open_deals = 1\n[logging]\nlevel = "DEBUG"\n'
        )
        answer = await reloaded(held, changed)
        assert answer.words == (
            "changed: risk.max_open_deals 10 -> 1, logging.level INFO -> DEBUG, ETH/USDT.stop_loss 0.1 -> 0.2"
        )
        assert [settings.logging.level for settings in held.logged] == ["DEBUG"]
        await held.tick(BTC, "100")
        await held.tick(ETH, "10")
        assert await held.buy(BTC, "one")
        assert not await held.buy(ETH, "two"), "the new limit holds"
        assert (await reloaded(held, changed)).words == "nothing differs from what runs"


async def test_an_open_deal_keeps_its_rules_and_the_next_has_the_new_ones(tmp_path: Path) -> None:
    deep = CONFIGURATION.replace('strategy = "external"\n', 'strategy = "external"\nmax_deals = 2\n')
    async with cockpit(tmp_path, deep) as held:
        await held.tick(ETH, "10")
        await held.buy(ETH, "one")
        await held.tick(ETH, "10")
        await reloaded(held, deep.replace('"0.1"', '"0.5"'))
        await held.buy(ETH, "two")
        await held.tick(ETH, "10")
        assert [position.state for position in held.positions(ETH)] == ["open", "open"]
        await held.tick(ETH, "8.5")
        assert [position.signal_id for position in held.positions(ETH)] == ["two"]


async def test_strategies_change_at_a_sample_boundary_and_are_journaled(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        changed = CONFIGURATION.replace('strategy = "external"', 'strategy = "sma_cross"', 1)
        assert (await reloaded(held, changed)).words == f"changed: {BTC}.strategy external -> sma_cross"
        assert '"sma_cross"' in held.engine.state.working.pairs[BTC].strategy
        more = changed.replace('"sma_cross"', '"sma_cross"\nparams = { fast = 3, slow = 9 }')
        assert (await reloaded(held, more)).words == (
            f"changed: {BTC}.strategy (parameters or weights of sma_cross)"
        )
        (weighted,) = held.engine.signals.strategies_of(BTC)
        assert weighted.strategy.params == {"fast": 3, "slow": 9}


async def test_what_waits_for_a_restart_is_named_each_time_and_stays(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        changed = CONFIGURATION.replace(
            'strategy = "external"', 'strategy = "external"\nsignal_expires_s = 7', 1
        )
        changed = 'database = "other.sqlite"\n' + changed + "[paper]\nseed = 9\n"
        for _ in range(2):
            answer = await reloaded(held, changed)
            assert answer.words == f"waits for a restart: {BTC}.signal_expires_s, database, paper"
        assert held.engine.risk.rules[BTC].signal_expires_s == 30


async def test_pairs_come_and_go_with_the_configuration(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        answer = await reloaded(held, CONFIGURATION + LTC_TOO)
        assert answer.words == f"changed: pair {LTC} added"
        await held.tick(LTC, "80")
        assert await held.buy(LTC, "one")
        answer = await reloaded(held, CONFIGURATION)
        assert answer.words == f"changed: pair {LTC} removed"
        assert LTC in held.engine.symbols, "it has a deal to leave"
        assert not await held.buy(LTC, "two")
        await held.command("force-exit", id="all")
        await held.settle()
        await held.obey()
        assert held.engine.symbols == [BTC, ETH]


async def test_what_commands_did_to_the_pairs_stays(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        section = {"symbol": LTC, "deal_quota": "42"}
        await held.command("pairs-add", pairs=[section])
        await held.command("pairs-remove", symbol=ETH)
        assert (await held.command("reload")).words == "nothing differs from what runs"
        assert held.engine.risk.rules[LTC].deal_quota == Decimal(42)
        assert held.engine.symbols == [BTC, LTC]


async def test_a_configuration_with_a_mistake_changes_nothing(tmp_path: Path) -> None:
    async with cockpit(tmp_path) as held:
        answer = await reloaded(held, CONFIGURATION + "[risk]\nmax_open_deals = 1\nmax_sprat = 2\n")
        assert answer.outcome == "refused"
        assert answer.words.startswith("nothing was changed: ")
        assert "did you mean 'max_spread'?" in answer.words
        assert held.engine.risk.limits.max_open_deals == 10
