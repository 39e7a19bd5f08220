"""What the rehearsal exchange answers when it refuses, with the codes of Binance's public error list."""


class ApiError(Exception):
    """A refusal: the exchange's code, its words, and the HTTP status they travel with."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        self.code = code
        self.message = message
        self.status = status
        super().__init__(f"{code} {message}")

    def body(self) -> dict[str, object]:
        return {"code": self.code, "msg": self.message}


def missing(name: str) -> ApiError:
    return ApiError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")


def illegal(name: str, legal: str) -> ApiError:
    return ApiError(-1100, f"Illegal characters found in parameter '{name}'; legal range is '{legal}'.")


def filter_failure(name: str) -> ApiError:
    return ApiError(-1013, f"Filter failure: {name}")


def order_rejected(message: str) -> ApiError:
    return ApiError(-2010, message)


UNKNOWN_SYMBOL = (-1121, "Invalid symbol.")
CANCEL_UNKNOWN = (-2011, "Unknown order sent.")
NO_SUCH_ORDER = (-2013, "Order does not exist.")
DUPLICATE_ORDER = "Duplicate order sent."
NO_MONEY = "Account has insufficient balance for requested action."
WOULD_MATCH = "Order would immediately match and take."
