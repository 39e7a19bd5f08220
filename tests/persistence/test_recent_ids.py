"""What a new database of a replay need not be asked for."""

from persistence import recent_ids
from persistence.recent_ids import RecentIds


def test_who_knows_every_id_knows_what_is_not_there() -> None:
    ids: RecentIds[str] = RecentIds(is_complete=True)
    ids.add("a")
    assert (ids.has("a"), ids.has("b")) == (True, False)


def test_who_does_not_know_every_id_does_not_answer() -> None:
    ids: RecentIds[str] = RecentIds(is_complete=False)
    ids.add("a")
    assert (ids.has("a"), ids.has("b")) == (None, None)


def test_beyond_the_limit_the_table_is_asked() -> None:
    ids: RecentIds[int] = RecentIds(is_complete=True)
    for one in range(recent_ids.LIMIT):
        ids.add(one)
    assert ids.has(0) is True
    ids.add(recent_ids.LIMIT)
    assert ids.has(0) is None
