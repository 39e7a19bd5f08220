"""What is drawn is what the engine does: read back from every format and walked."""

import re
from collections.abc import Callable, Collection
from itertools import product
from xml.etree import ElementTree

import pytest

from dirigent.drawings.catalogue import FORMATS, TABLES, draw
from dirigent.drawings.model import drawing_of
from fsm.engine import Engine, Outcome
from fsm.table import Table
from fsm.values import Ask, Verdict

Move = tuple[int, str, str, str]
"""Number, source, event, target."""
Terms = tuple[tuple[str, ...], tuple[str, ...], bool]
"""Guards, effects, otherwise."""
_LABEL = re.compile(r"^(\d+) (\w+)(?: \[([^\]]*)\])?(?: / (.+))?$")
_SVG = "{http://www.w3.org/2000/svg}"

every_table = pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))


def _of_transitions(text: str, pattern: str, separator: str) -> dict[Move, Terms]:
    found = {}
    for source, target, labels in re.findall(pattern, text, flags=re.MULTILINE):
        for label in filter(None, labels.split(separator)):
            match = _LABEL.match(label)
            assert match, label
            number, event, condition, effects = match.groups()
            words = (condition or "").removeprefix("otherwise").removeprefix(" if").strip()
            found[int(number), source, event, target] = (
                tuple(words.split(" and ")) if words else (),
                tuple((effects or "").split(", ")) if effects else (),
                (condition or "").startswith("otherwise"),
            )
    return found


def _read_mermaid(text: str) -> dict[Move, Terms]:
    return _of_transitions(text, r"^    (\w+) --> (\w+): (.*)$", "<br/>")


def _read_dot(text: str) -> dict[Move, Terms]:
    return _of_transitions(text, r'^    "(\w+)" -> "(\w+)" \[label="(.*)"\];$', "\\l")


def _read_markdown(text: str) -> dict[Move, Terms]:
    found = {}
    for line in re.findall(r"^\| (\d+ \| `.*) \|$", text, flags=re.MULTILINE):
        number, source, event, target, guards, effects, _ = re.split(r"(?<!\\) ?\| ?", line)
        found[int(number), source.strip("`"), event.strip("`"), target.strip("`")] = (
            tuple(re.findall(r"`(\w+)`", guards)),
            tuple(re.findall(r"`(\w+)`", effects)),
            guards.startswith("*otherwise*"),
        )
    return found


def _read_svg_rows(text: str) -> dict[Move, Terms]:
    """The list under the picture: the line that names a row, then its lines until the next one."""
    rows = next(g for g in ElementTree.fromstring(text).iter(f"{_SVG}g") if g.get("class") == "rows")
    found: dict[Move, Terms] = {}
    source, move, words = "", None, ""
    for line in rows:
        content = line.text or ""
        if content.startswith("from ") and line.get("font-weight") == "bold":
            source = content.split()[1]
        elif line.get("data-row"):
            number, event, _, target = content.split()
            move, words = (int(number), source, event, target), ""
            found[move] = ((), (), False)
        elif move and line.get("font-style") != "italic":
            words = f"{words} {content}".strip()
            condition, _, effects = words.partition("then ")
            stripped = condition.removeprefix("otherwise").strip().removeprefix("if ").strip()
            found[move] = (
                tuple(stripped.split(" and ")) if stripped else (),
                tuple(effects.split(", ")) if effects else (),
                condition.startswith("otherwise"),
            )
    return found


READERS: dict[str, Callable[[str], dict[Move, Terms]]] = {
    "mermaid": _read_mermaid,
    "dot": _read_dot,
    "markdown": _read_markdown,
    "svg": _read_svg_rows,
}


def _just(holding: Collection[str]) -> Ask:
    return lambda guard: Verdict(guard, guard in holding)


def test_every_format_is_read_back_here() -> None:
    assert set(READERS) == set(FORMATS)


