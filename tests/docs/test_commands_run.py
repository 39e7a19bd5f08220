"""Every command that a document shows is typed, in the document's order, and ends with exit code 0."""

import os
from collections.abc import Iterator

import pytest

from tests.command_line.running import ROOT
from tests.docs.stage import Stage
from tests.docs.typed import Typed, blocks, documents, typed

_TUTORIAL = "needs the tutorial's exchange: tests/rehearsal/test_tutorial.py"
_REPLAYED = "tests/docs/test_documents.py runs it, and holds its output to the document"
_SEARCH = "takes minutes of processor time: tests/proofs/exploration"

NOT_TYPED_HERE = {
    ("README.md", "dirigent replay waves.csv --db waves.sqlite"): _REPLAYED,
    ("README.md", "dirigent journal BTC/USDT --db waves.sqlite"): _REPLAYED,
    ("README.md", "dirigent explore --intents 1 --crashes 1 --units 1"): _SEARCH,
    ("README.md", "dirigent simulate --seeds 10 --seed 1"): "takes a minute: tests/proofs/simulation",
    ("README.md", "dirigent crashtest --kills 20"): "takes a minute: tests/proofs/death",
    ("docs/rehearsal.md", "dirigent check"): _TUTORIAL,
    ("docs/rehearsal.md", "dirigent trade --live -v"): _TUTORIAL,
    ("docs/rehearsal.md", "dirigent reconcile --plan"): _TUTORIAL,
    ("docs/rehearsal.md", "dirigent balance"): _TUTORIAL,
    **{(one.document, one.line): _SEARCH for one in typed("docs/reliability_exploration.md")},
    **{
        (one.document, one.line): "tests/strategies/test_the_document.py types them in their order"
        for one in typed("docs/strategies.md")
    },
}
"""Each with the reason, or with the test that runs it."""

_IN_ORDER = ["README.md", "docs/operations_deployment.md", "docs/operations.md"]
"""These lead from an empty folder through everything; the others find what they left."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("documents")
    (chaos,) = (body for _, body in blocks("docs/rehearsal.md", "toml") if "lost_response" in body)
    (folder / "chaos.toml").write_text(chaos, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in [name for name in os.environ if name.startswith("DIRIGENT_")]:
            patch.delenv(name)
        held = Stage(folder)
        try:
            yield held
        finally:
            if held.daemon is not None:
                held.daemon.kill()


def _sorted(found: list[str]) -> list[str]:
    return [*_IN_ORDER, *(document for document in found if document not in _IN_ORDER)]


def test_the_commands_of_all_documents_end_as_they_should(stage: Stage) -> None:
    """One after the other in one place: a later document finds what an earlier one left."""
    wrong = []
    for one in (one for document in _sorted(documents()) for one in typed(document)):
        if (one.document, one.line) not in NOT_TYPED_HERE:
            fault = stage.type(one.words)
            if fault:
                wrong.append(f"{one.document}: {one.line}: {fault}")
    assert wrong == []


def test_what_is_not_typed_stands_in_a_document_and_names_a_test_that_exists() -> None:
    shown = {(one.document, one.line) for document in documents() for one in typed(document)}
    assert NOT_TYPED_HERE.keys() <= shown
    for reason in NOT_TYPED_HERE.values():
        (place,) = (word.rstrip(":,") for word in reason.split() if word.startswith("tests/"))
        assert (ROOT / place).exists()


def test_a_command_that_fails_would_be_noticed(stage: Stage) -> None:
    wrong = stage.type(Typed("", "dirigent why NONE/USDT").words)
    assert wrong.startswith("exit code 2: ")
