"""Swaps of the real engine: by command, by saving the file, over a death, and of one that never comes back."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fsm.commit import StoreError
from persistence import queries
from tests.command_line.running import COMMAND, ROOT
from tests.strategies.files import that_first, written

PATIENCE_S = 20.0
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


@contextmanager
def daemon(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    log = (folder / "log.txt").open("ab")
    began_ms = time.time() * 1000
    process = subprocess.Popen(
        [*COMMAND, "trade"],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        stdout=log,
        stderr=log,
    )
    try:
        until(lambda: _ticks(folder, began_ms) > 30, "it trades", process)
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def until(holds: Callable[[], Any], what: str, process: "subprocess.Popen[bytes] | None" = None) -> None:
    ends_at_s = time.monotonic() + PATIENCE_S
    while not holds():
        assert process is None or process.poll() is None, f"the engine ended before {what}"
        assert time.monotonic() < ends_at_s, f"it took too long until {what}"
        time.sleep(0.05)


def _ticks(folder: Path, since_ms: float) -> int:
    """Of the engine that was started since then, as far as it has said."""
    try:
        status = queries.status(folder / "engine.sqlite")
    except StoreError:  # the file is in the making
        return 0
    return int(status["ticks"]) if (status.get("started_at_ms") or 0) >= since_ms else 0


def dirigent(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dirigent.command_line", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def running(database: Path, symbol: str) -> dict[str, Any]:
    (pair,) = [row for row in queries.pairs(database) if row["symbol"] == symbol]
    (strategy,) = json.loads(pair["strategy"] or "[{}]")
    return {**strategy, "permission": pair["permission"]}


def notes(database: Path, symbol: str) -> list[str]:
    rows = queries.journal(database, symbol)
    return [str(row["note"]) for row in rows if row["event"] == "configured" and row["note"]]


def test_a_swap_by_command_outlives_a_restart_until_the_configuration_changes(tmp_path: Path) -> None:
    database = configured(tmp_path)
    with daemon(tmp_path) as process:
        for name, words in (("./gone.py", "gone.py: no such file"), ("sma_cros", "did you mean sma_cross?")):
            refused = dirigent(tmp_path, "strategy", "swap", "ETH/USDT", name)
            assert refused.returncode == 2, refused.stdout
            assert words in refused.stderr
        asked = dirigent(tmp_path, "strategy", "swap", "ETH/USDT", "./mine.py", "--params", "period=9")
        assert asked.returncode == 0, asked.stderr
        assert "on trial for 20 prices" in asked.stdout
        until(lambda: running(database, "ETH/USDT")["name"] == "mine", "the swap", process)
        assert running(database, "ETH/USDT")["params"]["period"] == 9
        listed = json.loads(dirigent(tmp_path, "strategy", "list", "--json").stdout)
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
        assert dirigent(tmp_path, "strategy", "swap", "ETH/USDT", "./mine.py").returncode == 0
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
