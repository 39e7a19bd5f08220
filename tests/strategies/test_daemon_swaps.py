"""Swaps of the real engine: by command, by saving the file, over a death, and of one that never comes back."""

import json
import time
from pathlib import Path
from typing import Any

from persistence import journal_queries, queries
from tests.command_line.running import spawn
from tests.strategies.daemons import daemon, until
from tests.strategies.files import that_first, written

TABLES = """\
database = "engine.sqlite"
[paper]
ticks_per_s = 100
[strategies]
shadow_samples = {shadow}
[[pairs]]
symbol = "BTC/USDT"
strategy = "./mine.py:Mine"
params = {{ period = 5 }}
watch = true
stop_loss = "0.5"
[[pairs]]
symbol = "ETH/USDT"
strategy = "sma_cross"
stop_loss = "0.5"
"""


def configured(folder: Path, shadow: int = 20) -> Path:
    written(folder / "mine.py")
    (folder / "dirigent.toml").write_text(TABLES.format(shadow=shadow), encoding="utf-8")
    return folder / "engine.sqlite"


def running(database: Path, symbol: str) -> dict[str, Any]:
    (pair,) = [row for row in queries.pairs(database) if row["symbol"] == symbol]
    (strategy,) = json.loads(pair["strategy"] or "[{}]")
    return {**strategy, "permission": pair["permission"]}


def notes(database: Path, symbol: str) -> list[str]:
    rows = journal_queries.entries(database, symbol)
    return [str(row["note"]) for row in rows if row["event"] == "configured" and row["note"]]


def test_a_swap_by_command_outlives_a_restart_until_the_configuration_changes(tmp_path: Path) -> None:
    database = configured(tmp_path)
    with daemon(tmp_path) as process:
        for name, words in (("./gone.py", "gone.py: no such file"), ("sma_cros", "did you mean sma_cross?")):
            refused = spawn("strategy", "swap", "ETH/USDT", name, directory=tmp_path)
            assert refused.returncode == 2, refused.stdout
            assert words in refused.stderr
        asked = spawn("strategy", "swap", "ETH/USDT", "./mine.py", "--params", "period=9", directory=tmp_path)
        assert asked.returncode == 0, asked.stderr
        assert "on trial for 20 prices" in asked.stdout
        until(lambda: running(database, "ETH/USDT")["name"] == "mine", "the swap", process)
        assert running(database, "ETH/USDT")["params"]["period"] == 9
        listed = json.loads(spawn("strategy", "list", "--json", directory=tmp_path).stdout)
        assert [row["strategy"] for row in listed] == ["mine", "mine"]
        process.kill()
    with daemon(tmp_path):
        assert running(database, "ETH/USDT")["name"] == "mine"
        assert len(notes(database, "ETH/USDT")) == 1
    text = (tmp_path / "dirigent.toml").read_text(encoding="utf-8")
    (tmp_path / "dirigent.toml").write_text(text.replace('"sma_cross"', '"macd"'), encoding="utf-8")
    with daemon(tmp_path):
        assert running(database, "ETH/USDT")["name"] == "macd"
        assert "swap_not_kept" in (tmp_path / "log.txt").read_text(encoding="utf-8")
    (tmp_path / "dirigent.toml").write_text(text, encoding="utf-8")
    with daemon(tmp_path):
        assert running(database, "ETH/USDT")["name"] == "sma_cross"


def test_a_trial_that_a_death_cut_short_begins_anew(tmp_path: Path) -> None:
    database = configured(tmp_path, shadow=250)
    with daemon(tmp_path) as process:
        assert spawn("strategy", "swap", "ETH/USDT", "./mine.py", directory=tmp_path).returncode == 0
        assert running(database, "ETH/USDT")["name"] == "sma_cross"
        process.kill()
        process.wait()
    with daemon(tmp_path) as process:
        until(lambda: running(database, "ETH/USDT")["name"] == "mine", "the swap", process)
        assert len(notes(database, "ETH/USDT")) == 1


def test_saving_a_file_swaps_it_in_and_a_broken_one_changes_nothing(tmp_path: Path) -> None:
    database = configured(tmp_path)
    with daemon(tmp_path) as process:
        before = running(database, "BTC/USDT")["source"]
        written(tmp_path / "mine.py", ("import Any", "import Any oops"))
        until(lambda: len(notes(database, "BTC/USDT")) == 1, "the refusal", process)
        assert "not swapped by saving mine.py:" in notes(database, "BTC/USDT")[0]
        assert "mine.py, line 4: not Python" in notes(database, "BTC/USDT")[0]
        assert running(database, "BTC/USDT")["source"] == before
        written(tmp_path / "mine.py", more="\n# better\n")
        until(lambda: running(database, "BTC/USDT")["source"] != before, "the swap", process)
        endless = that_first(f"if tick.at_ms > {int(time.time() * 1000) + 3_000}:", "    while True: pass")
        good = running(database, "BTC/USDT")["source"]
        written(tmp_path / "mine.py", endless)
        until(lambda: "rolled back" in notes(database, "BTC/USDT")[-1], "the rollback", process)
        assert "StrategyHung: it did not answer within 1000 ms" in notes(database, "BTC/USDT")[-1]
        assert running(database, "BTC/USDT")["source"] == good
        assert running(database, "BTC/USDT")["permission"] == "active"
