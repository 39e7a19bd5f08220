"""Records, fills and journal columns as SQLite values: the one place where Decimals become text and back."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from operator import attrgetter
from typing import Any, Generic, TypeVar, get_args, get_type_hints

import msgspec

from fsm.records import field_names
from fsm.values import Verdict

T = TypeVar("T")
Value = str | int | None
"""What a column holds. A Decimal is its exact text, trailing zeros and the sign of a zero included."""


@dataclass(frozen=True, slots=True)
class Column:
    """One stored field, as its annotation says."""

    name: str
    sql_type: str
    is_decimal: bool
    is_nullable: bool


class Codec(Generic[T]):
    """One dataclass as rows of one table. The columns are its fields, in their order."""

    def __init__(self, kind: type[T]) -> None:
        self.kind = kind
        self.names = field_names(kind)
        hints = get_type_hints(kind)
        self.columns = tuple(_column(name, hints[name]) for name in self.names)
        self._values = attrgetter(*self.names)
        texts = [i for i, c in enumerate(self.columns) if c.sql_type == "TEXT" and not c.is_decimal]
        self._texts = attrgetter(*[self.names[i] for i in texts])
        self._texts_at = tuple(texts)
        money = [column.name for column in self.columns if column.is_decimal]
        self._money = attrgetter(*money, *money[:1]) if money else _nothing_of
        self._decimals = tuple(i for i, column in enumerate(self.columns) if column.is_decimal)
        self._decimal_names = frozenset(column.name for column in self.columns if column.is_decimal)

    def encode(self, subject: T) -> list[Value]:
        """Raises TypeError when a field that holds money is anything but a Decimal."""
        values = list(self._values(subject))
        if not is_storable("".join(filter(None, self._texts(subject)))):
            values = [storable(value) if isinstance(value, str) else value for value in values]
        for i in self._texts_at:
            value = values[i]
            if type(value) is not str and isinstance(value, str):
                # An enumeration's member costs SQLite a search for an adapter.
                values[i] = str(value)
        for i in self._decimals:
            value = values[i]
            if value is not None:
                values[i] = str(value) if type(value) is Decimal else text_of(value)
        return values

    def check_money(self, subject: T) -> None:
        """Raises what `encode` would, without encoding."""
        if not _MONEY.issuperset(map(type, self._money(subject))):
            self.encode(subject)

    def decode(self, row: Sequence[Any]) -> T:
        values = list(row)
        for i in self._decimals:
            value = values[i]
            if value is not None:
                values[i] = Decimal(value)
        return self.kind(*values)

    def restore(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """Stored values with their types. A field that the type no longer has stays as it is."""
        return {
            name: Decimal(value) if value is not None and name in self._decimal_names else value
            for name, value in stored.items()
        }

    def are_same(self, stored: Mapping[str, Any], other: Mapping[str, Any]) -> str | None:
        """The first field of `stored` whose value differs in `other`; None when there is none.

        Money is compared as a number: a change from 1.0 to 1.00 is no change.
        """
        for name, value in stored.items():
            twin = other.get(name)
            if value != twin and not (name in self._decimal_names and _are_equal(value, twin)):
                return name
        return None


_MONEY = frozenset({Decimal, type(None)})


def _nothing_of(_: Any) -> tuple[Any, ...]:
    return ()


def _column(name: str, annotation: Any) -> Column:
    parts = get_args(annotation) or (annotation,)
    bare = next(part for part in parts if part is not type(None))
    sql_type = {str: "TEXT", int: "INTEGER", Decimal: "TEXT"}[bare]
    return Column(name, sql_type, bare is Decimal, type(None) in parts)


def _are_equal(text: str | None, other: str | None) -> bool:
    """A text that is no number, which only tampering leaves behind, equals nothing."""
    try:
        return text is not None and other is not None and Decimal(text) == Decimal(other)
    except InvalidOperation:
        return False


def text_of(number: Decimal) -> str:
    """The exact text of a Decimal. Raises TypeError for anything else: a float has lost digits already."""
    if type(number) is not Decimal:
        raise TypeError(f"money must be a Decimal, not {type(number).__name__}: {number!r}")
    return str(number)


_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def is_storable(text: str) -> bool:
    """Whether UTF-8 has every character, and none is NUL, at which much that reads a text takes it to end."""
    if "\0" in text:
        return False
    return text.isascii() or _UNSTORABLE.search(text) is None


def storable(text: str) -> str:
    """U+FFFD in the place of each NUL and lone surrogate: an exchange's words are kept, not refused."""
    return text if is_storable(text) else _UNSTORABLE.sub("\ufffd", text)


_encode = msgspec.json.Encoder(decimal_format="string").encode
_words_of = attrgetter("guard", "holds", "because")
_encode_loose = json.JSONEncoder(separators=(",", ":"), default=text_of).encode


def verdicts_to_json(verdicts: Sequence[Verdict]) -> str:
    """`[[guard, holds, because], ...]`."""
    return _to_json([*map(_words_of, verdicts)]) if verdicts else "[]"


def _to_json(value: Any) -> str:
    try:
        encoded = _encode(value)
    except UnicodeEncodeError:
        return _encode(_all_storable(value)).decode()
    if b"\\u0000" in encoded:
        return _encode(_all_storable(value)).decode()
    return encoded.decode()


changes_to_json: Callable[[Mapping[str, Any]], str] = _to_json
"""Changed fields as stored; Decimals as text, whose type the record's annotations restore."""


def _all_storable(value: Any) -> Any:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {name: _all_storable(one) for name, one in value.items()}
    return [_all_storable(one) for one in value] if isinstance(value, list | tuple) else value


def verdicts_from_json(text: str) -> list[dict[str, Any]]:
    return [
        {"guard": guard, "holds": holds, "because": because} for guard, holds, because in json.loads(text)
    ]


def heartbeat_to_json(heartbeat: Mapping[str, Any]) -> str:
    """For people only; figures that have no value yet may be NaN."""
    return _encode_loose(heartbeat)
