"""Logs as events with fields: on the terminal, in a rotated file, as text or JSON, and never with a secret.

Log with `logger.bind(symbol=..., order=...).info("order_sent")`: the event, then what is known of it.
Python's own logging stays as it is: what the machines' library says below WARNING is never heard.
"""

import sys
import traceback
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from loguru import logger

from dirigent.configuration.problems import Problem, SettingsError
from dirigent.logging_secrets import mask_the_uncaught, masked, masked_text, redact

if TYPE_CHECKING:
    from loguru import Record

    from dirigent.configuration.sections import LoggingSection

_LEVELS_BY_VERBOSITY = ("WARNING", "INFO", "DEBUG")
_LINE = "{time:YYYY-MM-DDTHH:mm:ss.SSS!UTC}Z {level: <7} {message}{extra}"
_TERMINAL_LINE = "<dim>{time:HH:mm:ss.SSS}</dim> <level>{level: <7}</level> {message}{extra}"
_RANKS = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR")


def configure_logging(
    section: "LoggingSection",
    *,
    verbosity: int = 0,
    terminal: bool | None = None,
    secrets: Iterable[str] = (),
) -> None:
    """Replaces every sink. Raises SettingsError when the configured file cannot be written.

    A terminal shows warnings, with -v what happens and with -vv why; a stderr that is no terminal gets the
    configured level, lowered by -v and -vv, and JSON when configured. The file gets the configured level.
    """
    for secret in secrets:
        redact(secret)
    mask_the_uncaught()
    on_terminal = sys.stderr.isatty() if terminal is None else terminal
    asked = _LEVELS_BY_VERBOSITY[min(verbosity, 2)]
    logger.remove()
    logger.configure(patcher=_without_secrets)
    logger.add(
        sys.stderr,
        level=asked if on_terminal else _lower(section.level, asked),
        format=_TERMINAL_LINE if on_terminal else _LINE,
        colorize=on_terminal,
        serialize=section.json_lines and not on_terminal,
        backtrace=False,
        diagnose=False,
    )
    if section.file is not None:
        _add_file(section, section.file)


def _add_file(section: "LoggingSection", file: str) -> None:
    try:
        logger.add(
            file,
            level=section.level,
            format=_LINE,
            serialize=section.json_lines,
            rotation=section.rotation,
            retention=section.retention,
            encoding="utf-8",
            backtrace=False,
            diagnose=False,
        )
    except OSError as error:
        fault = (error.strerror or str(error)).lower()
        raise SettingsError(
            [Problem("", "logging.file", f'"{file}"', fault, "name a file that can be written")]
        ) from None


def _lower(one: str, other: str) -> str:
    return min(one, other, key=_RANKS.index)


class _Fields(dict[str, Any]):
    """The fields of one event: in a line of text ` name=value` each, an exception on lines of its own."""

    def __format__(self, _specification: str) -> str:
        text = "".join(f" {name}={_quoted(value)}" for name, value in self.items() if name != "exception")
        return f"{text}\n{self['exception']}" if "exception" in self else text


def _quoted(value: Any) -> str:
    text = str(value)
    return repr(text) if not text or any(character.isspace() for character in text) else text


def _without_secrets(record: "Record") -> None:
    """Runs once for each line, before any sink sees it.

    An exception's text is made here and kept as the field `exception`: what a sink would format itself,
    from the exception's own values, could not be masked.
    """
    record["message"] = masked_text(record["message"])
    fields = _Fields(masked(record["extra"]))
    exception = record["exception"]
    if exception is not None and exception.value is not None:
        fields["exception"] = masked_text("".join(traceback.format_exception(exception.value)).rstrip())
    record["exception"] = None
    record["extra"] = fields
