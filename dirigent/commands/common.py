"""What every command shares: the common options, on either side of its name, and faults as exit codes."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dirigent.configuration.problems import SettingsError
from fsm.commit import StoreConflict, StoreError

if TYPE_CHECKING:
    from dirigent.configuration.settings import Settings

DEFAULT_FILE = "dirigent.toml"

_FAULTS_OF_THE_DISK = (10, 11, 13)
"""SQLITE_IOERR, SQLITE_CORRUPT and SQLITE_FULL: the request was right, and could not be met."""

_UNUSED = "the configuration is not used"
_DATABASE_ALONE = "this command needs the database alone; --db FILE names it, whatever the configuration says"

Command = TypeVar("Command", bound=Callable[..., Any])


class Refused(click.ClickException):
    """The command did nothing, because of how it was asked or configured: exit code 2."""

    exit_code = 2

    def show(self, file: Any = None) -> None:
        click.echo(f"refused: {self.message}", file=file, err=True)


class Failed(click.ClickException):
    """The command was rightly asked and could not do it: exit code 1."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        click.echo(f"failed: {self.message}", file=file, err=True)


class Finite(click.FloatRange):
    """A float within bounds, and a number: `nan` compares as false with each of them, and `inf` is within many."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


@dataclass(slots=True)
class Common:
    """The common options, gathered from both sides of the command's name."""

    files: list[str] = field(default_factory=list)
    database: str | None = None
    verbosity: int = 0

    def settings(self, overrides: Mapping[str, Any] | None = None) -> "Settings":
        """Loads the configuration. Raises SettingsError."""
        from dirigent.configuration.settings import load_settings

        flags = dict(overrides or {})
        if self.database is not None:
            flags["database"] = self.database
        return load_settings(self.configuration_files(), flags)

    def configuration_files(self) -> list[str]:
        """The named files, or the default one where it exists."""
        if self.files:
            return self.files
        return [DEFAULT_FILE] if Path(DEFAULT_FILE).exists() else []

    def database_path(self) -> Path:
        """The database to read. With `--db` no configuration is needed, nor looked at."""
        if self.database is not None:
            return Path(self.database)
        try:
            return Path(self.settings().database)
        except SettingsError as error:
            raise Refused(f"{_UNUSED}\n{_listed(error)}\n  {_DATABASE_ALONE}") from None


def _add_files(context: click.Context, _parameter: click.Parameter, value: tuple[str, ...]) -> None:
    context.ensure_object(Common).files.extend(value)


def _set_database(context: click.Context, _parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.ensure_object(Common).database = value


def _add_verbosity(context: click.Context, _parameter: click.Parameter, value: int) -> None:
    context.ensure_object(Common).verbosity += value


def common_options(command: Command) -> Command:
    """Adds -c/--config, --db and -v to a command; what they say is in its `Common`, got by `pass_common`."""
    for option in (
        click.option(
            "-v",
            "--verbose",
            count=True,
            expose_value=False,
            callback=_add_verbosity,
            help="Log more: -v what happens, -vv why.",
        ),
        click.option(
            "--db",
            metavar="FILE",
            expose_value=False,
            callback=_set_database,
            help="The database, instead of the configured one.",
        ),
        click.option(
            "-c",
            "--config",
            metavar="FILE",
            multiple=True,
            expose_value=False,
            callback=_add_files,
            help=f"Configuration; repeatable, a later file wins. Default: {DEFAULT_FILE} if present.",
        ),
    ):
        command = option(command)
    return command


pass_common = click.make_pass_decorator(Common, ensure=True)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


@contextmanager
def faults_explained() -> Iterator[None]:
    """Turns every foreseeable fault into one message and an exit code."""
    try:
        yield
    except SettingsError as error:
        raise Refused(f"{_UNUSED}\n{_listed(error)}") from None
    except StoreError as error:
        broken = isinstance(error, StoreConflict) or _primary_code(error) in _FAULTS_OF_THE_DISK
        raise (Failed if broken else Refused)(str(error)) from None


def _primary_code(error: StoreError) -> int | None:
    """SQLite's code behind the error, where there is one."""
    code: int | None = getattr(error.__cause__, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def _listed(error: SettingsError) -> str:
    return "\n".join(f"  {problem}" for problem in error.problems)
