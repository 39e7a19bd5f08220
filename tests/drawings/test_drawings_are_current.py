"""The committed drawings are the ones that the tables give now, on any machine."""

from pathlib import Path

from dirigent.drawings.catalogue import FORMATS, TABLES, WRITE_COMMAND, draw, stale, write_all
from tests.fresh_process import ROOT, printed, printed_for_hash_seeds


def test_the_committed_drawings_are_current() -> None:
    behind = [path.name for path in stale(ROOT / "diagrams")]
    assert not behind, f"not what the tables say: {', '.join(behind)}; run: {WRITE_COMMAND}"


def test_no_drawing_is_left_over_from_a_machine_that_is_gone() -> None:
    expected = {"README.md"} | {
        f"{name}.{suffix}" for name in TABLES for suffix in ("mmd", "dot", "svg", "md")
    }
    assert {path.name for path in (ROOT / "diagrams").iterdir()} == expected


def test_writing_brings_every_file_up_to_date_and_says_which_it_changed(tmp_path: Path) -> None:
    directory = tmp_path / "diagrams"
    first = write_all(directory)
    assert len(first) == 1 + len(TABLES) * len(FORMATS)
    assert stale(directory) == []
    edited = directory / "pair.mmd"
    edited.write_text(edited.read_text(encoding="utf-8") + "edited by hand\n", encoding="utf-8")
    (directory / "order.svg").unlink()
    assert stale(directory) == [edited, directory / "order.svg"]
    assert write_all(directory) == [edited, directory / "order.svg"]
    assert write_all(directory) == []


def test_drawings_do_not_depend_on_the_hash_seed_of_the_process() -> None:
    script = (
        "import hashlib\n"
        "from dirigent.drawings.catalogue import FORMATS, TABLES, draw\n"
        "texts = ''.join(draw(n, f, {s: 2 for s in TABLES[n].by_name}) for n in TABLES for f in FORMATS)\n"
        "print(hashlib.sha256(texts.encode()).hexdigest())\n"
    )
    assert len(printed_for_hash_seeds(script, "0", "1", "77")) == 1


def test_a_drawing_is_the_same_each_time_it_is_made() -> None:
    assert draw("order", "svg") == draw("order", "svg")


def test_only_the_svg_needs_the_layout_library() -> None:
    script = (
        "import sys\n"
        "from dirigent.drawings.catalogue import draw\n"
        "for format in ('mermaid', 'dot', 'markdown'):\n"
        "    draw('order', format)\n"
        "print('grandalf' in sys.modules)\n"
        "draw('order', 'svg')\n"
        "print('grandalf' in sys.modules)\n"
    )
    assert printed(script).split() == ["False", "True"]
