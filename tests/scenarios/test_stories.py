"""Every story in `stories` comes true over the real services, store and matching, and leaves whole books."""

from pathlib import Path

import pytest

from tests.scenarios.telling import tell

STORIES = sorted((Path(__file__).parent / "stories").glob("*.txt"))


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
async def test_the_story_comes_true(path: Path, tmp_path: Path) -> None:
    await tell(path, tmp_path)
