"""What the tests of the store share: where its file stands, both durabilities, and groups that no age ends."""

from pathlib import Path

import pytest

from persistence import pending
from persistence.store import Durability


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "books.sqlite"


@pytest.fixture(params=["each", "grouped"])
def durability(request: pytest.FixtureRequest) -> Durability:
    either: Durability = request.param
    return either


@pytest.fixture
def groups_do_not_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "GROUP_AGE_S_MAX", 3600)
