"""Ids of a table that nothing but this process has filled: an id that is not among them is not in the table."""

from typing import Generic, TypeVar

Id = TypeVar("Id")
LIMIT = 200_000
"""Ids held at most; beyond it the table is asked."""


class RecentIds(Generic[Id]):
    """Answers without asking the database, for as long as it knows every id there is."""

    __slots__ = ("_ids", "_is_complete")

    def __init__(self, *, is_complete: bool) -> None:
        """`is_complete`: the table is empty, and each of its ids will be told to `add`."""
        self._is_complete = is_complete
        self._ids: set[Id] = set()

    def add(self, one: Id) -> None:
        if self._is_complete:
            self._ids.add(one)
            if len(self._ids) > LIMIT:
                self._is_complete = False
                self._ids.clear()

    def has(self, one: Id) -> bool | None:
        """None when only the table knows."""
        return one in self._ids if self._is_complete else None
