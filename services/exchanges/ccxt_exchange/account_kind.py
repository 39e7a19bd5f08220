"""Which kind of account the keys belong to, where an exchange has several: learnt once, before the first order.

ccxt finds out by itself, in the midst of the first order, and takes a lost answer for "the usual kind" for good.
"""

from typing import Any

from loguru import logger

from services.exchanges.ccxt_exchange import library
from services.exchanges.ccxt_exchange.questions import Questions
from services.messages import QueryFailed


async def learn_account_kind(exchange: Any, questions: Questions) -> dict[str, Any]:
    """The options that ccxt would have set; none where there is nothing to learn. Raises QueryFailed."""
    try:
        return await _learn(exchange, questions)
    except QueryFailed as fault:
        if not isinstance(fault.__cause__, library.errors().ExchangeError):
            raise  # nobody answered: a guess would hold for the whole run
        logger.bind(event="account_kind_not_told", error=str(fault)).warning("account_kind_not_told")
        return {"uta": False} if exchange.id == "bitget" else {}


async def _learn(exchange: Any, questions: Questions) -> dict[str, Any]:
    question, options = "kind of account", exchange.options
    if exchange.id == "bybit":
        await questions.ask(question, exchange.is_unified_enabled)
        names = ("enableUnifiedMargin", "enableUnifiedAccount", "unifiedMarginStatus")
        return {name: options[name] for name in names if name in options}
    if exchange.id == "kucoin" and options.get("uta") is None:
        return {"uta": bool(await questions.ask(question, exchange.is_uta_enabled))}
    if exchange.id == "gate" and options.get("unifiedAccount") is None:
        answer = await questions.ask(question, exchange.privateAccountGetDetail)
        return {"unifiedAccount": str((answer.get("key") or {}).get("mode")) == "2"}
    if exchange.id == "bitget" and options.get("uta") is None:
        await questions.ask(question, exchange.privateUtaGetV3AccountSettings)
        return {"uta": True}
    return {}
