"""What Coinbase answers over REST: the story's order and its trade, and a ticker."""

from tests.exchanges.ccxt_exchange.shapes.story import NAME

ORDER = {
    "order_id": "0000-000000-000000",
    "product_id": "BTC-USDT",
    "user_id": "2222-000000-000000",
    "order_configuration": {
        "limit_limit_gtc": {"base_size": "0.5", "limit_price": "100", "post_only": False}
    },
    "side": "BUY",
    "client_order_id": NAME,
    "status": "OPEN",
    "time_in_force": "GOOD_UNTIL_CANCELLED",
    "created_time": "2023-11-14T22:13:20.334Z",
    "completion_percentage": "40",
    "filled_size": "0.2",
    "average_filled_price": "99.5",
    "fee": "",
    "number_of_fills": "1",
    "filled_value": "19.9",
    "pending_cancel": False,
    "size_in_quote": False,
    "total_fees": "0.0398",
    "size_inclusive_of_fees": False,
    "total_value_after_fees": "19.9398",
    "trigger_status": "INVALID_ORDER_TYPE",
    "order_type": "LIMIT",
    "reject_reason": "REJECT_REASON_UNSPECIFIED",
    "settled": False,
    "product_type": "SPOT",
    "reject_message": "",
    "cancel_message": "",
}
TRADE = {
    "entry_id": "22222-2222222-22222222",
    "trade_id": "1111-11111-111111",
    "order_id": "0000-000000-000000",
    "trade_time": "2023-11-14T22:13:20.600Z",
    "trade_type": "FILL",
    "price": "99.5",
    "size": "0.2",
    "commission": "0.0398",
    "product_id": "BTC-USDT",
    "sequence_timestamp": "2023-11-14T22:13:20.600Z",
    "liquidity_indicator": "MAKER",
    "size_in_quote": False,
    "user_id": "2222-000000-000000",
    "side": "BUY",
}
TICKER = {
    "trades": [
        {
            "trade_id": "518078013",
            "product_id": "BTC-USDT",
            "price": "100.05",
            "size": "0.016",
            "time": "2023-11-14T22:13:20.600Z",
            "side": "BUY",
            "bid": "",
            "ask": "",
        }
    ],
    "best_bid": "100",
    "best_ask": "100.1",
}
