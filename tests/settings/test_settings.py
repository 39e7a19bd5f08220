"""The configuration: what it accepts, where each value comes from, and what the services get of it."""

from decimal import Decimal
from pathlib import Path

from dirigent.configuration.sample import sample_configuration
from dirigent.configuration.sections import PairSection
from dirigent.configuration.settings import (
    Settings,
    load_settings,
    pair_rules,
    paper_settings,
    risk_limits,
    strategy_choices,
)
from services.exchanges.paper import PaperSettings
from services.messages import PairRules, RiskLimits
from tests.settings.writing import PAIR, written


def test_without_any_file_the_defaults_are_a_demonstration_on_paper() -> None:
    settings = load_settings([], environment={})
    assert settings == Settings()
    assert (settings.mode, settings.exchange.id) == ("paper", "paper")
    assert list(pair_rules(settings)) == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
    assert all(
        rules.take_profit and rules.stop_loss and rules.exit_on_sell_signal
        for rules in pair_rules(settings).values()
    )


def test_a_pair_that_says_no_more_than_its_symbol_has_the_defaults_of_the_rules(tmp_path: Path) -> None:
    path = written(tmp_path, '[[pairs]]\nsymbol = "BTC/USDT"\n')
    settings = load_settings([path], environment={})
    assert pair_rules(settings) == {"BTC/USDT": PairRules("BTC/USDT")}
    assert risk_limits(settings) == RiskLimits()


def test_every_key_reaches_the_rules_it_names(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        """
[[pairs]]
symbol = "ETH/EUR"
strategy = [{ name = "sma_cross", weight = 2, params = { fast = 3, slow = 9 } }, { name = "macd" }]
deal_quota = "12.50"
max_deals = 2
order_type = "limit"
take_profit = "1.5"
stop_loss = "0.02"
trailing_stop = "0.01"
max_hold_s = 60
exit_on_sell_signal = false
entry_max_age_s = 12.5
entry_max_deviation = "off"
entry_attempts = 1
cooldown_s = 5
max_exposure = 50
signal_expires_s = 4
[risk]
max_open_deals = 3
max_exposure = "500"
max_daily_loss = "20"
stale_after_s = 7
max_spread = "off"
max_price_jump = "0.1"
""",
    )
    settings = load_settings([path], environment={})
    assert pair_rules(settings)["ETH/EUR"] == PairRules(
        symbol="ETH/EUR",
        deal_quota=Decimal("12.50"),
        max_deals=2,
        order_type="limit",
        take_profit=Decimal("1.5"),
        stop_loss=Decimal("0.02"),
        trailing_stop=Decimal("0.01"),
        max_hold_s=60,
        exit_on_sell_signal=False,
        entry_max_age_s=12.5,
        entry_max_deviation=None,
        entry_attempts=1,
        cooldown_s=5,
        max_exposure=Decimal(50),
        signal_expires_s=4,
    )
    assert str(pair_rules(settings)["ETH/EUR"].deal_quota) == "12.50"
    assert risk_limits(settings) == RiskLimits(3, Decimal(500), Decimal(20), 7, None, Decimal("0.1"))
    choices = strategy_choices(settings)["ETH/EUR"]
    assert [(choice.name, choice.weight, choice.params) for choice in choices] == [
        ("sma_cross", 2, {"fast": 3, "slow": 9}),
        ("macd", 1, {}),
    ]


def test_one_strategy_may_stand_by_name_with_its_params_beside_it(tmp_path: Path) -> None:
    path = written(tmp_path, PAIR + "params = { fast = 2, slow = 4 }\n")
    (choice,) = load_settings([path], environment={}).pairs[0].strategy
    assert (choice.name, choice.params) == ("sma_cross", {"fast": 2, "slow": 4})


def test_the_paper_section_reaches_the_paper_exchange(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        '[paper]\nseed = 7\nbalances = { USDT = "50.10" }\nfee = "0.002"\nfee_in = "base"\n'
        "latency_ms_min = 1\nlatency_ms_max = 2\nticks_per_s = 0\n",
    )
    settings = paper_settings(load_settings([path], environment={}))
    assert (settings.seed, settings.balances, settings.fee, settings.fee_in) == (
        7,
        {"USDT": Decimal("50.10")},
        Decimal("0.002"),
        "base",
    )
    assert tuple(settings.latency_ms) == (1, 2)
    assert settings.ticks_per_s == 0


