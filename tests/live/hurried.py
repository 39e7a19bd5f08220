"""The command with less patience for late requests: the exchange beside a test never takes as long as a real one."""

from unittest.mock import patch

from dirigent.command_line import main
from services.exchanges.ccxt_exchange import desk

LATE_MS = 500
"""Beyond the window of a second, after which the rehearsal exchange itself refuses what is late."""

if __name__ == "__main__":
    with patch.object(desk, "LATE_MS", LATE_MS):
        main()
