"""The numbered rows under a picture, set in columns by the state that they leave."""

from dataclasses import dataclass, replace
from math import fsum

from dirigent.drawings.lettering import wrapped
from dirigent.drawings.model import Drawing, Move

_COLUMN_PX = 390.0
"""At least; columns share what the picture's width leaves."""
_GUTTER_PX = 30.0
_INDENT_PX = 22.0
_ROW_SIZE, _SMALL_SIZE, _LINE_PX = 11.0, 10.5, 14.0


@dataclass(frozen=True, slots=True)
class ListedLine:
    """One line of text. `number` is set on the line that names a row; `state` gives the line its colour."""

    text: str
    x: float
    y: float
    size: float = _SMALL_SIZE
    state: str = ""
    number: int = 0
    is_fixed: bool = False
    is_bold: bool = False
    is_slanted: bool = False


@dataclass(frozen=True, slots=True)
class RowList:
    lines: tuple[ListedLine, ...]
    width: float
    height: float


def listed(drawing: Drawing, width: float) -> RowList:
    """As many columns as `width` holds, about equally long; the rows of one state follow its name."""
    columns = max(1, int((width + _GUTTER_PX) // (_COLUMN_PX + _GUTTER_PX)))
    column_px = (width + _GUTTER_PX) / columns - _GUTTER_PX
    blocks: list[list[ListedLine]] = []
    for node in drawing.nodes:
        moves = [move for move in drawing.moves if move.source == node.name]
        for index, move in enumerate(moves):
            head = [_head(node.name, is_continued=False)] if index == 0 else []
            blocks.append([*head, *_row_lines(move, column_px)])
    return _set_in_columns(blocks, columns, column_px)


def _head(state: str, is_continued: bool) -> ListedLine:
    text = f"from {state}" + (" (continued)" if is_continued else "")
    return ListedLine(text, 0.0, 8.0, size=12.5, state=state, is_bold=True)


def _row_lines(move: Move, column_px: float) -> list[ListedLine]:
    name = f"{move.number:>2} {move.event} → {move.target}"
    lines = [
        ListedLine(name, 0.0, 0.0, _ROW_SIZE, move.source, move.number, is_fixed=True, is_bold=True),
    ]
    for text, is_slanted in (
        (_condition(move), False),
        (f"then {', '.join(move.effects)}" if move.effects else "", False),
        (move.why, True),
    ):
        lines += [
            ListedLine(part, _INDENT_PX, 0.0, is_slanted=is_slanted)
            for part in wrapped(text, _SMALL_SIZE, column_px - _INDENT_PX)
        ]
    return lines


def _condition(move: Move) -> str:
    return f"if {move.condition}" if move.condition and not move.otherwise else move.condition


def _set_in_columns(blocks: list[list[ListedLine]], columns: int, column_px: float) -> RowList:
    total = fsum(map(_height, blocks))
    limit, lines, column, y, tallest, state = total / columns, [], 0, 0.0, 0.0, ""
    for block in blocks:
        if y and y + _height(block) / 2 > limit and column < columns - 1:
            column, y = column + 1, 0.0
            if block[0].number:
                block = [_head(state, is_continued=True), *block]
        for line in block:
            y += _LINE_PX + line.y
            lines.append(replace(line, x=column * (column_px + _GUTTER_PX) + line.x, y=y))
            state = line.state or state
        y += 4
        tallest = max(tallest, y)
    used = column + 1
    return RowList(tuple(lines), used * column_px + (used - 1) * _GUTTER_PX, tallest)


def _height(block: list[ListedLine]) -> float:
    return fsum(_LINE_PX + line.y for line in block) + 4
