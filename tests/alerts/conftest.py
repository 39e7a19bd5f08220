"""apprise is loaded before the tests: it uses modules that Python is about to drop, and warnings are errors here."""

import warnings
from collections.abc import Iterator

import pytest

from dirigent.logging_secrets import forget_secrets
from tests.alerts.listeners import Listener, listening

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from apprise import Apprise

    Apprise.instantiate("json://127.0.0.1")


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening(Listener()) as made:
        yield made
    forget_secrets()
