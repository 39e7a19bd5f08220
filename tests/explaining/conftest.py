"""Commands run in a directory of their own, over a small database that the real store made."""

import os
from pathlib import Path

import pytest

from tests.command_line.books import write_books


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("DIRIGENT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return write_books(tmp_path / "books.sqlite")
