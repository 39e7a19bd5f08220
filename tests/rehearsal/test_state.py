"""With a state file the account, its orders and the prices go on where an earlier exchange left them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner

from dirigent.command_line import main
from dirigent.rehearsal.audit import faults_in_the_books, order_list
from dirigent.rehearsal.placed_order import NewOrder
from dirigent.rehearsal.server import Rehearsal
from dirigent.rehearsal.state_file import BadState
from tests.rehearsal.clients import MARKET, still

_AMOUNT = Decimal("0.01")


@asynccontextmanager
async def _served(file: Path) -> AsyncIterator[Rehearsal]:
    async with Rehearsal(still(state=file, fee_coin="BNB")) as server:
        yield server


def _order(client_order_id: str, price: str | None = None) -> NewOrder:
    kind = "MARKET" if price is None else "LIMIT"
    limit = None if price is None else Decimal(price)
    return NewOrder(MARKET, "buy", kind, "GTC", client_order_id, _AMOUNT, limit)


async def test_everything_goes_on_where_it_was(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    async with _served(file) as first:
        first.venue.place(_order("filled1"))
        first.venue.place(_order("rests1", "64000"))
        first.venue.tick(MARKET)
        books = first.audit()
        orders = order_list(first.venue.desk)
        point = first.venue.desk.point(MARKET)
        first.venue.save()
        next_points = [first.venue.markets.next_point(MARKET) for _ in range(5)]
        file.rename(tmp_path / "kept.json")
    (tmp_path / "kept.json").rename(file)
    async with _served(file) as second:
        desk = second.venue.desk
        assert order_list(desk) == orders
        assert second.audit()["balances"] == books["balances"]
        assert desk.point(MARKET) == point
        assert [second.venue.markets.next_point(MARKET) for _ in range(5)] == next_points
        second.venue.move_to(MARKET, Decimal(63_900))
        found = desk.find(MARKET, None, "rests1")
        assert found is not None
        assert found.status == "FILLED"
        third = second.venue.place(_order("filled2"))
        assert third.number == max(order["order_id"] for order in orders) + 1
        assert len({fill.id for order in desk.orders.values() for fill in order.fills}) == 3
        assert faults_in_the_books(desk) == []


async def test_it_is_saved_at_the_end(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    async with _served(file) as first:
        first.venue.place(_order("filled1"))
    async with _served(file) as second:
        assert "filled1" in second.venue.desk.by_client_id


async def test_a_market_that_has_orders_must_be_listed(tmp_path: Path) -> None:
    file = tmp_path / "state.json"
    async with _served(file) as first:
        first.venue.place(_order("filled1"))
    with pytest.raises(BadState, match="has orders in BTC/USDT; list that market"):
        Rehearsal(still(state=file, symbols=("ETH/USDT",)))


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"form": 1', "not JSON"])
def test_a_file_that_is_no_state_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    file = tmp_path / "other.json"
    file.write_text(text, encoding="utf-8")
    result = CliRunner().invoke(main, ["exchange", "--port", "0", "--state", str(file)])
    assert result.exit_code == 2
    assert "is not the state of a rehearsal exchange" in result.output
    assert file.read_text(encoding="utf-8") == text


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(main, ["exchange", "--port", "0", "--state", str(tmp_path / "no" / "state")])
    assert result.exit_code == 2
    assert "name a place in a folder that can be written to" in result.output
