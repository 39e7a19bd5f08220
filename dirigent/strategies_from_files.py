"""Strategies from users' files: `./mine.py:Mine` becomes a checked class, its file run once for each content."""

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, ModuleType

from dirigent.swapping.hanging import hanging_strategies_broken_off
from services.strategies import catalogue
from services.strategies.base import Strategy, StrategyError
from services.strategies.budget import StrategyHung, watched
from services.strategies.catalogue import Origin
from services.strategies.parameters import Parameter

SOURCE_BYTES_MAX = 1_000_000
FILES_REMEMBERED_MAX = 256

_FILE_NAME = re.compile(r"(?P<path>.+\.py)(?::(?P<kind>\w+))?")
_STRATEGY_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,59}")


class StrategyFileError(StrategyError):
    """A file that holds no usable strategy; names file, line and remedy."""

    def __init__(self, path: Path, line: int | None, fault: str, remedy: str) -> None:
        where = f"{path}, line {line}" if line else str(path)
        self.fault_with_place = f"{where}: {fault}"
        super().__init__(f"{self.fault_with_place}; {remedy}")
        self.remedy = remedy


@dataclass(slots=True)
class _Loaded:
    source: str
    module: ModuleType
    kinds: dict[str, type[Strategy]] = field(default_factory=dict)
    """The strategies that the file defines, by the names of their classes."""


_LOADED: dict[Path, _Loaded] = {}
"""The last content of each file that was loaded: one that did not change is not run again."""


def is_file(name: str) -> bool:
    """Whether a strategy's name means a file, rather than one that is built in."""
    return _FILE_NAME.fullmatch(name) is not None


def anchored(name: str, folder: Path) -> str:
    """A relative file becomes absolute, as seen from `folder`; any other name stays."""
    match = _FILE_NAME.fullmatch(name)
    if match is None:
        return name
    path = str((folder / Path(match["path"]).expanduser()).absolute())
    return f"{path}:{match['kind']}" if match["kind"] else path


def path_of(name: str) -> Path:
    """The file that a strategy's name means."""
    match = _FILE_NAME.fullmatch(name)
    if match is None:
        raise StrategyError(f"{name!r} names no file; a strategy's file ends in .py")
    return Path(match["path"])


def create(name: str, params: Mapping[str, object] | None = None) -> Strategy:
    """A strategy by its built-in name or from a file. Raises StrategyError."""
    kind = kind_named(name)
    if not is_file(name):
        return kind(params)
    try:
        with hanging_strategies_broken_off(), watched():
            return kind(params)
    except StrategyError:
        raise
    except (Exception, StrategyHung) as error:  # its __init__ is anybody's code
        line = _line_in(error, path_of(name))
        fault = f"{kind.__name__}.__init__ raised {type(error).__name__}: {error}"
        raise StrategyFileError(path_of(name), line, fault, "correct that line") from None


def tried(name: str, params: Mapping[str, object] | None = None) -> None:
    """Makes one and binds it to indicators that are thrown away. Raises StrategyError."""
    strategy = create(name, params)
    if is_file(name):
        from services.indicator_set import IndicatorSet
        from services.strategies.panel import Panel, WeightedStrategy

        try:
            with hanging_strategies_broken_off():
                Panel("a trial", IndicatorSet()).seat([WeightedStrategy(strategy)])
        except (Exception, StrategyHung) as error:  # its bind is anybody's code
            path = path_of(name)
            fault = f"{type(strategy).__name__}.bind raised {type(error).__name__}: {error}"
            raise StrategyFileError(path, _line_in(error, path), fault, "correct that line") from None


def tried_together(choices: Iterable[tuple[str, Mapping[str, object]]]) -> None:
    """Those of one pair, each of which was tried alone. Raises StrategyError, as for one that is listed twice."""
    from services.indicator_set import IndicatorSet
    from services.strategies.panel import Panel, WeightedStrategy

    with hanging_strategies_broken_off():
        Panel("a trial", IndicatorSet()).seat([WeightedStrategy(create(*choice)) for choice in choices])


def kind_named(name: str) -> type[Strategy]:
    """The class. A file is read each time and run only when its content is new. Raises StrategyError."""
    match = _FILE_NAME.fullmatch(name)
    if match is None:
        return catalogue.kind_named(name)
    path = Path(match["path"]).absolute()
    return _chosen(path, match["kind"], _loaded(path))


