"""What no database can hold: broken text is stored with replacements, too long a number is a fault."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fsm.commit import CommitBatch, OfferedSignal, Progress, StoreError
from fsm.records import OrderRecord
from fsm.values import Verdict
from persistence import journal_queries, pending, queries
from persistence.codec import changes_to_json, is_storable, storable, verdicts_from_json, verdicts_to_json
from persistence.fold import fold
from persistence.store import Durability, SqliteStore
from persistence.subjects import SUBJECT_TABLES
from persistence.verification import verify
from tests.persistence.deals import SYMBOL, History, fill_of, one_deal

BAD = ["no \ud800 funds", "no \0 funds"]
SHOWN = "no \ufffd funds"
ANY_TEXT = st.text(st.one_of(st.characters(), st.sampled_from("\0\ud800\udfff\\u")))


@pytest.mark.parametrize("words", BAD, ids=["surrogate", "nul"])
def test_an_exchanges_broken_words_are_stored_replaced_everywhere(
    path: Path, words: str, durability: Durability
) -> None:
    history = History()
    _, entry = one_deal(history)
    fill = replace(fill_of(entry), id=words)
    entry = history.filled(entry, fill, state="cancelled", reason=words, exchange_order_id=words)
    last = history.batch.journal[-1]
    history.batch.journal[-1] = replace(last, note=words, verdicts=(Verdict("is_known", False, words),))
    history.batch.signals.append(OfferedSignal(words, SYMBOL, "buy", words, 1))
    history.batch.facts[words] = words
    with SqliteStore.open(path, durability=durability) as store:
        store.commit(history.take())
        store.commit(CommitBatch(signals=[OfferedSignal(words, SYMBOL, "buy", "again", 2)]))
        store.save_progress(Progress(1, {"fault": words}, [(SYMBOL, "1", 1, words)], {SYMBOL: words}))
        assert store.signal_was_offered(words)
        assert store.has_fill(SYMBOL, words)
        assert store.find_order(words) is None
        state = store.load()
    assert verify(path).is_whole
    assert (state.facts, state.checkpoints) == ({SHOWN: SHOWN}, {SYMBOL: SHOWN})
    [stored] = queries.orders(path)
    assert (stored["reason"], stored["exchange_order_id"]) == (SHOWN, SHOWN)
    told = journal_queries.entries(path, entry.client_order_id)[-1]
    assert (told["note"], told["changes"]["reason"], told["guards"][0]["because"]) == (SHOWN, SHOWN, SHOWN)
    assert queries.fills(path)[0]["id"] == SHOWN
    assert queries.pairs(path)[0]["reason"] == SHOWN
    folded = fold(path)["order"][entry.client_order_id]
    assert isinstance(folded, OrderRecord)
    assert folded.reason == SHOWN


def test_a_number_beyond_64_bits_is_a_fault_of_that_commit_alone(path: Path) -> None:
    history = History()
    deal, entry = one_deal(history)
    with SqliteStore.open(path) as store:
        store.commit(history.take())
        history.moved(deal, "open", opened_at_ms=2**63)
        with pytest.raises(StoreError, match=r"books\.sqlite: a value cannot be stored"):
            store.commit(history.take())
        history.filled(entry, fill_of(entry))
        store.commit(history.take())
    assert verify(path).is_whole


def test_a_number_beyond_64_bits_fails_its_group(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pending, "GROUP_AGE_S_MAX", 3600)
    history = History()
    deal, _ = one_deal(history)
    with SqliteStore.open(path, durability="grouped") as store:
        store.commit(history.take())
        store.flush()
        history.moved(deal, "open", opened_at_ms=2**63)
        store.commit(history.take())
        with pytest.raises(StoreError, match="a value cannot be stored"):
            store.flush()
    assert verify(path).entries == 3


@given(text=ANY_TEXT)
def test_any_text_becomes_storable_and_storable_text_stays(text: str) -> None:
    kept = storable(text)
    assert is_storable(kept)
    assert "\0" not in kept.encode().decode()
    assert len(kept) == len(text)
    assert (kept == text) is is_storable(text)


@given(text=ANY_TEXT)
def test_text_is_the_same_in_a_change_in_a_verdict_and_in_its_column(text: str) -> None:
    codec = SUBJECT_TABLES["order"].codec
    record = OrderRecord(state="rejected", reason=text)
    kept = storable(text)
    assert codec.decode(codec.encode(record)).reason == kept
    assert json.loads(changes_to_json({"reason": text})) == {"reason": kept}
    [verdict] = verdicts_from_json(verdicts_to_json([Verdict("is_known", True, text)]))
    assert verdict["because"] == kept
