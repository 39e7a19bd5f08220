"""Where commands run in tests: a directory of their own, without this machine's environment, beside small books."""

import os
from pathlib import Path

import pytest

from tests.command_line.books import write_books


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("DIRIGENT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return write_books(tmp_path / "books.sqlite")
