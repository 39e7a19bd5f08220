"""What a rehearsal exchange remembers from one start to the next: its account, its orders, its prices."""

import os
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from dirigent.rehearsal.placed_order import PlacedOrder
from services.exchanges.matching import Numbers
from services.exchanges.price_point import PricePoint
from services.messages import Balance

FORM = 1


class BadState(ValueError):
    """The file is not used; the message names it, and says why and what to do."""


@dataclass(frozen=True, slots=True)
class State:
    start: dict[str, Decimal]
    """The balances at the very first start."""
    balances: dict[str, Balance]
    numbers: Numbers
    orders: list[PlacedOrder]
    points: dict[str, PricePoint]
    walks: dict[str, dict[str, Any]]
    """Of each synthetic market, what decides its further prices."""
    form: int = FORM


def read_state(file: Path) -> State | None:
    """None when there is no such file yet. Raises BadState."""
    try:
        state = msgspec.json.decode(file.read_bytes(), type=State)
    except FileNotFoundError:
        if os.access(file.parent, os.W_OK):
            return None
        raise BadState(f"{file} cannot be written; name a place in a folder that can be written to") from None
    except OSError as error:
        raise BadState(f"{file} cannot be read ({error.strerror}); name another file") from None
    except msgspec.DecodeError as error:
        raise BadState(
            f"{file} is not the state of a rehearsal exchange ({error}); name another file, or move it away"
        ) from None
    if state.form != FORM:
        raise BadState(f"{file} was written in form {state.form}, and {FORM} is read; move it away")
    return state


def write_state(file: Path, state: State) -> None:
    """The old file stands until the new one is whole."""
    new = file.with_name(f"{file.name}.new")
    new.write_bytes(msgspec.json.encode(state))
    new.replace(file)
