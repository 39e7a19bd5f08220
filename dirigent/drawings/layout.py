"""Where everything of a machine's picture goes: boxes, labels and lines that keep clear of each other."""

from collections.abc import Mapping
from dataclasses import dataclass

from dirigent.drawings.layers import Item, Layering, Wire, layered
from dirigent.drawings.lettering import fixed_width, prose_width, wrapped
from dirigent.drawings.model import Drawing, Edge, Node
from dirigent.drawings.placing import place

NAME_SIZE, SMALL_SIZE, LABEL_SIZE = 14.0, 10.5, 10.5
LINE_PX, NAME_LINE_PX, PADDING_PX = 13.5, 20.0, 10.0
START_PX = 40.0
"""Room left of the initial box for the mark that leads into it."""
LOOP_PX = 30.0
_BOX_WIDTH_PX = 180.0
_PORT_SPACE_PX = 15.0


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle by its upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class PlacedNode:
    node: Node
    box: Box
    small_lines: tuple[str, ...]
    """The meaning, broken into lines; the wait, if any, is a line of its own below."""


@dataclass(frozen=True, slots=True)
class Lane:
    """Where a line runs straight down, between two curves."""

    x: float
    top: float
    bottom: float


@dataclass(frozen=True, slots=True)
class PlacedEdge:
    """`lanes` lead from the source to the target; none for a loop, which leaves and enters on the right."""

    edge: Edge
    label: Box
    lines: tuple[tuple[str, str], ...]
    """Numbers and event."""
    lanes: tuple[Lane, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    nodes: tuple[PlacedNode, ...]
    edges: tuple[PlacedEdge, ...]
    width: float
    height: float


def laid_out(drawing: Drawing) -> Picture:
    """The picture of a machine; its upper left corner is at 0, 0."""
    loops = {edge.source: edge for edge in drawing.edges if edge.is_loop}
    items = {node.name: _node_item(node, loops.get(node.name)) for node in drawing.nodes}
    labels = {(edge.source, edge.target): _label_item(edge) for edge in drawing.edges if not edge.is_loop}
    order = {node.name: index for index, node in enumerate(drawing.nodes)}
    wires: dict[tuple[str, str], tuple[Wire, Wire]] = {}
    for (source, target), label in labels.items():
        is_upward = order[source] > order[target]
        wires[source, target] = (
            Wire(items[source], label, is_upward),
            Wire(label, items[target], is_upward),
        )
    every_wire = [wire for both in wires.values() for wire in both]
    layering = layered([*items.values(), *labels.values()], every_wire, items[drawing.initial])
    place(layering)
    boxes = {node.name: _box(items[node.name], _node_size(node)) for node in drawing.nodes}
    lanes = _lanes(layering, wires, items, boxes)
    everything = [item for layer in layering.layers for item in layer]
    return Picture(
        nodes=tuple(
            PlacedNode(node, boxes[node.name], tuple(_meaning_lines(node))) for node in drawing.nodes
        ),
        edges=tuple(_placed(edge, boxes, labels, lanes) for edge in drawing.edges),
        width=max(item.x + item.right for item in everything),
        height=max(item.y + item.height for item in everything),
    )


def _meaning_lines(node: Node) -> list[str]:
    return wrapped(node.meaning, SMALL_SIZE, _BOX_WIDTH_PX - 2 * PADDING_PX)


def _node_size(node: Node) -> tuple[float, float]:
    texts = [*_meaning_lines(node), node.wait]
    widest = max(prose_width(node.name, NAME_SIZE) + 40, *(prose_width(text, SMALL_SIZE) for text in texts))
    small = len(_meaning_lines(node)) + bool(node.wait)
    return (
        max(round(widest + 2 * PADDING_PX), 120.0),
        NAME_LINE_PX + small * LINE_PX + 2 * PADDING_PX - 4,
    )


def label_lines(edge: Edge) -> tuple[tuple[str, str], ...]:
    """Each event once, led by the numbers of its rows."""
    return tuple((", ".join(map(str, numbers)), event) for event, numbers in edge.numbers_by_event)


def _label_size(edge: Edge) -> tuple[float, float]:
    lines = label_lines(edge)
    widest = max(fixed_width(f"{numbers} {event}", LABEL_SIZE) for numbers, event in lines)
    return round(widest + 8), len(lines) * LINE_PX + 5


def _node_item(node: Node, loop: Edge | None) -> Item:
    width, height = _node_size(node)
    right = width / 2
    if loop:
        loop_width, loop_height = _label_size(loop)
        right += LOOP_PX + loop_width
        height = max(height, loop_height)
    return Item(width / 2 + (START_PX if node.initial else 0), right, height)


def _label_item(edge: Edge) -> Item:
    width, height = _label_size(edge)
    return Item(width / 2, width / 2, height)


def _box(item: Item, size: tuple[float, float]) -> Box:
    width, height = size
    return Box(item.x - width / 2, item.y + (item.height - height) / 2, width, height)


def _placed(
    edge: Edge,
    boxes: Mapping[str, Box],
    labels: Mapping[tuple[str, str], Item],
    lanes: Mapping[tuple[str, str], tuple[Lane, ...]],
) -> PlacedEdge:
    width, height = _label_size(edge)
    if edge.is_loop:
        box = boxes[edge.source]
        at = Box(box.x + box.width + LOOP_PX, box.y + (box.height - height) / 2, width, height)
        return PlacedEdge(edge, at, label_lines(edge), ())
    item = labels[edge.source, edge.target]
    at = Box(item.x - width / 2, item.y, width, height)
    return PlacedEdge(edge, at, label_lines(edge), lanes[edge.source, edge.target])


def _lanes(
    layering: Layering,
    wires: Mapping[tuple[str, str], tuple[Wire, Wire]],
    items: Mapping[str, Item],
    boxes: Mapping[str, Box],
) -> dict[tuple[str, str], tuple[Lane, ...]]:
    bands = {id(item): _band(layer) for layer in layering.layers for item in layer}
    ports = _ports(layering, wires, items, boxes)
    result: dict[tuple[str, str], tuple[Lane, ...]] = {}
    for (source, target), (first, second) in wires.items():
        upper, lower = (first, second) if not first.is_upward else (second, first)
        chain = [*layering.chains[upper], *layering.chains[lower][1:]]
        top_name, bottom_name = (target, source) if first.is_upward else (source, target)
        top_box, bottom_box = boxes[top_name], boxes[bottom_name]
        down = [Lane(ports[id(upper)], top_box.y + top_box.height, bands[id(chain[0])][1])]
        down += [Lane(item.x, *bands[id(item)]) for item in chain[1:-1]]
        down.append(Lane(ports[id(lower)], bands[id(chain[-1])][0], bottom_box.y))
        if first.is_upward:
            down = [Lane(lane.x, lane.bottom, lane.top) for lane in reversed(down)]
        result[source, target] = tuple(down)
    return result


def _band(layer: list[Item]) -> tuple[float, float]:
    return min(item.y for item in layer), max(item.y + item.height for item in layer)


def _ports(
    layering: Layering,
    wires: Mapping[tuple[str, str], tuple[Wire, Wire]],
    items: Mapping[str, Item],
    boxes: Mapping[str, Box],
) -> dict[int, float]:
    """Where each wire meets its box, by the wire's identity; side by side, ordered by the next stops."""
    names = {id(item): name for name, item in items.items()}
    sides: dict[tuple[str, bool], list[tuple[float, Wire]]] = {}
    for both in wires.values():
        for wire in both:
            chain = layering.chains[wire]
            if id(chain[0]) in names:
                sides.setdefault((names[id(chain[0])], False), []).append((chain[1].x, wire))
            else:
                sides.setdefault((names[id(chain[-1])], True), []).append((chain[-2].x, wire))
    found: dict[int, float] = {}
    for (name, _), meeting in sides.items():
        box = boxes[name]
        meeting.sort(key=lambda pair: pair[0])
        space = min(_PORT_SPACE_PX, (box.width - 24) / max(len(meeting) - 1, 1))
        first = box.x + box.width / 2 - space * (len(meeting) - 1) / 2
        for index, (_, wire) in enumerate(meeting):
            found[id(wire)] = first + space * index
    return found
