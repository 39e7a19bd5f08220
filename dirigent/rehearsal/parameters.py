"""The parameters of one request: text by name, read with the refusals that Binance gives for bad ones."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from dirigent.rehearsal.api_error import ApiError, illegal, missing

_NUMBER = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
_CLIENT_ID = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
_DECIMALS_MAX = 8


class Parameters:
    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values

    def optional(self, name: str) -> str | None:
        return self.values.get(name) or None

    def required(self, name: str) -> str:
        value = self.values.get(name)
        if not value:
            raise missing(name)
        return value

    def integer(self, name: str, default: int | None = None) -> int | None:
        value = self.optional(name)
        if value is None:
            return default
        if not re.fullmatch(r"[0-9]{1,20}", value):
            raise illegal(name, "^[0-9]{1,20}$")
        return int(value)

    def limit(self, default: int, most: int) -> int:
        """How many rows are wanted, at most `most`."""
        wanted = self.integer("limit", default) or default
        return min(wanted, most)

    def decimal(self, name: str) -> Decimal | None:
        """A plain number with at most eight decimals; None when it was not sent."""
        value = self.optional(name)
        if value is None:
            return None
        if not re.fullmatch(_NUMBER, value):
            raise illegal(name, _NUMBER)
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise illegal(name, _NUMBER) from None
        if len(value.partition(".")[2].rstrip("0")) > _DECIMALS_MAX:
            raise ApiError(-1111, f"Parameter '{name}' has too much precision.")
        return number

    def client_id(self, name: str) -> str | None:
        value = self.optional(name)
        if value is not None and not re.fullmatch(_CLIENT_ID, value):
            raise illegal(name, _CLIENT_ID)
        return value