def test_a_flag_wins_over_the_environment_over_a_later_file_over_an_earlier(tmp_path: Path) -> None:
    first = written(
        tmp_path, 'database = "first"\n[risk]\nmax_open_deals = 1\nstale_after_s = 11\n', "1.toml"
    )
    second = written(tmp_path, 'database = "second"\n[risk]\nmax_open_deals = 2\n', "2.toml")
    environment = {"DIRIGENT_DATABASE": "third", "DIRIGENT_RISK__MAX_OPEN_DEALS": "3"}

    both = load_settings([first, second], environment={})
    assert (both.database, both.risk.max_open_deals, both.risk.stale_after_s) == ("second", 2, 11)
    surrounded = load_settings([first, second], environment=environment)
    assert (surrounded.database, surrounded.risk.max_open_deals) == ("third", 3)
    flagged = load_settings([first, second], {"database": "fourth"}, environment)
    assert (flagged.database, flagged.risk.max_open_deals) == ("fourth", 3)


def test_a_later_file_replaces_a_list_and_keeps_the_rest_of_a_table(tmp_path: Path) -> None:
    first = written(tmp_path, PAIR + '[paper]\nseed = 5\nfee = "0.01"\n', "1.toml")
    second = written(tmp_path, '[[pairs]]\nsymbol = "ETH/USDT"\n[paper]\nseed = 6\n', "2.toml")
    settings = load_settings([first, second], environment={})
    assert list(pair_rules(settings)) == ["ETH/USDT"]
    assert (settings.paper.seed, settings.paper.fee) == (6, Decimal("0.01"))


def test_the_environment_sets_tables_and_lists_as_json_and_single_keys_as_text() -> None:
    settings = load_settings(
        environment={
            "DIRIGENT_PAIRS": '[{"symbol": "BTC/EUR", "strategy": "macd", "take_profit": "0.1"}]',
            "DIRIGENT_PAPER__BALANCES": '{"EUR": "100.5"}',
            "DIRIGENT_PAPER__BALANCES__BTC": "2",
            "DIRIGENT_LOGGING__JSON": "true",
            "DIRIGENT_RISK__MAX_SPREAD": "off",
            "DIRIGENT_EXCHANGE__OPTIONS__APIKEY": "from the environment",
            "UNRELATED": "1",
        }
    )
    assert pair_rules(settings)["BTC/EUR"].take_profit == Decimal("0.1")
    assert settings.paper.balances == {"EUR": Decimal("100.5"), "BTC": Decimal(2)}
    assert settings.logging.json_lines is True
    assert settings.risk.max_spread is None
    assert settings.exchange.options == {"apiKey": "from the environment"}


def test_settings_do_not_show_the_options_of_the_exchange(tmp_path: Path) -> None:
    path = written(tmp_path, '[exchange]\nid = "kraken"\noptions = { secret = "hunter2hunter2" }\n')
    assert "hunter2" not in repr(load_settings([path], environment={}))


def test_the_sample_states_every_key_and_gives_the_defaults(tmp_path: Path) -> None:
    path = written(tmp_path, sample_configuration())
    assert load_settings([path], environment={}) == Settings()
    for name in (*PairRules.__dataclass_fields__, *RiskLimits.__dataclass_fields__, "params", "database"):
        assert f"\n{name} = " in sample_configuration()


def test_every_commented_key_of_the_sample_says_what_it_means() -> None:
    in_first_pair = sample_configuration().split("[[pairs]]")[1]
    assert all("# " in line for line in in_first_pair.splitlines() if " = " in line)
    assert set(PairSection.model_fields) <= {line.split(" = ")[0] for line in in_first_pair.splitlines()}


def test_the_defaults_of_the_paper_section_are_those_of_the_paper_exchange() -> None:
    assert paper_settings(Settings()) == PaperSettings()
