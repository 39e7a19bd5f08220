"""A replay handles mail when it comes; through the event loop's turns the same recording tells the same."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from benchmarks.series import write_bars
from dirigent import replaying
from dirigent.configuration.sections import PairSection, StrategyChoice
from dirigent.configuration.settings import Settings
from dirigent.wiring import Parts

BARS = 4_000


def test_a_replay_at_once_is_the_replay_through_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = tmp_path / "bars.csv"
    write_bars(recording, BARS)
    choice = StrategyChoice(name="sma_cross", weight=1, params={"fast": 2, "slow": 5})
    pair = PairSection(
        symbol="BTC/USDT", strategy=(choice,), order_type="limit", max_deals=2, trailing_stop=Decimal("0.01")
    )
    settings = Settings(pairs=(pair,))

    def told() -> dict[str, object]:
        replaying.run(settings, [str(recording)], as_json=True)
        report: dict[str, object] = json.loads(capsys.readouterr().out)
        del report["seconds"], report["ticks_per_s"]
        return report

    at_once = told()
    monkeypatch.setattr(replaying, "Parts", lambda *given, **_: Parts(*given))
    assert told() == at_once
    assert isinstance(at_once["deals"], int)
    assert at_once["deals"] > 20
