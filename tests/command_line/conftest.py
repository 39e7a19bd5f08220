"""Commands run in a directory of their own, without this machine's environment."""

from tests.command_line.surroundings import database, own_surroundings

__all__ = ["database", "own_surroundings"]
