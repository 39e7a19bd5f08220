"""A strategy in a file: run once for each content, known to nobody else, and refused with file, line and remedy."""

import gc
import signal
import sys
import time
from pathlib import Path

import pytest

from dirigent.configuration.problems import SettingsError
from dirigent.configuration.settings import load_settings
from dirigent.strategies_from_files import anchored, create, kind_named, tried
from dirigent.swapping.hanging import hanging_strategies_broken_off
from services.strategies.base import StrategyError
from services.strategies.budget import StrategyHung, break_off_if_longer_than, watched
from services.strategies.catalogue import origin_of
from tests.strategies.files import ON_SAMPLE, that_first, written

_HEAD = "from services.strategies.base import Strategy, Parameter\n"


def test_the_same_content_is_run_once_and_a_new_one_again(tmp_path: Path) -> None:
    name = written(tmp_path / "mine.py")
    first = kind_named(name)
    assert kind_named(name) is first
    assert kind_named(name.removesuffix(":Mine")) is first
    written(tmp_path / "mine.py", more="\n# a remark\n")
    second = kind_named(name)
    assert second is not first
    assert origin_of(create(name)).source != origin_of(first()).source
    assert origin_of(create(name)).file == name


def test_it_stays_out_of_the_interpreters_modules(tmp_path: Path) -> None:
    before = set(sys.modules)
    more = "\nfrom dataclasses import dataclass\n\n\n@dataclass\nclass Extra:\n    number: 'int' = 0\n"
    kind_named(written(tmp_path / "mine.py", more=more))
    assert set(sys.modules) - before <= {"ast", "_ast", "services.strategies.purity"}


def test_contents_that_are_no_longer_used_are_forgotten(tmp_path: Path) -> None:
    name = written(tmp_path / "mine.py")
    for number in range(20):
        written(tmp_path / "mine.py", more=f"\nNUMBER = {number}\n")
        tried(name)
    gc.collect()
    kinds = [kind for kind in _subclasses() if kind.__module__.endswith("_mine")]
    assert len([kind for kind in kinds if origin_of(kind()).file == name]) == 1


def _subclasses() -> list[type]:
    from services.strategies.base import Strategy

    return Strategy.__subclasses__()


