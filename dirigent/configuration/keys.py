"""The keys of an exchange: where they are found, what is refused, and a holder that never shows them."""

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from loguru import logger

from dirigent.configuration import key_sources
from dirigent.configuration.layers import PREFIX
from dirigent.configuration.problems import Problem, SettingsError
from dirigent.configuration.sections import ExchangeSettings
from dirigent.configuration.settings import Settings
from dirigent.logging_secrets import SECRET_LENGTH_MIN, redact
from services.exchanges.ccxt_exchange.options import CREDENTIALS

PASSPHRASE = "privateKeyPassword"
"""Opens the private key file; the exchange never gets it."""

NAMES = (*CREDENTIALS, PASSPHRASE)


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class Keys:
    """Credentials by ccxt's names. What is printed of it names them and their sources, never a value."""

    _values: Mapping[str, str]
    sources: Mapping[str, str]

    def as_ccxt(self) -> dict[str, str]:
        """For the constructor of a ccxt exchange. Hand it over; keep it nowhere."""
        return {name: value for name, value in self._values.items() if name != PASSPHRASE}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.as_ccxt())

    def __repr__(self) -> str:
        return f"Keys({', '.join(f'{name} from {self.sources[name]}' for name in self.names)})"

    def __reduce__(self) -> str:
        raise TypeError("keys are not written down")


@dataclass(frozen=True, slots=True, repr=False)
class _Source:
    """One place where credentials may stand. `key` is the setting that names it."""

    key: str
    name: str
    read: Callable[[], dict[str, str]]


def resolve_keys(settings: Settings, environment: Mapping[str, str] | None = None) -> Keys | None:
    """The keys of the configured exchange, each from the one source that has it; None where none is named.

    Every value is registered to be masked in whatever the process writes. Raises SettingsError when a source
    that is named cannot be used, or when two sources hold the same credential: which one is meant is not guessed.
    """
    surroundings = os.environ if environment is None else environment
    values: dict[str, str] = {}
    sources: dict[str, str] = {}
    for source in _sources(settings.exchange, surroundings):
        for name, value in source.read().items():
            _register(value)
            if name in values:
                raise _problem(
                    source,
                    f"{name} stands in {sources[name]} too",
                    "keep it in one place and remove the other",
                )
            if len(value.strip()) < SECRET_LENGTH_MIN:
                raise _problem(source, f"its {name} is too short to be one", "put the whole value there")
            values[name], sources[name] = value, source.name
    _add_private_key(settings.exchange, values, sources)
    if not any(name in values for name in CREDENTIALS):
        return None
    _warn_of_the_configuration_file(sources)
    return Keys(values, sources)


def places_for(settings: Settings, names: Sequence[str]) -> str:
    """Where these credentials may stand, in words: the sources that are named already, and the others."""
    exchange = settings.exchange
    prefix = exchange.key_variables
    variables = " and ".join(f"${key_sources.variable_of(prefix or 'PREFIX', name)}" for name in names)
    places = [
        f"exchange.key_file{f' ({exchange.key_file})' if exchange.key_file else ''}",
        f"keyring{f' ({exchange.keyring})' if exchange.keyring else ''}",
        f"{variables} with key_variables" + ("" if prefix else ' = "PREFIX"'),
    ]
    if "secret" in names:
        places.append("a private key as private_key_file")
    return f"{', '.join(places[:-1])} or {places[-1]}"


def _sources(exchange: ExchangeSettings, environment: Mapping[str, str]) -> Iterator[_Source]:
    """All but the private key file, which needs what these may hold."""
    yield from _options(exchange, environment)
    if (path := exchange.key_file) is not None:
        yield _Source("key_file", f"file {path}", lambda: key_sources.of_file(path, NAMES))
    if (service := exchange.keyring) is not None:
        yield _Source("keyring", f"keyring {service}", lambda: key_sources.of_keyring(service, NAMES))
    if (prefix := exchange.key_variables) is not None:
        yield _Source(
            "key_variables",
            f"${prefix}_*",
            lambda: key_sources.of_variables(prefix, NAMES, environment),
        )


CONFIGURATION = "the configuration file"


def _options(exchange: ExchangeSettings, environment: Mapping[str, str]) -> Iterator[_Source]:
    """What stands in `options`: from a DIRIGENT_ variable where one says the same, else from a file."""
    held = {name: str(exchange.options[name]) for name in CREDENTIALS if exchange.options.get(name)}
    outside = {name: value for name, value in held.items() if _in_environment(name, value, environment)}
    inside = {name: value for name, value in held.items() if name not in outside}
    if outside:
        yield _Source("options", f"${PREFIX}EXCHANGE__OPTIONS", lambda: outside)
    if inside:
        yield _Source("options", CONFIGURATION, lambda: inside)


def _in_environment(name: str, value: str, environment: Mapping[str, str]) -> bool:
    whole = f"{PREFIX}EXCHANGE__OPTIONS"
    if environment.get(f"{whole}__{name.upper()}") == value:
        return True
    try:
        options = json.loads(environment.get(whole, "{}"))
    except json.JSONDecodeError:
        return False
    return isinstance(options, dict) and str(options.get(name)) == value


def _add_private_key(exchange: ExchangeSettings, values: dict[str, str], sources: dict[str, str]) -> None:
    path = exchange.private_key_file
    if path is None:
        return
    source = _Source("private_key_file", f"file {path}", dict)
    if "secret" in values:
        raise _problem(
            source,
            f"a secret stands in {sources['secret']} too",
            "keep the private key, or the secret, and remove the other",
        )
    pem = key_sources.of_private_key_file(path, values.get(PASSPHRASE))
    _register(pem)
    values["secret"], sources["secret"] = pem, source.name


def _problem(source: _Source, message: str, remedy: str) -> SettingsError:
    return SettingsError([Problem("", f"exchange.{source.key}", "", message, remedy)])


def _register(value: str) -> None:
    """As it stands, as JSON or Python's repr would show it, and each line of a longer text."""
    redact(value)
    redact(json.dumps(value)[1:-1])
    for line in value.splitlines():
        if not line.startswith("-----"):
            redact(line)


def _warn_of_the_configuration_file(sources: Mapping[str, str]) -> None:
    inside = [name for name, source in sources.items() if source == CONFIGURATION]
    if inside:
        warn_once(", ".join(inside))


@cache
def warn_once(names: str) -> None:
    """Keys are resolved more than once by a start; a process says once that they stand where all can read them."""
    logger.bind(event="keys_in_configuration", names=names, remedy=REMEDY).warning("keys_in_configuration")


REMEDY = (
    "name a key_file, a keyring or key_variables instead, so that the configuration can be shown to others"
)