def _loaded(path: Path) -> _Loaded:
    content = _content(path)
    source = catalogue.short_hash(content)
    known = _LOADED.get(path)
    if known is not None and known.source == source:
        return known
    code = _compiled(path, content)
    loaded = _Loaded(source, _run(path, code, source))
    for name, value in vars(loaded.module).items():
        if isinstance(value, type) and issubclass(value, Strategy) and _is_own(value, loaded.module):
            if not getattr(value, "__abstractmethods__", None):
                _check_class(path, value)
            loaded.kinds[name] = value
            catalogue.register(value, Origin(source, f"{path}:{name}"))
    if len(_LOADED) >= FILES_REMEMBERED_MAX:
        del _LOADED[next(iter(_LOADED))]
    _LOADED.pop(path, None)
    _LOADED[path] = loaded
    return loaded


def _is_own(kind: type[Strategy], module: ModuleType) -> bool:
    return kind.__module__ == module.__name__


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > SOURCE_BYTES_MAX:
            raise StrategyFileError(
                path, None, f"larger than {SOURCE_BYTES_MAX} bytes", "name the file of one strategy"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise StrategyFileError(
            path, None, "no such file", f"write one with: dirigent strategy new {path}"
        ) from None
    except OSError as error:
        fault = (error.strerror or str(error)).lower()
        raise StrategyFileError(path, None, fault, "name a file that can be read") from None


def _compiled(path: Path, content: bytes) -> CodeType:
    import ast

    from services.strategies.purity import impurities

    try:
        tree = ast.parse(content, str(path))
        code = compile(tree, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        raise StrategyFileError(path, error.lineno, f"not Python: {error.msg}", "correct that line") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise StrategyFileError(path, None, f"not Python: {error}", "save it as UTF-8 text") from None
    found = impurities(tree)
    if found:
        more = "".join(f"\n  {impurity}" for impurity in found[1:])
        raise StrategyFileError(path, found[0].line, found[0].what, f"{found[0].remedy}{more}")
    return code


def _run(path: Path, code: CodeType, source: str) -> ModuleType:
    """Runs the file in a module that `sys.modules` knows for that moment alone, as dataclasses need it."""
    module = ModuleType(f"strategy_file_{source}_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    try:
        with hanging_strategies_broken_off(), watched():
            exec(code, module.__dict__)
    except (Exception, StrategyHung) as error:  # the file is anybody's code
        fault = f"running it raised {type(error).__name__}: {error}"
        raise StrategyFileError(path, _line_in(error, path), fault, "correct that line") from None
    finally:
        del sys.modules[module.__name__]
    return module


def _line_in(error: BaseException, path: Path) -> int | None:
    """The last line of the file that the error passed through."""
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == str(path):
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def _chosen(path: Path, name: str | None, loaded: _Loaded) -> type[Strategy]:
    if name is None:
        usable = [kind for kind in loaded.kinds.values() if not getattr(kind, "__abstractmethods__", None)]
        candidates = usable or list(loaded.kinds.values())
        if len(candidates) != 1:
            what = f"{len(candidates)} strategies" if candidates else "no strategy"
            names = f": {', '.join(kind.__name__ for kind in candidates)}" if candidates else ""
            remedy = (
                f"name one, such as {path.name}:{candidates[0].__name__}"
                if candidates
                else "define a class that inherits from services.strategies.base.Strategy"
            )
            raise StrategyFileError(path, None, f"it defines {what}{names}", remedy)
        kind = candidates[0]
    elif name in loaded.kinds:
        kind = loaded.kinds[name]
    else:
        there = vars(loaded.module).get(name)
        fault = f"it defines no strategy {name}" if there is None else f"{name} is no strategy of this file"
        known = ", ".join(loaded.kinds) or "none: define a class that inherits from Strategy"
        raise StrategyFileError(path, None, fault, f"it defines {known}")
    missing = sorted(getattr(kind, "__abstractmethods__", ()))
    if missing:
        line = kind.__dict__.get("__firstlineno__")
        raise StrategyFileError(path, line, f"{kind.__name__} lacks {', '.join(missing)}", "define them")
    return kind


def _check_class(path: Path, kind: type[Strategy]) -> None:
    """Name and parameters, of which every message and every journal entry makes use."""
    name = getattr(kind, "name", None)
    if name is None:
        kind.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind.__name__).lower()
    elif not isinstance(name, str) or not _STRATEGY_NAME.fullmatch(name):
        raise StrategyFileError(
            path, None, f"{kind.__name__}.name is {name!r}", "give it up to 60 letters, digits, - and _"
        )
    parameters = kind.parameters
    if not isinstance(parameters, Mapping) or not all(
        isinstance(key, str) and key.isidentifier() and isinstance(value, Parameter)
        for key, value in parameters.items()
    ):
        raise StrategyFileError(
            path, None, f"{kind.__name__}.parameters is no mapping of names to Parameter", "write it as one"
        )
