"""No test leaves a secret registered, which the next one would find masked."""

from collections.abc import Iterator

import pytest

from dirigent.logging_secrets import forget_secrets


@pytest.fixture(autouse=True)
def _nothing_stays_registered() -> Iterator[None]:
    yield
    forget_secrets()
