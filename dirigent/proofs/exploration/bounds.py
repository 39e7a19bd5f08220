"""How far the exploration goes: within these bounds the space is finite."""

from typing import NamedTuple


class Bounds(NamedTuple):
    """Within them the space is finite; everything else about histories is unbounded."""

    intents: int = 1
    """Deals that are under way at once; when one is over the next may begin, without end."""
    crashes: int | None = None
    """Deaths while anything is under way; None: any number."""
    reports: int | None = None
    """How many of an order's last words may still be on their way; None: every word ever said."""
    orders: int = 2
    """Orders of one leg of a deal that are not settled yet."""
    amount: int = 2
    """Units of an entry, each of which fills alone."""
    amount_min: int = 1
    """The least that can be sold."""
    attempts: int = 2
    """Entries of one deal, with those that replace stale ones."""
