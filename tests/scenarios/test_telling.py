"""A story that is wrong says where: in its grammar, in what it asks for, or in what it claims."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.scenarios.phrases import CLAIMS, HAPPENINGS
from tests.scenarios.story import StoryError, read_story
from tests.scenarios.telling import ClaimFailed, tell

STORIES = sorted((Path(__file__).parent / "stories").glob("*.txt"))

TRUE_STORY = """A deal that is stopped out, and dust that is not there.

deal quota: 100 USDT
stop loss: 5 %

start at 100
buy signal
fall to 90 in 1 ticks
"""

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_story(text: str) -> Path:
        path = tmp_path / "story.txt"
        path.write_text(text)
        return path

    return write_story


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "story.txt: the file is empty"),
        ("T.\n\nstart at 100\nbuy signals\n", "story.txt, line 4: 'buy signals' is no sentence of a story"),
        ("T.\n\nstart at 100\nstay for 3 ticks\n", "story.txt: the story claims nothing"),
        ("T.\n\nbuy signal\nthen dust is 0\n", "story.txt, line 3: 'buy signal' comes before"),
        ("T.\nfees: 1 %\n", "story.txt, line 2: fees: no such setting; did you mean 'fee'?"),
        ("T.\n\nmax hold: 60\n", "story.txt, line 3: max hold: '60' is not a duration"),
        ("T.\nstop loss: 5 percent\n", "story.txt, line 2: stop loss: '5 percent' is not a number"),
        ("T.\nbegin: 2024-05-01T00:00:00\n", "story.txt, line 2: begin: .* does not say its offset from UTC"),
        ("T.\nfee in: gold\n", "story.txt, line 2: fee in: 'gold' is neither base nor quote"),
    ],
)
def test_a_story_that_cannot_be_read_names_its_line(write: Write, text: str, message: str) -> None:
    with pytest.raises(StoryError, match=f"^{message}"):
        read_story(write(text))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("rise from 90 to 80 in 2 ticks", "the price is 90: to 80 is no rise"),
        ("fall from 95 to 80 in 2 ticks", "the price is 90, not 95"),
    ],
)
async def test_a_market_that_cannot_go_there_names_its_line(
    write: Write, tmp_path: Path, line: str, message: str
) -> None:
    with pytest.raises(StoryError, match=f"^story.txt, line 9: {line}: {message}"):
        await tell(write(f"{TRUE_STORY}{line}\nthen dust is 0\n"), tmp_path)


@pytest.mark.parametrize(
    ("claim", "instead"),
    [
        ("then position 1 is open", "it is closed"),
        ("then position 2 is open", "there are 1 positions"),
        ("then position 1 left by take_profit", "its exit reason is stop_loss"),
        ("then position 1 holds 1", "it holds 0"),
        ("then position 1 was bought at 99", "it was bought at 100"),
        ("then position 1 was sold at 95", "it was sold at 90"),
        ("then 1 deal, 1 open", "1 deals, 0 open"),
        ("then 2 deals, 0 open", "1 deals, 0 open"),
        ("then at least 2 deals", "1 deals"),
        ("then no entry because price_is_fresh", "it became 1 position"),
        ("then profit is positive", "it is -10.19"),
        ("then profit is odd", "'odd' is none of"),
        ("then profit is 3", "it is -10.19"),
        ("then dust is positive", "it is 0"),
        ("then dust is 0.01", "it is 0"),
        ("then orders: 1 filled", "they are {'filled': 2}"),
        ("then orders: none", "they are {'filled': 2}"),
        ("then entry orders: 2 filled", "they are {'filled': 1}"),
        ("then exit orders: 1 expired", "they are {'filled': 1}"),
        ("then the pair is open", "it is idle"),
        ("then the pair's permission is halted", "it is active"),
        ("then the engine's permission is exits_only", "it is active"),
    ],
)
async def test_a_claim_that_is_false_fails_with_what_is_the_case(
    write: Write, tmp_path: Path, claim: str, instead: str
) -> None:
    with pytest.raises(ClaimFailed) as failure:
        await tell(write(f"{TRUE_STORY}{claim}\n"), tmp_path)
    assert str(failure.value).startswith(f"story.txt, line 9: {claim}: ")
    assert instead in str(failure.value)


@pytest.mark.parametrize(
    ("claim", "instead"),
    [
        ("then the signal was taken", "min_notional: "),
        ("then no entry because max_spread", "min_notional: "),
    ],
)
async def test_a_false_reason_of_a_refused_signal_fails(
    write: Write, tmp_path: Path, claim: str, instead: str
) -> None:
    story = f"T.\n\ndeal quota: 3 USDT\nstart at 100\nbuy signal\n{claim}\n"
    with pytest.raises(ClaimFailed, match=instead):
        await tell(write(story), tmp_path)


async def test_an_order_that_is_left_resting_is_not_passed_over(write: Write, tmp_path: Path) -> None:
    story = "T.\norder type: limit\nspread: 1 %\nstart at 100\nbuy signal\nthen dust is 0\n"
    with pytest.raises(ClaimFailed, match="still rests at the exchange"):
        await tell(write(story), tmp_path)


def test_every_sentence_is_in_some_story() -> None:
    told = {(step.verb, frozenset(step.places)) for path in STORIES for step in read_story(path).steps}
    told_verbs = {verb for verb, _ in told}
    assert {phrase.verb for phrase in (*HAPPENINGS, *CLAIMS)} == told_verbs
