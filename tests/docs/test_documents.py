"""What the documents say can be followed: links lead somewhere, commands exist, the example runs."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from dirigent.command_line import main

_ROOT = Path(__file__).parents[2]
_OUTSIDE_HOSTS = {"keepachangelog.com", "semver.org"}
"""The documents send nobody anywhere else."""

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
_MACHINE_PATH = re.compile(r"(?<![\w.`/])(/(?:home|root|work|tmp|Users|mnt|opt)/|[A-Z]:\\)")


def _documents() -> list[Path]:
    found = [path for path in _ROOT.rglob("*.md") if not _is_hidden(path)]
    assert _ROOT / "README.md" in found
    return sorted(found)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(_ROOT).parts)


_DOCUMENTS = pytest.mark.parametrize(
    "path", _documents(), ids=lambda path: path.relative_to(_ROOT).as_posix()
)


def _blocks(text: str, *languages: str) -> list[str]:
    """Code blocks of these languages, without the indentation of a list they stand in."""
    return [
        re.sub(f"^{match[1]}", "", match[3], flags=re.MULTILINE)
        for match in _FENCE.finditer(text)
        if match[2] in languages
    ]


def _prose(text: str) -> str:
    return _FENCE.sub("", text)


def _lines_typed(text: str) -> Iterator[str]:
    """What a reader would type: in a console block only what follows the prompt."""
    for block in _blocks(text, "sh"):
        yield from block.splitlines()
    for block in _blocks(text, "console"):
        yield from (line.removeprefix("$ ") for line in block.splitlines() if line.startswith("$ "))


def _commands(text: str) -> Iterator[list[str]]:
    """Every command as words, in shell blocks and in prose, up to a pipe, a redirection or a remark."""
    for line in (*_lines_typed(text), *_INLINE.findall(_prose(text))):
        typed = re.split(r"\s[|>#&]", line.strip())[0]
        if typed.startswith(("dirigent ", "make ")):
            yield shlex.split(typed)


def _anchors(path: Path) -> set[str]:
    """The anchors a code host makes of the headings: lower case, no punctuation, hyphens for blanks."""
    headings = _HEADING.findall(_FENCE.sub("", path.read_text(encoding="utf-8")))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _ask(words: list[str]) -> None:
    """Parses a command as the command line would, without running it; raises click.UsageError."""
    context = click.Context(main, info_name="dirigent")
    _, rest, _ = main.make_parser(context).parse_args(words[1:])
    if not rest:
        return
    _, command, arguments = main.resolve_command(context, rest)
    assert command is not None
    command.make_context(rest[0], list(arguments), parent=context)


@_DOCUMENTS
def test_every_relative_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    broken = []
    for target in _LINK.findall(_prose(path.read_text(encoding="utf-8"))):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        there = (path.parent / name).resolve() if name else path
        if not there.exists() or not there.is_relative_to(_ROOT):
            broken.append(f"{target}: no such file")
        elif anchor and anchor not in _anchors(there):
            broken.append(f"{target}: no such heading")
    assert not broken


@_DOCUMENTS
def test_every_command_exists_with_its_options(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    targets = set(re.findall(r"^([a-z-]+):", (_ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    wrong = []
    for words in _commands(path.read_text(encoding="utf-8")):
        if words[0] == "make":
            named = [word for word in words[1:] if "=" not in word and word != "..."]
            wrong += [f"make {name}: no such target" for name in named if name not in targets]
            continue
        for recording in (word for word in words if word == "FILE" or word.endswith(".csv")):
            (tmp_path / recording).touch()
        try:
            _ask(words)
        except click.UsageError as error:
            wrong.append(f"{' '.join(words)}: {error.format_message()}")
    assert not wrong


@pytest.mark.parametrize("words", [["paint"], ["trade", "--fast"], ["diagram", "house"], ["replay"]])
def test_a_command_that_does_not_exist_would_be_noticed(words: list[str]) -> None:
    with pytest.raises(click.UsageError):
        _ask(["dirigent", *words])


def test_the_tour_shows_the_commands_that_a_newcomer_needs() -> None:
    words = list(_commands((_ROOT / "README.md").read_text(encoding="utf-8")))
    shown = {command[1] for command in words if command[0] == "dirigent"}
    assert shown >= set(main.list_commands(click.Context(main)))
    assert ["make", "run"] in words
    assert ["make", "test"] in words


def test_the_readme_draws_the_position_machine_as_it_is_generated() -> None:
    readme = (_ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = _blocks(readme, "mermaid")
    assert block == (_ROOT / "diagrams" / "position.mmd").read_text(encoding="utf-8")
    assert "](diagrams/position.svg)" in readme


@_DOCUMENTS
def test_no_document_names_a_machine_or_sends_anybody_to_a_strange_host(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not _MACHINE_PATH.findall(text)
    hosts = set(re.findall(r"https?://([^/\s:)\"'>]+)", text))
    assert hosts <= _OUTSIDE_HOSTS | {"127.0.0.1"}


def test_every_decision_is_listed_and_says_context_decision_and_consequences() -> None:
    directory = _ROOT / "docs" / "decisions"
    records = sorted(path for path in directory.glob("*.md") if path.name != "README.md")
    index = (directory / "README.md").read_text(encoding="utf-8")
    assert [record.name for record in records] == re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", index)
    for number, record in enumerate(records, 1):
        text = record.read_text(encoding="utf-8")
        title, *headings = _HEADING.findall(text)
        assert title.startswith(f"{number}. "), record.name
        assert title.removeprefix(f"{number}. ") in index, record.name
        assert headings == ["Context", "Decision", "Consequences"], record.name


def test_the_example_of_the_api_page_runs_and_prints_what_the_page_says(tmp_path: Path) -> None:
    page = (_ROOT / "docs" / "api_introduction.md").read_text(encoding="utf-8")
    (script,) = _blocks(page, "python")
    (promised,) = _blocks(page, "text")
    first, second = (_run(script, tmp_path) for _ in range(2))
    assert first == promised
    assert "signal_is_new: signal morning-1 was offered before" in second.splitlines()[0]


def test_what_the_tour_shows_of_init_check_and_replay_is_what_they_say(tmp_path: Path) -> None:
    readme = (_ROOT / "README.md").read_text(encoding="utf-8")
    (script,) = _blocks(readme, "python")
    _run(script, tmp_path)
    told: list[str] = []
    typed = 0
    for line in "".join(_blocks(readme, "console")).splitlines():
        if line.startswith("$ "):
            words = shlex.split(line.removeprefix("$ "))
            is_repeatable = words[1] in ("init", "check") or "waves.sqlite" in words
            told = _type(words, tmp_path).splitlines() if is_repeatable else []
            assert told or not is_repeatable
            typed += is_repeatable
        elif line != "..." and told:
            assert line in told
    assert typed == 4


def _run(script: str, directory: Path) -> str:
    return _output([sys.executable, "-W", "error", "-c", script], directory)


def _type(words: list[str], directory: Path) -> str:
    assert words[0] == "dirigent"
    return _output([sys.executable, "-m", "dirigent.command_line", *words[1:]], directory)


def _output(command: list[str], directory: Path) -> str:
    ended = subprocess.run(
        command,
        cwd=directory,
        env={"PYTHONPATH": str(_ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout
