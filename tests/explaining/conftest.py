"""Commands run in a directory of their own, over a small database that the real store made."""

from tests.command_line.surroundings import database, own_surroundings

__all__ = ["database", "own_surroundings"]
