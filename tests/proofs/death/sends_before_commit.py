"""The command with a store that keeps intents in memory for a moment: orders leave before they are on disk."""

from functools import partial
from unittest.mock import patch

from dirigent.command_line import main
from persistence.store import SqliteStore

if __name__ == "__main__":
    with patch.object(SqliteStore, "open", partial(SqliteStore.open, durability="grouped")):
        main()
