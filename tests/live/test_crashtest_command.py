"""What `dirigent crashtest` is asked to prove, and what it refuses to."""

import pytest

from tests.command_line.running import invoke


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--orders", "5"), "--orders and --soak are for the rehearsal exchange"),
        (("--soak", "5"), "--orders and --soak are for the rehearsal exchange"),
        (("--kills", "0"), "leaves nothing to prove on the paper exchange"),
        (("--exchange", "rehearsal", "--kills", "0", "--orders", "0", "--soak", "0"), "are all 0"),
        (("--exchange", "binance"), "'binance' is not one of 'paper', 'rehearsal'"),
    ],
)
def test_what_proves_nothing_is_refused(words: tuple[str, ...], why: str) -> None:
    result = invoke("crashtest", *words)
    assert result.exit_code == 2
    assert why in result.stderr
