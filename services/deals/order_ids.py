"""Names of positions and client ids of orders, derived from what they are for, so that a decision cannot have two."""

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_NUMBER_WIDTH, _ATTEMPT_WIDTH = 6, 4


def base36(number: int, width: int) -> str:
    """`number` in lower-case base 36, zero-padded. Raises ValueError when it does not fit or is negative."""
    digits, rest = "", number
    while rest > 0:
        rest, digit = divmod(rest, 36)
        digits = _DIGITS[digit] + digits
    if number < 0 or len(digits) > width:
        raise ValueError(f"{number} does not fit into {width} digits of base 36")
    return digits.rjust(width, "0")


def position_id(tag: str, number: int) -> str:
    """11 characters: the database's tag and the position's number."""
    return tag + base36(number, _NUMBER_WIDTH)


def order_id(position: str, leg: str, attempt: int) -> str:
    """16 lower-case letters and digits: the position, `e` or `x` for entry or exit, the attempt.

    A length and an alphabet that every supported exchange accepts for client order ids; the tag, which comes
    first, never starts with `t`. Widths are fixed, so two different orders cannot share a name.
    """
    return position + ("e" if leg == "entry" else "x") + base36(attempt, _ATTEMPT_WIDTH)


def under_tag(position: str, tag: str) -> str:
    """The position's name as its orders bear it from now on: with the present tag, whichever it was born with.

    A backup that was put back has a new tag: what its former life sent after the backup, nobody sends again.
    """
    return position if position.startswith(tag) else tag + position[len(tag) :]


def is_order_id(name: str, tag: str) -> bool:
    """Whether a database of this tag may have given the name."""
    alike = len(name) == len(order_id(position_id(tag, 0), "entry", 0))
    return bool(tag) and alike and name.startswith(tag)
