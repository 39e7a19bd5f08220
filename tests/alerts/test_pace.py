"""How many messages may leave, whatever comes: a property of the pace alone; and what the store keeps of it."""

from hypothesis import given
from hypothesis import strategies as st

from dirigent.alerts.memory import HOUR_MS, ChannelMemory, Pace, from_fact, ready_at_ms

_WISHES = st.lists(st.tuples(st.integers(0, 400_000), st.booleans()), max_size=120)


@given(_WISHES, st.integers(1, 30), st.integers(0, 60_000))
def test_no_hour_ever_sees_more_messages_than_allowed(
    wishes: list[tuple[int, bool]], per_hour: int, gap_ms: int
) -> None:
    memory = ChannelMemory(0, 0)
    sent: list[int] = []
    now_ms = 1_700_000_000_000
    for later_ms, is_urgent in wishes:
        now_ms += later_ms
        pace = Pace(per_hour, gap_ms, is_urgent)
        ready_ms = ready_at_ms(memory.sent_at_ms, now_ms, pace)
        assert ready_ms >= now_ms
        if ready_ms == now_ms:
            memory.note_sent(now_ms)
            sent.append(now_ms)
    for first in sent:
        assert sum(first <= at < first + HOUR_MS for at in sent) <= per_hour
    assert len(memory.sent_at_ms) <= per_hour


@given(st.integers(1, 60), st.integers(0, 30_000), st.booleans())
def test_whoever_waits_until_he_is_told_to_may_then_send(per_hour: int, gap_ms: int, is_urgent: bool) -> None:
    memory, now_ms, pace = ChannelMemory(0, 0), 1_700_000_000_000, Pace(per_hour, gap_ms, is_urgent)
    for _ in range(3 * per_hour):
        now_ms = ready_at_ms(memory.sent_at_ms, now_ms, pace)
        assert ready_at_ms(memory.sent_at_ms, now_ms, pace) == now_ms
        memory.note_sent(now_ms)


def test_what_is_urgent_leaves_when_the_rest_has_used_up_its_share() -> None:
    memory, now_ms = ChannelMemory(0, 0), 1_700_000_000_000
    ordinary, urgent = Pace(10, 1000), Pace(10, 1000, is_urgent=True)
    while (now_ms := now_ms + 1000) < 1_700_003_500_000:
        if ready_at_ms(memory.sent_at_ms, now_ms, ordinary) == now_ms:
            memory.note_sent(now_ms)
    assert ready_at_ms(memory.sent_at_ms, now_ms, ordinary) > now_ms
    assert ready_at_ms(memory.sent_at_ms, now_ms, urgent) - now_ms <= 2 * HOUR_MS // 10


@given(
    st.builds(
        ChannelMemory,
        st.integers(0),
        st.integers(0),
        st.lists(st.text()),
        st.lists(st.integers(0)),
    )
)
def test_what_is_kept_is_what_is_read(memory: ChannelMemory) -> None:
    assert from_fact(memory.to_fact()) == memory


def test_what_cannot_be_read_is_as_if_there_were_nothing() -> None:
    for text in (None, "", "{}", "[]", "null", '{"seq":"1","summary_at_ms":2}', '{"seq":1,"other":2}'):
        assert from_fact(text) is None
