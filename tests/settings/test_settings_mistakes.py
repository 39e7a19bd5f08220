"""Every mistake in a configuration is told with its place, its value and the way out."""

from pathlib import Path
from typing import Any

import pytest

from dirigent.configuration.problems import Problem, SettingsError
from dirigent.configuration.settings import load_settings
from tests.settings.writing import PAIR, written


def problems_of(
    files: list[Path], environment: dict[str, str] | None = None, overrides: dict[str, Any] | None = None
) -> list[Problem]:
    with pytest.raises(SettingsError) as caught:
        load_settings(files, overrides, environment or {})
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "key", "value", "message", "remedy"),
    [
        # an unknown key, with the nearest one
        ("databse = 'x'", "databse", '"x"', "unknown key", "did you mean 'database'?"),
        ("[risk]\nmax_deals = 3", "risk.max_deals", "3", "unknown key", "did you mean 'max_open_deals'?"),
        (PAIR + "cooldown = 3", "pairs[1].cooldown", "3", "unknown key", "did you mean 'cooldown_s'?"),
        ("[zzz]\nqqq = 1", "zzz", "", "unknown key", "choose one of alerts, database"),
        # a wrong type
        ("[risk]\nmax_open_deals = 'many'", "risk.max_open_deals", '"many"', "valid integer", "deals open"),
        ("[risk]\nmax_open_deals = true", "risk.max_open_deals", "true", "not a number", "without quotes"),
        ("[risk]\nstale_after_s = nan", "risk.stale_after_s", "nan", "finite", "seconds after which"),
        ("risk = 3", "risk", "3", "not a table", "[risk]"),
        ("pairs = 3", "pairs", "3", "not a list", "[[pairs]]"),
        ("database = 3", "database", "3", "valid string", "memory"),
        (
            PAIR + "deal_quota = 'ten'",
            "pairs[1].deal_quota",
            '"ten"',
            "not a plain decimal",
            "digits in quotes",
        ),
        (
            PAIR + "deal_quota = '1e3'",
            "pairs[1].deal_quota",
            '"1e3"',
            "not a plain decimal",
            "digits in quotes",
        ),
        (
            PAIR + "deal_quota = 'NaN'",
            "pairs[1].deal_quota",
            '"NaN"',
            "not a plain decimal",
            "digits in quotes",
        ),
        (
            PAIR + "deal_quota = true",
            "pairs[1].deal_quota",
            "true",
            "not a decimal number",
            "digits in quotes",
        ),
        # money as a binary fraction
        (PAIR + "deal_quota = 10.5", "pairs[1].deal_quota", "10.5", "not exact", 'in quotes: "10.5"'),
        ("[paper]\nfee = 0.001", "paper.fee", "0.001", "not exact", 'in quotes: "0.001"'),
        ("[paper.balances]\nUSDT = 1.5", "paper.balances.USDT", "1.5", "not exact", 'in quotes: "1.5"'),
        # a value out of range
        (PAIR + "deal_quota = 0", "pairs[1].deal_quota", "0", "greater than 0", "quote currency"),
        (PAIR + "stop_loss = '1'", "pairs[1].stop_loss", '"1"', "less than 1", "fraction below"),
        (PAIR + "max_deals = 0", "pairs[1].max_deals", "0", "greater than or equal to 1", "deals open"),
        (PAIR + "cooldown_s = -1", "pairs[1].cooldown_s", "-1", "greater than or equal to 0", "seconds"),
        (
            "[paper]\nlatency_ms_min = 50\nlatency_ms_max = 9",
            "paper.latency_ms_min",
            "50",
            "latency_ms_max, which is 9",
            "at most",
        ),
        ("pairs = []", "pairs", "", "empty", "at least one"),
        # a choice that is none
        ("mode = 'real'", "mode", '"real"', "not one of", "'paper' or 'live'"),
        (PAIR + "order_type = 'stop'", "pairs[1].order_type", '"stop"', "not one of", "'market' or 'limit'"),
        ("[logging]\nrotation = 'often'", "logging.rotation", '"often"', "not a size", '"10 MB"'),
        ("[logging]\nretention = 'ages'", "logging.retention", '"ages"', "not a length of time", '"10 days"'),
        # a symbol
        ("[[pairs]]\nsymbol = 'btc-usdt'", "pairs[1].symbol", '"btc-usdt"', "BASE/QUOTE", '"BTC/USDT"'),
        ("[[pairs]]\nsymbol = 'BTC/USDT:USDT'", "pairs[1].symbol", '"BTC/USDT:USDT"', "spot", '"BTC/USDT"'),
        ("[[pairs]]\nsymbol = 'BTC/BTC'", "pairs[1].symbol", '"BTC/BTC"', "same currency", "two currencies"),
        ("[[pairs]]\nsymbol = 5", "pairs[1].symbol", "5", "is text", "in quotes"),
        ("[[pairs]]\nmax_deals = 1", "pairs[1].symbol", "", "missing", "BASE/QUOTE"),
        (PAIR + PAIR, "pairs[2].symbol", '"BTC/USDT"', "pairs[1] trades it already", "keep one"),
        (
            PAIR + '[[pairs]]\nsymbol = "ETH/EUR"',
            "pairs[2].symbol",
            '"ETH/EUR"',
            "a second quote currency: the pairs before it are in USDT",
            "trade it in USDT",
        ),
        # a strategy
        (
            '[[pairs]]\nsymbol = "BTC/USDT"\nstrategy = "sma_cros"',
            "pairs[1].strategy",
            '"sma_cros"',
            "no such strategy",
            "did you mean 'sma_cross'?",
        ),
        (
            '[[pairs]]\nsymbol = "BTC/USDT"\nstrategy = [{ name = "macd" }, { name = "smacross" }]',
            "pairs[1].strategy[2].name",
            '"smacross"',
            "no such strategy",
            "did you mean 'sma_cross'?",
        ),
        (PAIR + "params = { fastt = 2 }", "pairs[1].params.fastt", "2", "fastt", "correct the parameter"),
        (PAIR + "params = { fast = 'x' }", "pairs[1].params.fast", '"x"', "fast", "correct the parameter"),
        (
            '[[pairs]]\nsymbol = "BTC/USDT"\nstrategy = [{ name = "macd", params = { slow = -1 } }]',
            "pairs[1].strategy[1].params.slow",
            "-1",
            "slow",
            "correct the parameter",
        ),
        (
            '[[pairs]]\nsymbol = "BTC/USDT"\nstrategy = [{ name = "macd" }]\nparams = { fast = 3 }',
            "pairs[1].params",
            "",
            "without the one strategy",
            "into the list",
        ),
        ("[[pairs]]\nsymbol = 'BTC/USDT'\nstrategy = []", "pairs[1].strategy", "", "empty", "at least one"),
        # live
        ("mode = 'live'\n" + PAIR, "exchange.id", "", "no real exchange", "ccxt id"),
        ("mode = 'live'\n[exchange]\nid = 'kraken'", "pairs", "", "no pairs", "[[pairs]]"),
    ],
)
def test_a_mistake_is_told_with_file_key_value_and_remedy(
    tmp_path: Path, text: str, key: str, value: str, message: str, remedy: str
) -> None:
    path = written(tmp_path, text)
    (problem,) = problems_of([path])
    assert (problem.key, problem.value) == (key, value)
    assert message in problem.message
    assert remedy in problem.remedy
    assert problem.file == str(path)


