"""A machine in Graphviz' DOT language."""

from dirigent.drawings.model import Drawing, Edge, Node


def render(drawing: Drawing) -> str:
    """One edge a pair of states; a point marks the start, a double border a final state."""
    lines = [
        f"digraph {_quoted(drawing.name)} {{",
        f"    label={_quoted(drawing.title)}; labelloc=t; fontname=Helvetica; fontsize=16;",
        "    rankdir=TB; nodesep=0.5; ranksep=0.7;",
        '    node [shape=box, style="rounded,filled", fillcolor=white, fontname=Helvetica, fontsize=11];',
        "    edge [fontname=Helvetica, fontsize=9];",
        '    " start" [shape=point, width=0.16, label=""];',
    ]
    lines += [_node(node) for node in drawing.nodes]
    lines.append(f'    " start" -> {_quoted(drawing.initial)};')
    lines += [_edge(edge) for edge in drawing.edges]
    return "\n".join([*lines, "}"]) + "\n"


def _node(node: Node) -> str:
    words = [node.name, node.meaning, node.wait, f"{node.live} here now" if node.live else ""]
    attributes = f"label={_quoted(*filter(None, words))}"
    if node.final:
        attributes += ", peripheries=2"
    if node.live:
        attributes += ', fillcolor="#fff3bf", color="#b7791f", penwidth=3'
    return f"    {_quoted(node.name)} [{attributes}];"


def _edge(edge: Edge) -> str:
    label = _quoted(*(move.label for move in edge.moves), end="\\l")
    return f"    {_quoted(edge.source)} -> {_quoted(edge.target)} [label={label}];"


def _quoted(*lines: str, end: str = "") -> str:
    """One DOT string. Several lines are joined by `\\n`; or each ends in `end` (`\\l`: flush left)."""
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"') for line in lines]
    text = "".join(line + end for line in escaped) if end else "\\n".join(escaped)
    return f'"{text}"'
