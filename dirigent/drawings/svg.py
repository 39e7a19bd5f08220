"""A machine as one self-contained SVG: the picture, and below it the numbered rows."""

from collections.abc import Iterable
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

from dirigent.drawings.layout import (
    LABEL_SIZE,
    LINE_PX,
    LOOP_PX,
    NAME_LINE_PX,
    NAME_SIZE,
    PADDING_PX,
    SMALL_SIZE,
    Box,
    Lane,
    PlacedEdge,
    PlacedNode,
    laid_out,
)
from dirigent.drawings.lettering import FIXED_FAMILY, PROSE_FAMILY
from dirigent.drawings.model import Drawing
from dirigent.drawings.row_list import ListedLine, listed

_MARGIN_PX = 28.0
_HEAD_PX = 84.0
_HUES = (
    "#1d4ed8", "#b91c1c", "#047857", "#7e22ce", "#b45309", "#0e7490",
    "#be185d", "#4d7c0f", "#4338ca", "#78350f", "#0f766e", "#475569",
)  # fmt: skip
"""One for the moves that leave a state; all dark enough to read on white."""
_STYLE = f"""
text {{ font-family: {PROSE_FAMILY}; fill: #1f2937; }}
.fixed {{ font-family: {FIXED_FAMILY}; white-space: pre; }}
.line {{ fill: none; stroke-width: 1.4; }}
.label {{ fill: #ffffff; fill-opacity: 0.92; }}
.faint {{ fill: #4b5563; }}
"""


def render(drawing: Drawing) -> str:
    picture = laid_out(drawing)
    hues = {node.name: _HUES[index % len(_HUES)] for index, node in enumerate(drawing.nodes)}
    rows = listed(drawing, max(picture.width, 900.0))
    width = max(picture.width, rows.width, 900.0) + 2 * _MARGIN_PX
    left = (width - picture.width) / 2
    list_top = _HEAD_PX + picture.height + 44
    height = list_top + rows.height + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img">',
        f"<title>{escape(drawing.title)}</title>",
        f"<style>{_STYLE}</style>",
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        *_head(drawing),
        f'<g class="picture" transform="translate({left:.1f} {_HEAD_PX:.1f})">',
        *(_line(edge, picture_box, hues) for edge, picture_box in _with_boxes(picture.edges, picture.nodes)),
        *(_label(edge, hues[edge.edge.source]) for edge in picture.edges),
        *(_node(node, hues[node.node.name]) for node in picture.nodes),
        "</g>",
        f'<path d="M{_MARGIN_PX} {list_top - 22:.1f}H{width - _MARGIN_PX:.1f}" stroke="#d1d5db"/>',
        f'<g class="rows" transform="translate({_MARGIN_PX} {list_top:.1f})">',
        *(_listed(line, hues) for line in rows.lines),
        "</g>",
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _with_boxes(edges: Iterable[PlacedEdge], nodes: Iterable[PlacedNode]) -> Iterable[tuple[PlacedEdge, Box]]:
    boxes = {node.node.name: node.box for node in nodes}
    return ((edge, boxes[edge.edge.source]) for edge in edges)


def _head(drawing: Drawing) -> list[str]:
    live = sum(node.live or 0 for node in drawing.nodes)
    counted = f", {live} stored now" if drawing.is_live else ""
    return [
        f'<text x="{_MARGIN_PX}" y="38" font-size="20" font-weight="bold">'
        f"The {escape(drawing.name)} machine</text>",
        f'<text x="{_MARGIN_PX}" y="58" font-size="11.5" class="faint">'
        f"definition {drawing.definition}: {len(drawing.nodes)} states, {len(drawing.moves)} rows{counted}. "
        "The dot leads to the initial state; a double border ends; a line has its source's colour; "
        "numbers name the rows listed below.</text>",
    ]


def _node(placed: PlacedNode, hue: str) -> str:
    node, box = placed.node, placed.box
    fill = "#fff3bf" if node.live else "#f9fafb" if node.final else "#ffffff"
    parts = [
        f'<g class="node" data-state={quoteattr(node.name)}>',
        f"<title>{escape(node.meaning)}</title>",
        f'<rect class="box" {_rect(box)} rx="9" fill="{fill}" stroke="{hue}" '
        f'stroke-width="{3 if node.live else 1.8}"/>',
    ]
    if node.final:
        inner = Box(box.x + 3.5, box.y + 3.5, box.width - 7, box.height - 7)
        parts.append(f'<rect {_rect(inner)} rx="6.5" fill="none" stroke="{hue}" stroke-width="1"/>')
    middle, y = box.x + box.width / 2, box.y + PADDING_PX + NAME_SIZE - 3
    parts.append(
        f'<text x="{middle:.1f}" y="{y:.1f}" text-anchor="middle" font-size="{NAME_SIZE}" font-weight="bold">'
        f"{escape(node.name)}</text>"
    )
    small = [(line, "") for line in placed.small_lines]
    if node.wait:
        small.append((node.wait, ' font-style="italic"'))
    for number, (text, style) in enumerate(small):
        at = y + NAME_LINE_PX - 3 + number * LINE_PX
        parts.append(
            f'<text x="{middle:.1f}" y="{at:.1f}" text-anchor="middle" font-size="{SMALL_SIZE}" '
            f'class="faint"{style}>{escape(text)}</text>'
        )
    if node.initial:
        parts.append(_start(box))
    if node.live:
        parts.append(_badge(box, node.live))
    return "".join([*parts, "</g>"])


