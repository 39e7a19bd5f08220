"""Coordinates for ordered layers: each item as near to its neighbours' axis as its layer allows."""

from math import fsum

from dirigent.drawings.layers import Item, Layering

_SPACE_PX = 14.0
_ROUNDS = 150
_GAP_PX = 30.0
_GAP_MAX_PX = 84.0


def place(layering: Layering) -> None:
    """Sets `x` and `y` of every item; the leftmost edge is 0, the uppermost too."""
    for layer in layering.layers:
        at = 0.0
        for item in layer:
            item.x = at + item.left
            at = item.x + item.right + _SPACE_PX
        middle = at / 2
        for item in layer:
            item.x -= middle
    for number in range(_ROUNDS):
        ordered = layering.layers if number % 2 == 0 else layering.layers[::-1]
        for layer in ordered:
            _settle(layer)
    leftmost = min(item.x - item.left for layer in layering.layers for item in layer)
    for layer in layering.layers:
        for item in layer:
            item.x = round(item.x - leftmost, 1)
    _stack(layering.layers)


def _settle(layer: list[Item]) -> None:
    """Moves a layer's items towards their neighbours without changing their order or letting them touch.

    Weighted least squares under order constraints, by pooling adjacent violators.
    """
    offset = 0.0
    offsets: list[float] = []
    for index, item in enumerate(layer):
        if index:
            offset += layer[index - 1].right + _SPACE_PX + item.left
        offsets.append(offset)
    blocks: list[list[float]] = []
    for item, shift in zip(layer, offsets, strict=True):
        weight, wish = _wish(item)
        blocks.append([wish - shift, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, heavy, count = blocks.pop()
            before = blocks[-1]
            total = before[1] + heavy
            blocks[-1] = [(before[0] * before[1] + mean * heavy) / total, total, before[2] + count]
    index = 0
    for mean, _, count in blocks:
        for _ in range(int(count)):
            layer[index].x = mean + offsets[index]
            index += 1


def _wish(item: Item) -> tuple[float, float]:
    """How much it matters where the item stands, and where it should."""
    near = [(_pull(item, other), other.x) for other in (*item.above, *item.below)]
    total = fsum(pull for pull, _ in near)
    if not near:
        return 0.1, item.x
    return total, fsum(pull * x for pull, x in near) / total


def _pull(item: Item, other: Item) -> float:
    """A passing line that bends is the ugliest, so its parts pull hardest at each other."""
    return (1.0, 3.0, 12.0)[item.is_lane + other.is_lane]


def _stack(layers: list[list[Item]]) -> None:
    at = 0.0
    for number, layer in enumerate(layers):
        height = max(item.height for item in layer)
        for item in layer:
            item.y = at + (height - item.height) / 2
        widest = max((abs(item.x - other.x) for item in layer for other in item.below), default=0.0)
        is_last = number == len(layers) - 1
        at += height + (0.0 if is_last else round(min(_GAP_PX + 0.1 * widest, _GAP_MAX_PX), 1))
