"""Logs: events with fields, levels, the rotated file, and no secret in any of them."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from loguru import logger

from dirigent.configuration.problems import SettingsError
from dirigent.configuration.sections import LoggingSection
from dirigent.logging_secrets import MASK, forget_secrets, masked, masked_text, redact, secrets_in
from dirigent.logging_setup import configure_logging

SECRET = "Zx81-very-private"


@pytest.fixture(autouse=True)
def _sinks_are_removed() -> Iterator[None]:
    yield
    logger.remove()
    logger.configure(patcher=lambda record: None)
    forget_secrets()


def to_file(path: Path, *, json_lines: bool = False, level: str = "INFO") -> None:
    section = LoggingSection.model_validate({"file": str(path), "json": json_lines, "level": level})
    configure_logging(section, terminal=True, secrets=[SECRET])


def test_an_event_is_one_line_with_its_fields(tmp_path: Path) -> None:
    to_file(tmp_path / "log")
    logger.bind(symbol="BTC/USDT", why="price too old").info("entry_refused")
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert line.endswith("INFO    entry_refused symbol=BTC/USDT why='price too old'")
    assert line.split(" ")[0].endswith("Z")


def test_braces_and_markup_in_a_message_stay_as_they_are(tmp_path: Path) -> None:
    to_file(tmp_path / "log")
    logger.bind(answer="{x} <red>").warning("odd {y} <b>")
    assert "odd {y} <b> answer='{x} <red>'" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("json_lines", [False, True])
def test_a_registered_secret_is_masked_wherever_it_stands(tmp_path: Path, json_lines: bool) -> None:
    to_file(tmp_path / "log", json_lines=json_lines)

    class Answer:
        def __str__(self) -> str:
            return f"Answer({SECRET})"

    logger.info(f"sent with {SECRET} inside")
    logger.bind(url=f"https://host/?k={SECRET}", nested={"deep": [SECRET]}, answer=Answer()).info("asked")
    text = (tmp_path / "log").read_text()
    assert SECRET not in text
    assert text.count(MASK) >= 4


@pytest.mark.parametrize("json_lines", [False, True])
def test_a_secret_in_an_exception_and_in_its_cause_is_masked(tmp_path: Path, json_lines: bool) -> None:
    to_file(tmp_path / "log", json_lines=json_lines)
    try:
        try:
            dict[str, str]()[SECRET]
        except KeyError as cause:
            raise ValueError(f"request with {SECRET} failed") from cause
    except ValueError:
        logger.exception("request_failed")
    text = (tmp_path / "log").read_text()
    assert SECRET not in text
    assert "ValueError: request with *** failed" in text
    assert "KeyError: '***'" in text


def test_json_lines_are_objects_with_the_fields_under_extra(tmp_path: Path) -> None:
    to_file(tmp_path / "log", json_lines=True)
    logger.bind(symbol="BTC/USDT", apiKey="abc", count=3).info("order_sent")
    (line,) = (tmp_path / "log").read_text().splitlines()
    record = json.loads(line)["record"]
    assert record["message"] == "order_sent"
    assert record["extra"] == {"symbol": "BTC/USDT", "apiKey": MASK, "count": 3}


@pytest.mark.parametrize(
    "text",
    [
        "apiKey=abcdef",
        "'secret': 'abcdef'",
        '"api_secret": "abcdef"',
        "password: abcdef",
        "GET /order?symbol=BTC&signature=abcdef&recv=5",
        "Authorization: Bearer abcdef",
        "access_token=abcdef",
        "privateKey = abcdef",
    ],
)
def test_what_is_assigned_to_a_secret_key_is_masked_unregistered(text: str) -> None:
    assert "abcdef" not in masked_text(text)
    assert MASK in masked_text(text)


def test_ordinary_texts_pass_unchanged() -> None:
    text = "position btc1x opened at 63000.5: signal_is_new holds; key=value"
    assert masked_text(text) == text


@given(st.text(min_size=4, max_size=40), st.text(max_size=20), st.text(max_size=20))
@hypothesis_settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow])
def test_no_registered_value_survives_masking(secret: str, before: str, after: str) -> None:
    redact(secret)
    shown = masked({"text": before + secret + after, "list": [secret]})
    assert secret not in shown["list"][0] or secret in MASK
    assert secret not in shown["text"].replace(MASK, "")


def test_the_secrets_of_nested_options_are_found() -> None:
    options = {"apiKey": "k1", "timeout": 5, "inner": {"password": "p1", "name": "n"}, "token": None}
    assert secrets_in(options) == ["k1", "p1"]


@pytest.mark.parametrize(
    ("verbosity", "heard"),
    [
        (0, ["WARNING"]),
        (1, ["INFO", "WARNING"]),
        (2, ["DEBUG", "INFO", "WARNING"]),
        (5, ["DEBUG", "INFO", "WARNING"]),
    ],
)
def test_a_terminal_hears_more_with_each_v(
    capsys: pytest.CaptureFixture[str], verbosity: int, heard: list[str]
) -> None:
    configure_logging(LoggingSection(), verbosity=verbosity, terminal=True)
    for level in ("DEBUG", "INFO", "WARNING"):
        logger.log(level, f"said_{level}")
    said = capsys.readouterr().err
    assert [level for level in ("DEBUG", "INFO", "WARNING") if f"said_{level}" in said] == heard


def test_a_stderr_that_is_no_terminal_gets_the_configured_level_without_colour(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging(LoggingSection(level="INFO"), terminal=False)
    logger.debug("unheard")
    logger.info("heard")
    said = capsys.readouterr().err
    assert "heard" in said
    assert "unheard" not in said
    assert "\x1b" not in said


def test_a_stderr_that_is_no_terminal_speaks_json_when_configured(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LoggingSection.model_validate({"json": True}), terminal=False)
    logger.info("heard")
    assert json.loads(capsys.readouterr().err)["record"]["message"] == "heard"


def test_a_full_file_is_rotated_and_nothing_is_lost(tmp_path: Path) -> None:
    section = LoggingSection(file=str(tmp_path / "log"), rotation="1 KB")
    configure_logging(section, terminal=True)
    for number in range(100):
        logger.bind(number=number).info("counted")
    files = sorted(tmp_path.iterdir())
    assert len(files) > 1
    lines = "".join(path.read_text() for path in files).splitlines()
    assert sorted(int(line.rsplit("=", 1)[1]) for line in lines) == list(range(100))


def test_a_file_that_cannot_be_written_is_a_problem_of_its_key(tmp_path: Path) -> None:
    section = LoggingSection(file=str(tmp_path))
    with pytest.raises(SettingsError, match=r"logging\.file"):
        configure_logging(section, terminal=True)


def test_pythons_own_logging_is_left_alone(tmp_path: Path) -> None:
    handlers = list(logging.getLogger().handlers)
    to_file(tmp_path / "log", level="DEBUG")
    logging.getLogger("transitions.core").debug("initialised machine")
    assert logging.getLogger().handlers == handlers
    assert "initialised machine" not in (tmp_path / "log").read_text()
