"""Which item stands in which layer, in which order: Sugiyama's layering, by grandalf, with fewer crossings.

Labels are items like boxes, and a line that passes a layer has an item of its own there; so nothing can
lie on anything else once the items of a layer are kept apart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import fsum
from typing import Any

_LANE_PX = 7.0
_SWEEPS = 24


@dataclass(slots=True, eq=False)
class Item:
    """A box, a label or a passing line. `x` is its axis; it reaches `left` and `right` from there."""

    left: float
    right: float
    height: float
    x: float = 0.0
    y: float = 0.0
    """The upper edge."""
    above: list["Item"] = field(default_factory=list)
    below: list["Item"] = field(default_factory=list)

    @property
    def is_lane(self) -> bool:
        """A line that only passes this layer."""
        return self.height == 0


@dataclass(frozen=True, slots=True)
class Wire:
    """A connection between two items; the layout turns it downwards when `is_upward`."""

    start: Item
    end: Item
    is_upward: bool


@dataclass(slots=True)
class Layering:
    layers: list[list[Item]]
    chains: dict[Wire, list[Item]]
    """The items of each wire from the top down, its ends included."""


def layered(items: Sequence[Item], wires: Sequence[Wire], root: Item) -> Layering:
    """Every item in a layer below those that its wires come from. All items must hang together."""
    from grandalf.graphs import Edge, Graph, Vertex
    from grandalf.layouts import SugiyamaLayout, VertexViewer

    vertices = {id(item): Vertex(item) for item in items}
    for item in items:
        vertices[id(item)].view = VertexViewer(item.left + item.right, item.height)
    edges = [Edge(vertices[id(wire.start)], vertices[id(wire.end)]) for wire in wires]
    graph = Graph([vertices[id(item)] for item in items], edges)
    if len(graph.C) != 1:
        raise ValueError("the drawing falls into parts that no move connects")
    layout = SugiyamaLayout(graph.C[0])
    upward = [edge for edge, wire in zip(edges, wires, strict=True) if wire.is_upward]
    layout.init_all(roots=[vertices[id(root)]], inverted_edges=upward)
    stand_ins: dict[int, Item] = {}
    layers = [[_item_of(vertex, stand_ins) for vertex in layer] for layer in layout.layers]
    chains = {
        wire: _chain(wire, layout.ctrls.get(edge), stand_ins) for wire, edge in zip(wires, edges, strict=True)
    }
    for chain in chains.values():
        for upper, lower in pairwise(chain):
            upper.below.append(lower)
            lower.above.append(upper)
    _uncross(layers)
    return Layering(layers, chains)


def _item_of(vertex: Any, stand_ins: dict[int, Item]) -> Item:
    data: Item | None = getattr(vertex, "data", None)
    if data is not None:
        return data
    return stand_ins.setdefault(id(vertex), Item(_LANE_PX, _LANE_PX, 0.0))


def _chain(wire: Wire, by_rank: dict[int, Any] | None, stand_ins: dict[int, Item]) -> list[Item]:
    if by_rank is None:
        return [wire.end, wire.start] if wire.is_upward else [wire.start, wire.end]
    return [_item_of(by_rank[rank], stand_ins) for rank in sorted(by_rank)]


def _uncross(layers: list[list[Item]]) -> None:
    """Sweeps by barycentre, then swaps neighbours while that helps; keeps the best order that was seen."""
    best, fewest = [list(layer) for layer in layers], _crossings(layers)
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        for layer, fixed in _sweep(layers, downwards):
            _order_by_mean(layer, fixed, downwards)
        _swap_neighbours(layers)
        if (crossings := _crossings(layers)) < fewest:
            best, fewest = [list(layer) for layer in layers], crossings
    for layer, order in zip(layers, best, strict=True):
        layer[:] = order


def _sweep(layers: list[list[Item]], downwards: bool) -> Iterator[tuple[list[Item], list[Item]]]:
    ordered = layers if downwards else layers[::-1]
    for fixed, layer in pairwise(ordered):
        yield layer, fixed


def _order_by_mean(layer: list[Item], fixed: list[Item], downwards: bool) -> None:
    place = {id(item): index for index, item in enumerate(fixed)}
    means: dict[int, float] = {}
    for index, item in enumerate(layer):
        near = [place[id(other)] for other in (item.above if downwards else item.below)]
        means[id(item)] = fsum(near) / len(near) if near else float(index)
    layer.sort(key=lambda item: means[id(item)])


def _swap_neighbours(layers: list[list[Item]]) -> None:
    is_improving = True
    while is_improving:
        is_improving = False
        places = [{id(item): index for index, item in enumerate(layer)} for layer in layers]
        around = [{}, *places, {}]
        for number, layer in enumerate(layers):
            upper, lower = around[number], around[number + 2]
            for index in range(len(layer) - 1):
                first, second = layer[index], layer[index + 1]
                if _pair_crossings(first, second, upper, lower) > _pair_crossings(
                    second, first, upper, lower
                ):
                    layer[index], layer[index + 1] = second, first
                    is_improving = True
            around[number + 1] = {id(item): index for index, item in enumerate(layer)}


def _pair_crossings(first: Item, second: Item, upper: dict[int, int], lower: dict[int, int]) -> int:
    """Crossings of the lines of two neighbours when `first` stands left of `second`."""
    return sum(
        place[id(a)] > place[id(b)]
        for place, mine, theirs in ((upper, first.above, second.above), (lower, first.below, second.below))
        for a in mine
        for b in theirs
    )


def _crossings(layers: list[list[Item]]) -> int:
    total = 0
    for upper, lower in pairwise(layers):
        place = {id(item): index for index, item in enumerate(lower)}
        ends = [
            place[id(below)] for item in upper for below in sorted(item.below, key=lambda b: place[id(b)])
        ]
        total += sum(a > b for index, a in enumerate(ends) for b in ends[index + 1 :])
    return total
