"""Which kind of account the keys belong to is learnt from an answer, never from the lack of one."""

from typing import Any

import pytest

from services.exchanges.ccxt_exchange.account_kind import learn_account_kind
from services.messages import QueryFailed
from tests.exchanges.ccxt_exchange.scripted import Connected, Reply, exchange
from tests.exchanges.ccxt_exchange.shapes import bitget, bybit, kucoin

BITGET = {"spot": "", "common": "", "uta": ""}
KUCOIN = dict.fromkeys(("public", "private", "uta", "utaV2", "utaPrivate"), "")
BYBIT = dict.fromkeys(("public", "private"), "")


async def learnt(connected: Connected) -> dict[str, Any]:
    connected.calm_down()
    return await learn_account_kind(connected.clients.queries, connected.clients.questions)


async def test_bitgets_unified_account_is_known_by_its_settings() -> None:
    route = "GET /api/v3/account/settings"
    async with exchange("bitget", BITGET) as connected:
        connected.server.on(route, bitget.answer({"uid": "1", "accountMode": "unified"}))
        assert await learnt(connected) == {"uta": True}
        connected.server.on(route, Reply({"code": "40085", "msg": "not a unified account"}, 400))
        assert await learnt(connected) == {"uta": False}
        connected.server.on(route, Reply("oops", 503))
        with pytest.raises(QueryFailed):
            await learnt(connected)


async def test_kucoins_account_mode_is_asked_once() -> None:
    async with exchange("kucoin", KUCOIN) as connected:
        connected.server.on("GET /api/ua/v1/account/mode", Reply("oops", 503))
        with pytest.raises(QueryFailed):
            await learnt(connected)
        connected.server.on("GET /api/ua/v1/account/mode", kucoin.answer({"selfAccountMode": "CLASSIC"}))
        assert await learnt(connected) == {"uta": False}


async def test_bybits_two_questions_make_three_options() -> None:
    async with exchange("bybit", BYBIT) as connected:
        connected.server.on("GET /v5/user/query-api", bybit.answer({"unified": 0, "uta": 1}))
        connected.server.on("GET /v5/account/info", bybit.answer({"unifiedMarginStatus": 5}))
        kind = await learnt(connected)
        assert (kind["enableUnifiedAccount"], kind["enableUnifiedMargin"]) == (True, False)


async def test_what_the_configuration_says_is_not_asked() -> None:
    async with exchange("bitget", BITGET, options={"uta": True}) as connected:
        assert await learnt(connected) == {}
        assert connected.server.heard == []