def test_all_problems_are_told_at_once_each_with_its_own_file(tmp_path: Path) -> None:
    first = written(tmp_path, "[risk]\nmax_deals = 1\n[paper]\nfee = 0.1\n", "1.toml")
    second = written(
        tmp_path,
        '[[pairs]]\nsymbol = "BTC/USDT"\ndeal_quota = 1.0\n[[pairs]]\nsymbol = "ETH/EUR"\n',
        "2.toml",
    )
    problems = problems_of([first, second, tmp_path / "3.toml"], {"DIRIGENT_MODE": "both"})
    assert {(Path(problem.file).name, problem.key) for problem in problems} == {
        ("1.toml", "risk.max_deals"),
        ("1.toml", "paper.fee"),
        ("2.toml", "pairs[1].deal_quota"),
        ("2.toml", "pairs[2].symbol"),
        ("3.toml", ""),
        ("DIRIGENT_MODE", "mode"),
    }


def test_the_last_file_that_wrote_a_value_is_the_one_blamed(tmp_path: Path) -> None:
    good = written(tmp_path, "[risk]\nmax_open_deals = 5\n", "good.toml")
    bad = written(tmp_path, "[risk]\nmax_open_deals = 0\n", "bad.toml")
    assert [problem.file for problem in problems_of([good, bad])] == [str(bad)]
    assert load_settings([bad, good], environment={}).risk.max_open_deals == 5