def _start(box: Box) -> str:
    y = box.y + box.height / 2
    return (
        f'<circle cx="{box.x - 33:.1f}" cy="{y:.1f}" r="6.5" fill="#1f2937"/>'
        f'<path d="M{box.x - 27:.1f} {y:.1f}H{box.x - 8:.1f}" stroke="#1f2937" stroke-width="1.6"/>'
        f'<path d="M{box.x - 1:.1f} {y:.1f}l-9 -4.5v9z" fill="#1f2937"/>'
    )


def _badge(box: Box, live: int) -> str:
    width = 12 + 7.5 * len(str(live))
    x = box.x + box.width - width - 7
    return (
        f'<rect x="{x:.1f}" y="{box.y + 6:.1f}" width="{width:.1f}" height="16" rx="8" fill="#b7791f"/>'
        f'<text class="live" x="{x + width / 2:.1f}" y="{box.y + 18:.1f}" text-anchor="middle" '
        f'font-size="11" font-weight="bold" style="fill:#ffffff">{live}</text>'
    )


def _line(placed: PlacedEdge, source: Box, hues: dict[str, str]) -> str:
    edge = placed.edge
    hue = hues[edge.source]
    path, head = _loop(source) if edge.is_loop else _route(placed.lanes)
    return (
        f'<g class="edge" data-source={quoteattr(edge.source)} data-target={quoteattr(edge.target)}>'
        f'<path class="line" d="{path}" stroke="{hue}"/><path d="{head}" fill="{hue}"/></g>'
    )


def _loop(box: Box) -> tuple[str, str]:
    x, middle, reach = box.x + box.width, box.y + box.height / 2, min(box.height * 0.3, 17.0)
    far = x + LOOP_PX - 3
    path = f"M{x:.1f} {middle - reach:.1f}C{far + 6:.1f} {middle - reach - 5:.1f} {far + 6:.1f} "
    path += f"{middle + reach + 5:.1f} {x + 7:.1f} {middle + reach:.1f}"
    return path, f"M{x + 1:.1f} {middle + reach:.1f}l8.5 -4.5v9z"


def _route(lanes: tuple[Lane, ...]) -> tuple[str, str]:
    """Straight within a layer, one S-curve between two; the arrow head points into the last box."""
    first, last = lanes[0], lanes[-1]
    down = 1 if last.bottom > first.top else -1
    path = f"M{first.x:.1f} {first.top:.1f}V{first.bottom:.1f}"
    for before, lane in pairwise(lanes):
        half = (before.bottom + lane.top) / 2
        path += f"C{before.x:.1f} {half:.1f} {lane.x:.1f} {half:.1f} {lane.x:.1f} {lane.top:.1f}"
        end = lane.bottom - down * 8 if lane is last else lane.bottom
        if abs(end - lane.top) > 0.05 and (end - lane.top) * down > 0:
            path += f"V{end:.1f}"
    return path, f"M{last.x:.1f} {last.bottom:.1f}l-4.5 {-down * 9:.1f}h9z"


def _label(placed: PlacedEdge, hue: str) -> str:
    edge, box = placed.edge, placed.label
    parts = [
        f'<g class="edge-label" data-source={quoteattr(edge.source)} data-target={quoteattr(edge.target)}>',
        f'<rect class="label" {_rect(box)} rx="3"/>',
    ]
    for number, (numbers, event) in enumerate(placed.lines):
        y = box.y + LINE_PX * (number + 1) - 1.5
        parts.append(
            f'<text class="fixed" x="{box.x + 4:.1f}" y="{y:.1f}" font-size="{LABEL_SIZE}" '
            f'style="fill:{hue}"><tspan font-weight="bold">{numbers}</tspan> {escape(event)}</text>'
        )
    return "".join([*parts, "</g>"])


def _listed(line: ListedLine, hues: dict[str, str]) -> str:
    kind = ' class="fixed"' if line.is_fixed else ' class="faint"'
    style = f' style="fill:{hues[line.state]}"' if line.state else ""
    weight = ' font-weight="bold"' if line.is_bold else ""
    slant = ' font-style="italic"' if line.is_slanted else ""
    row = f' data-row="{line.number}"' if line.number else ""
    return (
        f'<text x="{line.x:.1f}" y="{line.y:.1f}" font-size="{line.size}"{kind}{row}{weight}{slant}{style}>'
        f"{escape(line.text)}</text>"
    )


def _rect(box: Box) -> str:
    return f'x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'
