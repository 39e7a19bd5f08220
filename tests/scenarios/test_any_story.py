"""Whatever a market and an unreliable exchange come up with, the books agree afterwards."""

from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.scenarios.telling import tell

_HEADERS = st.fixed_dictionaries(
    {
        "order type": st.sampled_from(("market", "limit")),
        "fee in": st.sampled_from(("quote", "base")),
        "spread": st.sampled_from(("0 %", "0.5 %")),
        "max deals": st.sampled_from(("1", "3")),
        "take profit": st.sampled_from(("off", "3 %")),
        "stop loss": st.sampled_from(("off", "4 %")),
        "trailing stop": st.sampled_from(("off", "2 %")),
        "max hold": st.sampled_from(("off", "20 s")),
        "entry max age": st.sampled_from(("3 s", "60 s")),
        "cooldown": st.sampled_from(("0 s", "5 s")),
        "deal quota": st.sampled_from(("7 USDT", "100 USDT")),
    }
)
_HAPPENINGS = st.one_of(
    st.decimals(Decimal(80), Decimal(120), places=1).map(lambda price: f"gap to {price}"),
    st.integers(1, 4).map(lambda count: f"stay for {count} ticks"),
    st.sampled_from(("0", "0.03", "0.2", "0.9")).map(lambda amount: f"thin book {amount}"),
    st.sampled_from(
        (
            "buy signal",
            "buy signal",
            "buy signal",
            "sell signal",
            "deep book",
            "frozen for 4 s",
            "frozen for 70 s",
            "reject the next order",
            "lose the next order",
            "lose the next answer",
            "restart",
        )
    ),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(_HEADERS, st.lists(_HAPPENINGS, min_size=5, max_size=25))
async def test_any_story_leaves_whole_books(headers: dict[str, str], happenings: list[str]) -> None:
    """The last minutes are quiet, so that every question about an order is asked and answered."""
    lines = [
        "Anything may happen.",
        *(f"{name}: {value}" for name, value in headers.items()),
        "start at 100",
        *happenings,
        "deep book",
        "stay for 3 ticks",
        "frozen for 3 min",
        "an order may stay",
        "then the engine's permission is active",
        "then the pair's permission is active",
    ]
    with TemporaryDirectory() as directory:
        path = Path(directory) / "story.txt"
        path.write_text("\n".join(lines))
        await tell(path, Path(directory))
