"""The questions are answered while the real engine trades, and their memory outlasts its death."""

from pathlib import Path
from typing import Any

from dirigent.proofs.death.configurations import SYMBOLS, Market, restless
from dirigent.proofs.death.daemons import Daemon, Place, trading, wait_until


def refused(place: Place, symbol: str) -> dict[str, int]:
    """By guard, how often it refused in all."""
    answer: Any = place.document("why", symbol)
    return {row["guard"]: row["refused_in_all"] for row in answer["guards"] if row["refused_in_all"]}


def test_why_explain_and_state_answer_beside_a_trading_engine(tmp_path: Path) -> None:
    configuration = restless(Market(), SYMBOLS[:2]).replace("max_open_deals = 20", "max_open_deals = 1")
    place = Place.make(tmp_path, configuration)
    with trading(place) as daemon:
        wait_until(
            lambda: any(p["closed_at"] for p in place.document("positions")),
            lambda: "no deal ended",
            daemon.process,
        )
        wait_until(
            lambda: any("max_open_deals" in refused(place, symbol) for symbol in SYMBOLS[:2]),
            lambda: "nothing was refused",
            daemon.process,
        )
        answer = place.document("why", SYMBOLS[0])
        assert answer["engine"]["running"] is True
        assert {row["guard"] for row in answer["guards"]} > {"max_open_deals", "max_spread", "balance"}
        ended = next(p for p in place.document("positions") if p["closed_at"])
        story = place.document("explain", ended["id"])
        assert story["money"]["adds_up"] is True
        assert story["money"]["profit"] == ended["realized_pnl"]
        past = place.document("state", "--at", str(story["events"][0]["seq"] - 1))
        assert ended["id"] not in [position["id"] for position in past["positions"]]
        before = [refused(place, symbol).get("max_open_deals", 0) for symbol in SYMBOLS[:2]]
        daemon.kill()
    with Daemon(place) as second:
        second.wait_until_trading()
        after = [refused(place, symbol).get("max_open_deals", 0) for symbol in SYMBOLS[:2]]
        assert sum(after) >= sum(before) > 0
        assert second.stop() == 0, second.said
