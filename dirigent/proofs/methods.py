"""Methods of the engine and its exchange that a proof replaces in its own process, to die in them or to look on."""

from collections.abc import Callable
from typing import Any


def replace_method(owner: object, name: str, by: Callable[..., Any]) -> None:
    """Of a class or of one object. Raises AttributeError when there is none of that name any more: a proof that
    replaced nothing would prove nothing."""
    getattr(owner, name)
    setattr(owner, name, by)
