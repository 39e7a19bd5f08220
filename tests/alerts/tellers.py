"""Tellers over a staged engine, and a listener that they tell."""

import asyncio
from collections.abc import Callable
from typing import Any

from dirigent.alerts.channels import Channel, open_channels
from dirigent.alerts.telling import Teller
from tests.alerts.listeners import Listener
from tests.monitoring.stage import Stage


def channel_to(listener: Listener, patience_s: float = 10) -> Channel:
    unusable: list[str] = []
    (channel,) = open_channels([listener.url], unusable.append, patience_s)
    assert unusable == []
    return channel


async def teller_to(listener: Listener, stage: Stage, patience_s: float = 10) -> Teller:
    teller = Teller(stage, stage.settings.alerts, channel_to(listener, patience_s))
    await teller.recall()
    return teller


async def pass_group(stage: Stage, teller: Teller) -> None:
    """What was seen is old enough to be told."""
    await teller.step()
    stage.wait(float(stage.settings.alerts.group_s))
    await teller.step()


def places(stage: Stage) -> list[str]:
    return [name for name in stage.engine.state.facts if name.startswith("alerts:")]


async def until(holds: Callable[[], bool], stage: Stage | None = None) -> None:
    """The world goes on in real time, and with it the stage's clock."""
    while not holds():
        await asyncio.sleep(0.02)
        if stage is not None:
            stage.wait(0.02)


def alerts(**others: Any) -> dict[str, Any]:
    return {"group_s": 5, "daily_summary_at": "off", **others}
