"""The read commands over a database that the real store wrote."""

import os
import pty
import select
import sqlite3
import subprocess
from pathlib import Path

import pytest

from persistence.store import SqliteStore
from tests.command_line.books import CLOSED, ENTRY, EXIT, OPEN
from tests.command_line.running import COMMAND, ROOT, document, invoke, spawn

READERS = ("status", "pairs", "positions", "orders", "fills", "balance", "journal", "verify")


def test_positions_as_json_have_exact_decimals_rfc3339_times_and_nulls(database: Path) -> None:
    open_, closed = document("positions", "--json", "--db", database)
    assert {
        key: open_[key]
        for key in (
            "id",
            "symbol",
            "state",
            "strategy",
            "quantity",
            "entry_price",
            "exit_price",
            "dust",
            "realized_pnl",
            "opened_at",
            "closed_at",
            "exit_reason",
        )
    } == {
        "id": OPEN,
        "symbol": "BTC/USDT",
        "state": "open",
        "strategy": "sma_cross",
        "quantity": "0.0010",
        "entry_price": "63000.123456789",
        "exit_price": None,
        "dust": "0",
        "realized_pnl": "0",
        "opened_at": "2026-01-01T12:00:00.001Z",
        "closed_at": None,
        "exit_reason": None,
    }
    assert open_["strategy_details"] == [
        {"name": "sma_cross", "params": {"fast": 5, "slow": 20}, "weight": 1}
    ]
    assert (closed["id"], closed["exit_price"], closed["realized_pnl"]) == (CLOSED, "64000", "0.90")
    assert (closed["closed_at"], closed["exit_reason"]) == ("2026-01-01T12:01:00.000Z", "take_profit")


def test_positions_and_orders_can_be_chosen_by_state_and_symbol(database: Path) -> None:
    assert [row["id"] for row in document("positions", "--json", "--state", "open", "--db", database)] == [
        OPEN
    ]
    chosen = document("positions", "--json", "--symbol", "ETH/USDT", "--db", database)
    assert [row["id"] for row in chosen] == [CLOSED]
    working = document("orders", "--json", "--state", "working", "--db", database)
    assert [row["client_order_id"] for row in working] == [EXIT]


def test_orders_as_json_have_the_promised_fields(database: Path) -> None:
    entry, exit_ = document("orders", "--json", "--db", database)
    assert {
        "client_order_id": ENTRY,
        "exchange_order_id": "77",
        "position_id": OPEN,
        "symbol": "BTC/USDT",
        "side": "buy",
        "type": "market",
        "state": "filled",
        "amount": "0.0010",
        "price": None,
        "filled": "0.0010",
        "average": "63000.123456789012345678",
        "fee": "0.063",
    }.items() <= entry.items()
    assert (exit_["exchange_order_id"], exit_["average"]) == (None, None)
    assert exit_["price"] == "63000.123456789012345678"


def test_fills_as_json_have_the_promised_fields(database: Path) -> None:
    assert document("fills", "--json", "--db", database) == [
        {
            "id": "t1",
            "client_order_id": ENTRY,
            "symbol": "BTC/USDT",
            "side": "buy",
            "amount": "0.0010",
            "price": "63000.123456789012345678",
            "fee": "0.063",
            "fee_currency": "USDT",
            "at": "2026-01-01T12:00:00.001Z",
        }
    ]
    assert document("fills", "--json", "--symbol", "ETH/USDT", "--db", database) == []


def test_pairs_as_json_have_the_promised_fields(database: Path) -> None:
    btc, eth = document("pairs", "--json", "--db", database)
    assert (btc["symbol"], btc["state"], btc["strategy"]) == ("BTC/USDT", "idle", "sma_cross")
    assert (btc["last_price"], btc["last_tick_at"]) == ("63100.5", "2026-01-01T12:01:00.000Z")
    assert (eth["last_price"], eth["last_tick_at"], eth["reason"]) == (None, None, None)


def test_status_is_one_object_with_the_promised_fields(database: Path) -> None:
    status = document("status", "--json", "--db", database)
    assert {
        "mode": "paper",
        "exchange": "paper",
        "running": False,
        "pid": None,
        "uptime_s": 61.0,
        "pairs_by_state": {"idle": 2},
        "positions_by_state": {"closed": 1, "open": 1},
        "orders_by_state": {"filled": 1, "working": 1},
        "ticks": 600,
        "ticks_per_s": None,
        "tick_ms_p50": 0.02,
        "tick_ms_p99": None,
        "equity": "10000.90",
    }.items() <= status.items()


def test_the_status_of_a_running_engine_names_its_process(database: Path) -> None:
    with SqliteStore.open(database):
        status = document("status", "--json", "--db", database)
    assert (status["running"], status["pid"]) == (True, os.getpid())


