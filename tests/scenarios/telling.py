"""Tells one story from its first line to its last, then asks whether all books are whole."""

from pathlib import Path

from dirigent.proofs.death.book_keeping import differences
from tests.scenarios.claims import Claims
from tests.scenarios.stage import Stage
from tests.scenarios.story import Step, StoryError, read_story


class ClaimFailed(AssertionError):
    """Something that the story says did not come true; the message begins with file and line."""


async def tell(path: Path, directory: Path) -> None:
    """Raises StoryError for a story that cannot be told, ClaimFailed for one that is not true."""
    story = read_story(path)
    async with Stage(story.terms, directory) as stage:
        claims = Claims(stage)
        for step in story.steps:
            await _take(step, stage, claims)
        found = differences(
            stage.database, stage.exchange_file, live_orders_allowed=stage.live_orders_allowed
        )
    if found:
        raise ClaimFailed(f"{path.name}, at its end: " + "; ".join(found))


async def _take(step: Step, stage: Stage, claims: Claims) -> None:
    try:
        if step.is_claim:
            getattr(claims, step.verb)(**step.places)
        else:
            await getattr(stage, step.verb)(**step.places)
    except StoryError as error:
        raise StoryError(f"{step.place}: {step.text}: {error}") from error
    except AssertionError as error:
        if not step.is_claim:
            raise
        raise ClaimFailed(f"{step.place}: {step.text}: {error}") from None
