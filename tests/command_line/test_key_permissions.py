"""What each exchange tells of a key, read; and told to people."""

from typing import Any

import pytest

from dirigent.doctor.permissions import READERS, Permissions, UnreadableAnswer, read, told

TOLD: dict[str, tuple[dict[str, Any], Permissions]] = {
    "binance": (
        {
            "ipRestrict": False,
            "enableWithdrawals": True,
            "enableSpotAndMarginTrading": True,
            "enableReading": True,
        },
        Permissions(True, True, False),
    ),
    "bybit": (
        {
            "retCode": 0,
            "result": {
                "readOnly": 0,
                "permissions": {"Spot": ["SpotTrade"], "Wallet": ["AccountTransfer", "Withdraw"]},
                "ips": ["*"],
            },
        },
        Permissions(True, True, False),
    ),
    "okx": (
        {"code": "0", "data": [{"perm": "read_only,trade", "ip": "192.0.2.7"}]},
        Permissions(False, True, True),
    ),
    "kucoin": (
        {"code": "200000", "data": {"permission": "General,Spot,Withdrawal", "ipWhitelist": ""}},
        Permissions(True, True, False),
    ),
    "coinbase": (
        {"can_view": True, "can_trade": False, "can_transfer": False},
        Permissions(False, False, None),
    ),
    "kraken": (
        {"error": [], "result": {"permissions": ["query-funds", "withdraw-funds"]}},
        Permissions(True, None, None),
    ),
}


@pytest.mark.parametrize("exchange_id", sorted(READERS))
def test_each_exchange_s_word_on_a_key_is_read(exchange_id: str) -> None:
    answer, expected = TOLD[exchange_id]
    assert read(exchange_id, answer) == expected


@pytest.mark.parametrize("exchange_id", sorted(READERS))
def test_an_answer_in_another_form_is_untold_and_not_guessed(exchange_id: str) -> None:
    answers: tuple[object, ...] = ({}, [], None, {"result": None, "data": []})
    for answer in answers:
        with pytest.raises(UnreadableAnswer):
            read(exchange_id, answer)


def test_permissions_are_told_with_what_is_not_known() -> None:
    assert told(Permissions(True, None, False)) == "trades: not told, withdraws: yes, bound to addresses: no"