def test_balance_is_one_object_by_currency_in_plain_notation(database: Path) -> None:
    assert document("balance", "--json", "--db", database) == {
        "USDT": {"free": "10000", "used": "0", "total": "10000"}
    }


def test_verify_counts_what_it_compared(database: Path) -> None:
    result = invoke("verify", "--db", database)
    assert result.exit_code == 0
    assert "8 journal entries, 7 subjects, 1 fills" in result.stdout
    assert "not covered: outbox, signals, facts" in result.stdout
    assert result.stdout.endswith("whole\n")


def test_verify_fails_with_the_first_difference(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("UPDATE positions SET quantity = '5' WHERE id = ?", (OPEN,))
    connection.close()
    result = invoke("verify", "--db", database)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"failed: position {OPEN}: quantity")


@pytest.mark.parametrize("name", READERS)
def test_without_a_database_a_reader_is_refused_and_says_what_to_do(name: str, tmp_path: Path) -> None:
    result = invoke(name, "--db", tmp_path / "none.sqlite")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == f"refused: no database at {tmp_path}/none.sqlite; start `dirigent trade` first\n"


@pytest.mark.parametrize("name", READERS)
def test_a_file_that_is_no_database_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database at all" * 100)
    result = invoke(name, "--db", tmp_path / "text")
    assert result.exit_code == 2
    assert "text: it is not a database" in result.stderr


def test_a_damaged_database_is_a_failure_and_no_refusal(database: Path) -> None:
    header = database.read_bytes()[:4096]
    database.write_bytes(header + b"\xff" * (database.stat().st_size - len(header)))
    result = invoke("positions", "--db", database)
    assert result.exit_code == 1
    assert "it is damaged" in result.stderr


@pytest.mark.parametrize("name", READERS)
def test_a_reader_takes_the_database_from_the_configuration(
    name: str, database: Path, tmp_path: Path
) -> None:
    (tmp_path / "dirigent.toml").write_text(f'database = "{database}"\n')
    assert invoke(name).exit_code == 0


def test_with_db_a_reader_needs_no_configuration_not_even_a_good_one(database: Path, tmp_path: Path) -> None:
    (tmp_path / "dirigent.toml").write_text("nonsense")
    assert invoke("positions", "--db", database).exit_code == 0
    refused = invoke("positions")
    assert refused.exit_code == 2
    assert "dirigent.toml: not TOML" in refused.stderr


@pytest.mark.parametrize("name", ["pairs", "positions", "orders", "fills", "balance"])
def test_an_empty_result_says_so_in_words(name: str, tmp_path: Path) -> None:
    with SqliteStore.open(tmp_path / "new.sqlite"):
        result = invoke(name, "--db", tmp_path / "new.sqlite")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("no ")
    assert document(name, "--json", "--db", tmp_path / "new.sqlite") == ({} if name == "balance" else [])


def on_a_terminal(*arguments: str, width: int) -> str:
    """What the command prints when its output is a terminal of this width."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.STDOUT,
        env={**os.environ, "COLUMNS": str(width), "TERM": "xterm"},
    )
    os.close(theirs)
    printed = b""
    while select.select([ours], [], [], 30)[0]:
        try:
            piece = os.read(ours, 65536)
        except OSError:
            break
        if not piece:
            break
        printed += piece
    os.close(ours)
    assert process.wait(timeout=30) == 0
    return printed.decode()


def test_a_wide_terminal_gets_a_table_without_its_empty_columns(database: Path) -> None:
    shown = on_a_terminal("positions", "--state", "open", "--db", str(database), width=160)
    assert "\x1b[" in shown
    assert "2026-01-01 12:00:00Z" in shown
    assert "quantity" in shown
    assert "closed_at" not in shown


def test_a_narrow_terminal_gets_a_block_of_lines_for_each_row(database: Path) -> None:
    shown = on_a_terminal("positions", "--db", str(database), width=60)
    lines = [line.split() for line in shown.splitlines()]
    assert ["id", OPEN] in lines
    assert ["exit_reason", "take_profit"] in lines


def test_live_drawings_count_what_the_store_holds(database: Path, tmp_path: Path) -> None:
    plain = invoke("diagram", "position", "--format", "markdown")
    live = invoke("diagram", "position", "--format", "markdown", "--live", "--db", database)
    assert (plain.exit_code, live.exit_code) == (0, 0)
    assert plain.stdout != live.stdout
    without = spawn("diagram", "--live", directory=tmp_path)
    assert without.returncode == 2
    assert "no database at dirigent.sqlite" in without.stderr
