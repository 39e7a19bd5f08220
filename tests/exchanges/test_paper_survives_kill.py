"""A paper exchange whose process is killed at any moment has told nothing that its file does not hold."""

import asyncio
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from fsm.values import ZERO
from services.exchanges.paper import PaperExchange
from services.exchanges.paper_file import audit
from services.messages import OrderStatus
from tests.exchanges.test_paper import FAST, paper
from tests.exchanges.venues import SYMBOL, StillClock, order

RICH = replace(FAST, balances={"USDT": Decimal(100_000), "ADA": Decimal(100_000)})
ROOT = Path(__file__).parents[2]


async def trade_for_ever(path: str) -> None:
    """Buys, sells, rests and cancels; says each outcome only after the exchange did."""
    exchange = PaperExchange(path, symbols=[SYMBOL], settings=RICH, clock=StillClock())
    await exchange.open()
    began = len(audit(path).orders)
    for number in range(began, 1_000_000):
        price = (await exchange.watch_ticker(SYMBOL))["bid"]
        side = "buy" if number % 2 else "sell"
        limit = None if number % 3 else price
        report = await exchange.create_order(order(side, "15", limit, id_=f"k{number}"))
        print(report.client_order_id, report.status, report.filled, flush=True)
        if report.status is OrderStatus.OPEN and number % 2:
            cancelled = await exchange.cancel_order(report.client_order_id, SYMBOL)
            print(cancelled.client_order_id, cancelled.status, cancelled.filled, flush=True)


def run_until_killed(path: Path, lines: int) -> list[str]:
    """What the process had said when it was killed, at some moment after so many lines."""
    program = [sys.executable, "-m", "tests.exchanges.test_paper_survives_kill", str(path)]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        told += process.stdout.readlines()
    assert process.returncode == -9
    return [line for line in told if line.endswith("\n")]


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_the_book_holds_everything_that_was_told_when_the_process_is_killed(
    tmp_path: Path, seed: int
) -> None:
    path, random = tmp_path / "x.sqlite", Random(seed)
    told: list[str] = []
    for _ in range(2):
        told += run_until_killed(path, random.randint(5, 120))
    book = audit(path)
    assert book.differences() == []
    ids = [found.client_order_id for found in book.orders]
    assert len(set(ids)) == len(ids)
    final = {line.split()[0]: line.split()[1:] for line in told}
    in_book = {found.client_order_id: found for found in book.orders}
    for id_, (status, filled) in final.items():
        held = in_book[id_]
        assert held.filled >= Decimal(filled)
        assert status == OrderStatus.OPEN or str(held.status) == status
    assert len(set(in_book) - set(final)) <= 2
    assert any(found.filled > ZERO for found in book.orders)

    resumed = paper(path)
    await resumed.open()
    assert await resumed.fetch_balance() == book.balances
    await resumed.watch_ticker(SYMBOL)
    await resumed.close()
    assert audit(path).differences() == []


if __name__ == "__main__":
    asyncio.run(trade_for_ever(sys.argv[1]))
