"""The SVG's own geometry: boxes, labels and lines keep clear of each other."""

import re
from dataclasses import dataclass
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest

from dirigent.drawings.catalogue import TABLES, draw
from dirigent.drawings.layout import Box, Lane, laid_out
from dirigent.drawings.lettering import fixed_width, wrapped
from dirigent.drawings.model import drawing_of
from dirigent.drawings.svg import render
from fsm.table import Row, State, Table

_SVG = "{http://www.w3.org/2000/svg}"

every_name = pytest.mark.parametrize("name", TABLES)


@dataclass(frozen=True)
class _Parsed:
    boxes: dict[str, Box]
    labels: dict[tuple[str, str], Box]
    width: float
    height: float


def _box(rect: ElementTree.Element) -> Box:
    return Box(*(float(rect.get(name, "nan")) for name in ("x", "y", "width", "height")))


def _parsed(text: str) -> _Parsed:
    root = ElementTree.fromstring(text)
    boxes, labels = {}, {}
    for group in root.iter(f"{_SVG}g"):
        rects = [r for r in group.findall(f"{_SVG}rect") if r.get("class") in ("box", "label")]
        if group.get("class") == "node":
            boxes[group.get("data-state", "")] = _box(rects[0])
        elif group.get("class") == "edge-label":
            labels[group.get("data-source", ""), group.get("data-target", "")] = _box(rects[0])
    return _Parsed(boxes, labels, float(root.get("width", "0")), float(root.get("height", "0")))


def _overlap(first: Box, second: Box) -> bool:
    return (
        first.x < second.x + second.width
        and second.x < first.x + first.width
        and first.y < second.y + second.height
        and second.y < first.y + first.height
    )


@every_name
def test_no_two_boxes_or_labels_overlap(name: str) -> None:
    parsed = _parsed(draw(name, "svg"))
    assert set(parsed.boxes) == set(TABLES[name].by_name)
    assert set(parsed.labels) == {(row.source, row.target) for row in TABLES[name].rows}
    placed = [*parsed.boxes.items(), *parsed.labels.items()]
    for (first_key, first), (second_key, second) in combinations(placed, 2):
        assert not _overlap(first, second), (first_key, second_key)


@every_name
def test_the_text_of_a_label_stays_inside_it(name: str) -> None:
    root = ElementTree.fromstring(draw(name, "svg"))
    for group in root.iter(f"{_SVG}g"):
        if group.get("class") != "edge-label":
            continue
        box = _box(group.findall(f"{_SVG}rect")[0])
        for text in group.iter(f"{_SVG}text"):
            size, x, y = (float(text.get(key, "nan")) for key in ("font-size", "x", "y"))
            assert x + fixed_width("".join(text.itertext()), size) <= box.x + box.width
            assert box.y + size * 0.7 <= y <= box.y + box.height


@every_name
def test_no_line_runs_through_a_box_or_through_the_label_of_another(name: str) -> None:
    picture = laid_out(drawing_of(TABLES[name]))
    boxes = {node.node.name: node.box for node in picture.nodes}
    for line in picture.edges:
        for point_x, point_y in _points_of(line.lanes):
            for state, box in boxes.items():
                assert not _is_inside(point_x, point_y, box), (line.edge.source, line.edge.target, state)
            for other in picture.edges:
                if other is not line:
                    assert not _is_inside(point_x, point_y, other.label), (line.edge, other.edge)


def _points_of(lanes: tuple[Lane, ...]) -> list[tuple[float, float]]:
    """Points on the straight parts and on the cubic curves between them."""
    points: list[tuple[float, float]] = []
    for lane in lanes:
        points += [(lane.x, lane.top + (lane.bottom - lane.top) * part / 20) for part in range(21)]
    for before, after in pairwise(lanes):
        half = (before.bottom + after.top) / 2
        for part in range(21):
            t = part / 20
            a, b, c, d = (1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t**2, t**3
            points.append(
                (before.x * (a + b) + after.x * (c + d), before.bottom * a + half * (b + c) + after.top * d)
            )
    return points


def _is_inside(x: float, y: float, box: Box) -> bool:
    slack = 0.2
    return box.x + slack < x < box.x + box.width - slack and box.y + slack < y < box.y + box.height - slack


@every_name
def test_everything_lies_on_the_page(name: str) -> None:
    text = draw(name, "svg")
    parsed = _parsed(text)
    match = re.search(r'class="picture" transform="translate\(([\d.]+) ([\d.]+)\)"', text)
    assert match
    left, top = map(float, match.groups())
    for box in (*parsed.boxes.values(), *parsed.labels.values()):
        assert box.x >= 0
        assert box.y >= 0
        assert left + box.x + box.width <= parsed.width
        assert top + box.y + box.height <= parsed.height
    for text_element in ElementTree.fromstring(text).iter(f"{_SVG}text"):
        assert float(text_element.get("y", "nan")) <= parsed.height


@every_name
def test_the_picture_is_self_contained(name: str) -> None:
    text = draw(name, "svg")
    assert "href" not in text
    assert "url(" not in text
    assert "<script" not in text
    assert re.findall(r"https?://[^\"]*", text) == ["http://www.w3.org/2000/svg"]


@every_name
def test_ends_have_a_double_border_and_only_the_start_has_the_mark(name: str) -> None:
    root = ElementTree.fromstring(draw(name, "svg"))
    nodes = {g.get("data-state", ""): g for g in root.iter(f"{_SVG}g") if g.get("class") == "node"}
    for state in TABLES[name].states:
        assert len(nodes[state.name].findall(f"{_SVG}rect")) == (2 if state.final else 1)
        assert len(nodes[state.name].findall(f"{_SVG}circle")) == int(state.initial)


def test_words_that_mean_something_in_xml_are_escaped() -> None:
    table = Table(
        name="escaped",
        states=(State("on", 'a < b & "c"', initial=True), State("off", "d > e", final=True)),
        rows=(Row("on", "switched", "off", (), (), "5 < 6 & so on"),),
        guards={},
        effects={},
    )
    root = ElementTree.fromstring(render(drawing_of(table)))
    words = ["".join(text.itertext()) for text in root.iter(f"{_SVG}text")]
    assert 'a < b & "c"' in words
    assert "5 < 6 & so on" in words


def test_prose_breaks_at_blanks_and_loses_no_word() -> None:
    text = "what was bought is below the exchange's minimum; its cost is booked"
    lines = wrapped(text, 10, 120)
    assert " ".join(lines) == text
    assert len(lines) > 2
