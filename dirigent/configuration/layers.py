"""Where settings are written: flags, the environment and files, each value with the name of its source."""

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from dirigent.configuration.problems import Problem, SettingsError
from dirigent.configuration.strategy_files import with_anchored_strategies
from dirigent.logging_secrets import MASK, is_secret_key
from services.exchanges.ccxt_exchange.options import CREDENTIALS

PREFIX = "DIRIGENT_"
KeyPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """The values of one source. `variables` names the environment variable of each value it set."""

    source: str
    values: Mapping[str, Any]
    variables: Mapping[KeyPath, str] = field(default_factory=dict)

    def source_of(self, path: KeyPath) -> str:
        for end in range(len(path), 0, -1):
            if variable := self.variables.get(path[:end]):
                return variable
        return self.source

    def written(self, path: KeyPath) -> tuple[int, Any]:
        """How much of the path is written here, and what stands there."""
        value: Any = self.values
        for depth, key in enumerate(path):
            try:
                value = value[key]
            except (KeyError, IndexError, TypeError):
                return depth, value
        return len(path), value


WRITE_ONE = "name an existing file, or write one with `dirigent init`"


def file_layer(path: Path, if_missing: str = WRITE_ONE) -> Layer:
    """Reads one TOML file. Raises SettingsError when it cannot be read or is not TOML."""
    try:
        written = tomllib.loads(path.read_text(encoding="utf-8"))
        return Layer(str(path), with_anchored_strategies(written, path.parent))
    except FileNotFoundError:
        problem = _of_file(path, "no such file", if_missing)
    except OSError as error:
        problem = _of_file(path, (error.strerror or str(error)).lower(), "name a file that can be read")
    except UnicodeDecodeError as error:
        problem = _of_file(path, f"not UTF-8 text at byte {error.start}", "save the file as UTF-8")
    except tomllib.TOMLDecodeError as error:
        problem = _of_file(path, f"not TOML: {error}", "correct that place")
    raise SettingsError([problem])


def _of_file(path: Path, message: str, remedy: str) -> Problem:
    return Problem(str(path), "", "", message, remedy)


def environment_layer(root: type[BaseModel], environment: Mapping[str, str]) -> tuple[Layer, list[Problem]]:
    """What the `DIRIGENT_` variables set, and a problem for each that sets nothing or is badly written."""
    values: dict[str, Any] = {}
    variables: dict[KeyPath, str] = {}
    problems: list[Problem] = []
    for variable in sorted(name for name in environment if name.startswith(PREFIX)):
        written = environment[variable]
        try:
            path, value = _parse(root, variable, written)
        except _BadVariableError as error:
            problems.append(Problem(variable, error.key, error.shown, error.message, error.remedy))
            continue
        _put(values, path, value)
        variables[path] = variable
    return Layer("environment", values, variables), problems


class _BadVariableError(Exception):
    def __init__(self, key: str, shown: str, message: str, remedy: str) -> None:
        self.key, self.shown, self.message, self.remedy = key, shown, message, remedy
        super().__init__(message)


def _parse(root: type[BaseModel], variable: str, written: str) -> tuple[tuple[str, ...], Any]:
    parts = variable.removeprefix(PREFIX).split("__")
    model: type[BaseModel] | None = root
    path: list[str] = []
    annotation: Any = root
    for part in parts:
        if model is None:
            if not _is_mapping(annotation) or not part:
                raise _BadVariableError(
                    ".".join(path), "", "no setting below this one", f"set {_name(path)} itself"
                )
            path.append(_free_key(part))
            annotation = Any
            continue
        fields = dict(named_fields(model))
        if part.lower() not in fields:
            known = [_name([*path, name]) for name in fields]
            guess = nearest_variable(_name([*path, part.lower()]), known)
            raise _BadVariableError("", "", "unknown variable", guess)
        path.append(part.lower())
        annotation = fields[part.lower()].annotation
        model = model_in(annotation)
    if model is not None or _is_compound(annotation):
        return tuple(path), _from_json(path, written)
    return tuple(path), written


def _from_json(path: Sequence[str], written: str) -> Any:
    try:
        return json.loads(written)
    except json.JSONDecodeError as error:
        raise _BadVariableError(
            ".".join(path),
            MASK if any(map(is_secret_key, path)) else repr(written),
            f"not JSON: {error}",
            "write the whole value as JSON",
        ) from None


def nearest_variable(wrong: str, known: list[str]) -> str:
    from difflib import get_close_matches

    close = get_close_matches(wrong, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]}?"
    return f"unset it, or choose one of {', '.join(known)}"


def _name(path: Sequence[str]) -> str:
    return PREFIX + "__".join(path).upper()


def _free_key(part: str) -> str:
    """The case of a credential's name matters to ccxt, and an upper-case variable does not tell it."""
    return next((name for name in CREDENTIALS if name.lower() == part.lower()), part)


def _put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        values = values.setdefault(key, {})
    held = values.get(path[-1])
    if isinstance(held, dict) and isinstance(value, dict):
        held.update(value)
    else:
        values[path[-1]] = value


def named_fields(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """The keys of a section as they are written, with what is known of each."""
    for name, info in model.model_fields.items():
        yield info.alias or name, info


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The section that an annotation names directly, if it names one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return None


def item_in(annotation: Any) -> type[BaseModel] | None:
    """The section of which an annotation is a sequence, if it is one."""
    arguments = get_args(annotation)
    return model_in(arguments[0]) if get_origin(annotation) in (tuple, list) and arguments else None


def _unwrapped(annotation: Any) -> Any:
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    if get_origin(annotation) in (Union, UnionType):
        return _unwrapped(next(part for part in get_args(annotation) if part is not type(None)))
    return annotation


def _is_mapping(annotation: Any) -> bool:
    return get_origin(_unwrapped(annotation)) is dict


def _is_compound(annotation: Any) -> bool:
    return get_origin(_unwrapped(annotation)) in (dict, list, tuple)
