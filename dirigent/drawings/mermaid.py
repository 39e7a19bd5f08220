"""A machine as a Mermaid `stateDiagram-v2`, for pages that render Mermaid themselves."""

from dirigent.drawings.model import Drawing, Edge, Node


def render(drawing: Drawing) -> str:
    """One transition a pair of states, its moves as lines `number event [guards] / effects`."""
    lines = ["---", f"title: {drawing.title}", "---", "stateDiagram-v2", "    direction TB", ""]
    lines += [f"    state {node.name}" for node in drawing.nodes]
    lines += ["", f"    [*] --> {drawing.initial}"]
    lines += [_transition(edge) for edge in drawing.edges]
    lines += [f"    {node.name} --> [*]" for node in drawing.nodes if node.final]
    for node in drawing.nodes:
        lines += _note(node)
    if drawing.is_live:
        lines += ["", "    classDef live fill:#fff3bf,stroke:#b7791f,stroke-width:3px"]
        lines += [f"    class {node.name} live" for node in drawing.nodes if node.live]
    return "\n".join(lines) + "\n"


def _transition(edge: Edge) -> str:
    return f"    {edge.source} --> {edge.target}: {'<br/>'.join(move.label for move in edge.moves)}"


def _note(node: Node) -> list[str]:
    words = [node.meaning, node.wait, f"{node.live} here now" if node.live else ""]
    body = [f"        {word}" for word in words if word]
    return ["", f"    note right of {node.name}", *body, "    end note"]
