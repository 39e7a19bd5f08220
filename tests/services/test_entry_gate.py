"""While the exchange takes no entry none is born; exits go their own way."""

from pathlib import Path

from tests.services.bench import Plan, market_rules, running
from tests.services.desks import ScriptedDesk
from tests.services.reports import closed, trade


class GatedDesk(ScriptedDesk):
    """A desk that says why it would send no entry, as the connector does while its circuit is open."""

    refusal = ""

    def entry_refusal(self) -> str:
        return self.refusal


async def test_an_entry_that_would_not_be_sent_is_refused_before_a_deal_is_born(tmp_path: Path) -> None:
    desk = GatedDesk()
    async with running(tmp_path / "d.sqlite", Plan(desk, market_rules())) as bench:
        desk.refusal = "the exchange is not known to answer: 503"
        await bench.price("10")
        decision = await bench.buy()
        assert not decision.taken
        assert "exchange_takes_entries: the exchange is not known to answer: 503" in decision.because
        assert desk.requests == []
        assert bench.engine.state.last_position_number == 0
        desk.refusal = ""
        assert (await bench.buy()).taken


async def test_an_exit_leaves_though_no_entry_would(tmp_path: Path) -> None:
    desk = GatedDesk()
    async with running(tmp_path / "d.sqlite", Plan(desk, market_rules())) as bench:
        desk.creates.append(lambda of: closed(of, trade("f1", of, "10")))
        await bench.enter()
        desk.refusal = "the exchange is not known to answer: 503"
        await bench.sell()
        assert [request.side for request in desk.requests] == ["buy", "sell"]