@pytest.mark.parametrize("format", FORMATS)
@every_table
def test_every_row_stands_in_every_format_with_its_guards_and_effects(table: Table, format: str) -> None:
    expected = {
        (number, row.source, row.event, row.target): (row.guards, row.effects, row.otherwise)
        for number, row in enumerate(table.rows, start=1)
    }
    assert READERS[format](draw(table.name, format)) == expected


@pytest.mark.parametrize("format", FORMATS)
@every_table
def test_a_drawn_move_is_what_the_engine_does_when_just_its_guards_hold(table: Table, format: str) -> None:
    engine = Engine(table)
    for (number, source, event, target), (guards, effects, _) in READERS[format](
        draw(table.name, format)
    ).items():
        step = engine.step(source, event, _just(guards))
        assert (step.outcome, step.target, step.effects) == (Outcome.MOVED, target, effects), number


@pytest.mark.parametrize("format", FORMATS)
@every_table
def test_whatever_the_engine_does_is_drawn(table: Table, format: str) -> None:
    drawn = {
        (source, event, target) for _, source, event, target in READERS[format](draw(table.name, format))
    }
    engine = Engine(table)
    for state, event in product(table.by_name, table.events):
        asked = sorted({guard for row in table.rows_of(state, event) for guard in row.guards})
        for answers in product((False, True), repeat=len(asked)):
            holds = [guard for guard, answer in zip(asked, answers, strict=True) if answer]
            step = engine.step(state, event, _just(holds))
            if step.outcome is Outcome.MOVED:
                assert (state, event, step.target) in drawn


@every_table
def test_the_picture_of_the_svg_shows_each_row_at_the_line_of_its_states(table: Table) -> None:
    root = ElementTree.fromstring(draw(table.name, "svg"))
    shown = set()
    for group in root.iter(f"{_SVG}g"):
        if group.get("class") != "edge-label":
            continue
        for text in group.iter(f"{_SVG}text"):
            numbers, event = "".join(text.itertext()).rsplit(" ", 1)
            for number in numbers.split(", "):
                shown.add((int(number), group.get("data-source"), event, group.get("data-target")))
    assert shown == {(n, r.source, r.event, r.target) for n, r in enumerate(table.rows, start=1)}


@every_table
def test_meanings_waits_and_ignored_events_stand_in_the_markdown(table: Table) -> None:
    text = draw(table.name, "markdown")
    for state in table.states:
        assert f"| `{state.name}` | {state.meaning} |" in text
        assert not state.deadline or f"deadline: {state.deadline}" in text
        assert not state.waits_on or f"waits on: {state.waits_on}" in text
    for name, meaning in (*table.guards.items(), *table.effects.items()):
        assert f"| `{name}` | {meaning} |" in text
    for ignored in table.ignored:
        sources = ", ".join(f"`{source}`" for source in ignored.sources)
        assert f"| `{ignored.event}` | {sources} | {ignored.why} |" in text


@pytest.mark.parametrize("format", FORMATS)
@every_table
def test_every_format_carries_the_hash_of_the_definition(table: Table, format: str) -> None:
    assert table.hash in draw(table.name, format)


@pytest.mark.parametrize("format", FORMATS)
def test_counts_mark_the_states_that_hold_live_subjects(format: str) -> None:
    idle, busy = draw("position", format, {}), draw("position", format, {"open": 4711})
    assert "4711" in busy
    assert "4711" not in idle
    assert idle != draw("position", format, {"open": 1}) != busy


def test_a_count_for_a_state_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="the pair machine has no state broken; it has idle"):
        draw("pair", "mermaid", {"broken": 1})


def test_an_unknown_machine_or_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="there is no machine 'deal'; there are pair, position, order"):
        draw("deal", "svg")
    with pytest.raises(ValueError, match="there is no format 'png'; there are mermaid, dot, svg, markdown"):
        draw("pair", "png")


@every_table
def test_parallel_moves_share_an_edge_and_none_is_lost(table: Table) -> None:
    drawing = drawing_of(table)
    pairs = [(edge.source, edge.target) for edge in drawing.edges]
    assert len(set(pairs)) == len(pairs)
    assert sorted(m.number for e in drawing.edges for m in e.moves) == list(range(1, len(table.rows) + 1))
