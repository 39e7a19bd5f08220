"""What the account held of each quote currency beyond the positions' earnings, as the store's facts keep it."""

import json
from collections.abc import Mapping
from decimal import Decimal

BASELINES = "quote_baselines"
"""The name of that fact."""


def baselines_in(facts: Mapping[str, str]) -> dict[str, Decimal]:
    return {quote: Decimal(text) for quote, text in json.loads(facts.get(BASELINES, "{}")).items()}


def write_baselines(baselines: Mapping[str, Decimal]) -> str:
    return json.dumps(
        {quote: str(amount) for quote, amount in sorted(baselines.items())}, separators=(",", ":")
    )