def test_a_name_is_made_absolute_and_others_stay(tmp_path: Path) -> None:
    assert anchored("./mine.py:Mine", tmp_path) == f"{tmp_path}/mine.py:Mine"
    assert anchored("mine.py", tmp_path) == f"{tmp_path}/mine.py"
    assert anchored("/there/mine.py:Mine", tmp_path) == "/there/mine.py:Mine"
    assert anchored("macd", tmp_path) == "macd"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def f(:\n", "line 1: not Python: "),
        (
            "\n\nimport time\n",
            "line 3: imports time; a strategy asks no clock: the time of the sample is tick.at_ms",
        ),
        ("from pathlib import Path\n", "line 1: imports pathlib; a strategy reads and writes no files"),
        ("from . import other\n", "line 1: imports from beside it; keep the whole strategy in one file"),
        ("import pandas\n", "line 1: imports pandas; it may import abc, array"),
        ("x = 1\nprint(x)\n", "line 2: uses print; say it in the vote's reason"),
        (
            "x = 1\n1 / 0\n",
            "line 2: running it raised ZeroDivisionError: division by zero; correct that line",
        ),
        ("x = 1\n", "it defines no strategy; define a class that inherits from"),
        (_HEAD + "class A(Strategy): ...\n", "A lacks bind, on_sample, samples_needed, why_not; define them"),
        (
            _HEAD + "class A(Strategy):\n    parameters = {'n': Parameter(5, 6, 7)}\n",
            "line 3: running it raised StrategyError: parameter: the default 5 is not a whole number from 6 to 7",
        ),
        ("x = '\x00'\n", "not Python: "),
    ],
)
def test_what_is_wrong_with_a_file_is_told_with_its_line_and_the_remedy(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "bad.py"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(StrategyError) as refusal:
        kind_named(str(path))
    assert str(refusal.value).startswith(str(path))
    assert message in str(refusal.value)


def test_a_file_of_several_needs_a_name(tmp_path: Path) -> None:
    name = written(tmp_path / "mine.py", more="\n\nclass Other(Mine):\n    pass\n")
    with pytest.raises(
        StrategyError, match=r"it defines 2 strategies: Mine, Other; name one, such as mine.py:Mine"
    ):
        kind_named(name.removesuffix(":Mine"))
    assert kind_named(f"{tmp_path}/mine.py:Other").__name__ == "Other"
    with pytest.raises(StrategyError, match=r"it defines no strategy Nobody; it defines Mine, Other"):
        kind_named(f"{tmp_path}/mine.py:Nobody")


def test_a_file_that_is_not_there_is_named_with_how_to_write_one(tmp_path: Path) -> None:
    with pytest.raises(StrategyError, match=r"gone\.py: no such file; write one with: dirigent strategy new"):
        kind_named(f"{tmp_path}/gone.py:Gone")


def test_every_impurity_is_told_at_once(tmp_path: Path) -> None:
    name = written(
        tmp_path / "mine.py",
        that_first("tick.last = 1", "hash('x')", "datetime.now()", "self.__dict__.clear()"),
    )
    with pytest.raises(StrategyError) as refusal:
        kind_named(name)
    for fault in ("changes tick.last", "uses hash", "asks datetime.now", "reaches for __dict__"):
        assert fault in str(refusal.value)


def _configuration(folder: Path, strategy: str) -> Path:
    path = folder / "dirigent.toml"
    path.write_text(f'[[pairs]]\nsymbol = "BTC/USDT"\n{strategy}\n', encoding="utf-8")
    return path


def test_a_configuration_names_it_relative_to_itself(tmp_path: Path) -> None:
    written(tmp_path / "mine.py")
    text = 'strategy = "./mine.py:Mine"\nparams = { period = 7, margin = 0.01 }\nwatch = true'
    (choice,) = load_settings([_configuration(tmp_path, text)], environment={}).pairs[0].strategy
    assert (choice.name, choice.watch) == (f"{tmp_path}/mine.py:Mine", True)
    listed = 'strategy = [{ name = "mine.py", weight = 2 }, { name = "macd" }]'
    one, two = load_settings([_configuration(tmp_path, listed)], environment={}).pairs[0].strategy
    assert (one.name, two.name) == (f"{tmp_path}/mine.py", "macd")


@pytest.mark.parametrize(
    ("strategy", "key", "message"),
    [
        ('strategy = "./gone.py:Gone"', "pairs[1].strategy", "gone.py: no such file"),
        ('strategy = "./bad.py:Bad"', "pairs[1].strategy", "imports time"),
        (
            'strategy = "./mine.py:Mine"\nparams = { perio = 7 }',
            "pairs[1].params.perio",
            "did you mean period?",
        ),
        (
            'strategy = "./mine.py:Mine"\nparams = { margin = 0.9 }',
            "pairs[1].params.margin",
            "from 0.0 to 0.5",
        ),
        ('strategy = "./mine.py:Mine"\nparams = { sells = 1 }', "pairs[1].params.sells", "true or false"),
        ('strategy = "macd"\nwatch = true', "pairs[1].watch", "no file to watch"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_told_with_key_and_remedy(
    tmp_path: Path, strategy: str, key: str, message: str
) -> None:
    written(tmp_path / "mine.py")
    written(tmp_path / "bad.py", ("from typing import Any", "import time\nfrom typing import Any"))
    with pytest.raises(SettingsError) as refusal:
        load_settings([_configuration(tmp_path, strategy)], environment={})
    (problem,) = refusal.value.problems
    assert problem.key == key
    assert message in str(problem)


def test_what_its_bind_cannot_have_is_refused_before_a_start(tmp_path: Path) -> None:
    name = written(tmp_path / "mine.py", ("need(Sma, self", "need(Sma, 0 * self"))
    with pytest.raises(
        StrategyError, match=r"mine\.py, line \d+: Mine\.bind raised ValueError: a period of 0"
    ):
        tried(name)


@pytest.mark.parametrize(
    "hangs",
    [
        ("class Mine(", "while True:\n    pass\n\n\nclass Mine("),
        ("        super().__init__(params)", "        while True:\n            pass"),
        ("        self._average = ", "        while True:\n            pass\n        self._average = "),
    ],
    ids=["file", "init", "bind"],
)
def test_one_that_never_comes_back_is_refused_before_a_start(tmp_path: Path, hangs: tuple[str, str]) -> None:
    written(tmp_path / "mine.py", hangs)
    with pytest.raises(SettingsError, match="it did not answer within 1000 ms; correct that line"):
        load_settings([_configuration(tmp_path, 'strategy = "./mine.py:Mine"')], environment={})


def test_the_watch_over_hanging_strategies_goes_on_around_another() -> None:
    with hanging_strategies_broken_off(0.2):
        with hanging_strategies_broken_off(0.1):
            pass
        with pytest.raises(StrategyHung):
            _run_for_10_s()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_what_was_broken_off_is_not_broken_off_again() -> None:
    """Else a strategy that ends in that very moment would leave the next break to the engine."""
    with watched():
        with pytest.raises(StrategyHung):
            break_off_if_longer_than(-1)
        break_off_if_longer_than(-1)


def _run_for_10_s() -> None:
    ends_at_s = time.monotonic() + 10
    with watched():
        while time.monotonic() < ends_at_s:
            pass


@pytest.mark.parametrize("params", ["", ", params = { fast = 5, slow = 20 }"], ids=["same", "its defaults"])
def test_a_strategy_that_is_listed_twice_is_refused_before_a_start(tmp_path: Path, params: str) -> None:
    strategy = f'strategy = [{{ name = "sma_cross" }}, {{ name = "sma_cross"{params} }}]'
    with pytest.raises(SettingsError) as refusal:
        load_settings([_configuration(tmp_path, strategy)], environment={})
    (problem,) = refusal.value.problems
    assert problem.key == "pairs[1].strategy"
    assert "a strategy is listed twice; give it a larger weight instead" in str(problem)


def test_an_indicator_of_its_own_is_not_shared(tmp_path: Path) -> None:
    own = "\n\nclass Own(Sma):\n    pass\n"
    name = written(tmp_path / "mine.py", ("need(Sma,", "need(Own,"), more=own)
    with pytest.raises(StrategyError, match=r"Own is no indicator of services\.indicators"):
        tried(name)


def test_the_template_has_what_the_tests_change() -> None:
    assert ON_SAMPLE.strip().startswith("def on_sample")
