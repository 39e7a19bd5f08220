"""What the tests of aggregation share: a clock, an archive, and a service of one symbol over them."""

from fsm.records import OrderRecord, PositionRecord
from services.market_data_analyzer import MarketDataAnalyzer
from services.signal_aggregation import SignalAggregationService, WeightedStrategy
from services.strategies.catalogue import create

NOW_MS = 1_700_000_000_000
PAIR = "BTC/USDT"


class HandClock:
    def now_ms(self) -> int:
        return NOW_MS


class HandArchive:
    def __init__(self, *offered: str) -> None:
        self.offered = set(offered)

    def find_order(self, client_order_id: str) -> OrderRecord | None:
        return None

    def find_position(self, position_id: str) -> PositionRecord | None:
        return None

    def has_fill(self, symbol: str, fill_id: str) -> bool:
        return False

    def signal_was_offered(self, signal_id: str) -> bool:
        return signal_id in self.offered


def service_of(
    *weighted: WeightedStrategy, threshold: float = 0.5, offered: str = ""
) -> SignalAggregationService:
    analyzer = MarketDataAnalyzer(HandClock(), volatility_period=5)
    analyzer.add_symbol(PAIR)
    service = SignalAggregationService(analyzer, HandArchive(offered), threshold=threshold)
    service.configure(PAIR, weighted or [WeightedStrategy(create("external"))], expires_ms=30_000)
    return service