@pytest.mark.parametrize(
    ("variable", "value", "key", "message", "remedy"),
    [
        ("DIRIGENT_RISK__MAX_DEALS", "3", "", "unknown variable", "DIRIGENT_RISK__MAX_OPEN_DEALS"),
        ("DIRIGENT_DATABSE", "x", "", "unknown variable", "DIRIGENT_DATABASE"),
        ("DIRIGENT_ZZZ__QQQ", "x", "", "unknown variable", "did you mean DIRIGENT_"),
        ("DIRIGENT_A_LONG_NAME_LIKE_NO_OTHER", "x", "", "unknown variable", "choose one of DIRIGENT_MODE"),
        ("DIRIGENT_DATABASE__NAME", "x", "database", "no setting below", "set DIRIGENT_DATABASE itself"),
        ("DIRIGENT_PAIRS", "BTC/USDT", "pairs", "not JSON", "as JSON"),
        ("DIRIGENT_RISK", "3", "risk", "not a table", "[risk]"),
        ("DIRIGENT_RISK__MAX_OPEN_DEALS", "0", "risk.max_open_deals", "greater than", "deals open"),
        ("DIRIGENT_PAPER__BALANCES", '{"USDT": 1.5}', "paper.balances.USDT", "not exact", "in quotes"),
        ("DIRIGENT_PAIRS", '[{"symbol": "x"}]', "pairs[1].symbol", "BASE/QUOTE", "BTC/USDT"),
    ],
)
def test_a_mistake_in_the_environment_names_the_variable(
    variable: str, value: str, key: str, message: str, remedy: str
) -> None:
    (problem,) = problems_of([], {variable: value})
    assert (problem.file, problem.key) == (variable, key)
    assert message in problem.message
    assert remedy in problem.remedy


def test_a_mistake_in_a_flag_names_the_command_line() -> None:
    (problem,) = problems_of([], overrides={"database": ""})
    assert (problem.file, problem.key) == ("command line", "database")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"mode = \n", "not TOML: Invalid value (at line 1, column 8)"),
        (b'mode = "p\xff"\n', "not UTF-8 text at byte 9"),
        (None, "no such file"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_its_fault(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "dirigent.toml"
    if content is not None:
        path.write_bytes(content)
    (problem,) = problems_of([path])
    assert (problem.file, problem.message) == (str(path), message)
    assert problem.remedy


def test_a_directory_is_no_file(tmp_path: Path) -> None:
    (problem,) = problems_of([tmp_path])
    assert "directory" in problem.message


def test_a_problem_never_shows_a_secret(tmp_path: Path) -> None:
    path = written(tmp_path, '[exchange]\nid = "kraken"\napiKey = "hunter2hunter2"\n')
    (problem,) = problems_of([path])
    assert problem.key == "exchange.apiKey"
    assert "hunter2" not in str(problem)
