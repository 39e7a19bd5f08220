"""What the tests of the services share: the log as a list of records."""

from collections.abc import Iterator
from typing import Any

import pytest
from loguru import logger


@pytest.fixture
def logged() -> Iterator[list[dict[str, Any]]]:
    """The structured fields of every line that is logged, from warnings on."""
    lines: list[dict[str, Any]] = []
    sink = logger.add(lambda message: lines.append(dict(message.record["extra"])), level="WARNING")
    yield lines
    logger.remove(sink)
