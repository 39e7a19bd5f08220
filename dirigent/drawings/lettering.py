"""How wide text will be, estimated the same on every machine, and where to break it."""

from math import fsum

FIXED_FAMILY = "DejaVu Sans Mono, Menlo, Consolas, monospace"
PROSE_FAMILY = "Helvetica, Arial, DejaVu Sans, sans-serif"

_FIXED_EM = 0.605
_NARROW_EM, _USUAL_EM, _WIDE_EM = 0.36, 0.6, 0.92
"""Upper bounds of the families above, so that text never leaves what was reserved for it."""
_NARROW, _WIDE = frozenset("ijltf.,:;'|!()[] "), frozenset("mwMWGOQ@%")


def fixed_width(text: str, size: float) -> float:
    return len(text) * _FIXED_EM * size


def prose_width(text: str, size: float) -> float:
    return size * fsum(
        _NARROW_EM if letter in _NARROW else _WIDE_EM if letter in _WIDE else _USUAL_EM for letter in text
    )


def wrapped(text: str, size: float, width: float) -> list[str]:
    """Prose broken at blanks into lines of at most `width`; a word that is wider has a line of its own."""
    lines: list[str] = []
    for word in text.split():
        if lines and prose_width(f"{lines[-1]} {word}", size) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines
