"""What a strategy's source may not do: import, call or reach for anything but arithmetic on what it is given.

It reads the source and runs nothing. It catches mistakes, not malice: Python has no cage.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

PURE_MODULES = frozenset(
    {
        "__future__",
        "abc",
        "array",
        "bisect",
        "cmath",
        "collections",
        "copy",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "fractions",
        "functools",
        "fsm.values",
        "heapq",
        "itertools",
        "json",
        "math",
        "numbers",
        "numpy",
        "operator",
        "re",
        "services.indicators",
        "services.messages",
        "services.strategies",
        "statistics",
        "string",
        "typing",
    }
)

_NEEDS = {
    **dict.fromkeys(
        ("time", "timeit", "sched"), "a strategy asks no clock: the time of the sample is tick.at_ms"
    ),
    **dict.fromkeys(
        ("random", "secrets", "uuid"),
        "a strategy draws no random numbers: the same samples must bring the same votes",
    ),
    **dict.fromkeys(
        ("os", "io", "pathlib", "shutil", "tempfile", "sqlite3", "csv", "pickle"),
        "a strategy reads and writes no files: what it remembers goes through state() and restore()",
    ),
    **dict.fromkeys(
        ("socket", "ssl", "http", "urllib", "requests", "aiohttp", "ccxt", "asyncio", "subprocess"),
        "a strategy talks to nobody: all it learns comes with the tick and its indicators",
    ),
    **dict.fromkeys(
        ("threading", "multiprocessing", "concurrent", "signal"),
        "a strategy starts nothing: it answers one sample at a time",
    ),
    **dict.fromkeys(
        ("sys", "importlib", "builtins", "inspect", "gc", "ctypes"),
        "a strategy leaves the interpreter alone",
    ),
    **dict.fromkeys(
        ("logging", "loguru", "warnings", "print"),
        "say it in the vote's reason or in why_not(), which the engine shows and keeps",
    ),
}
_FORBIDDEN_CALLS = {
    **dict.fromkeys(("open", "input", "breakpoint"), "a strategy does no input or output"),
    "print": "say it in the vote's reason or in why_not(), which the engine shows and keeps",
    **dict.fromkeys(
        ("eval", "exec", "compile", "__import__", "globals", "vars", "setattr", "delattr"),
        "a strategy leaves the interpreter alone",
    ),
    **dict.fromkeys(
        ("id", "hash"), "it differs from process to process, so the same samples would bring other votes"
    ),
}
_CLOCK_CALLS = frozenset({"now", "utcnow", "today"})


@dataclass(frozen=True, slots=True)
class Impurity:
    """One place of a source that a strategy may not have."""

    line: int
    what: str
    remedy: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.what}; {self.remedy}"


def impurities(tree: ast.AST) -> list[Impurity]:
    """Every such place, in the order of the lines."""
    return sorted(_found(tree), key=lambda impurity: impurity.line)


def _found(tree: ast.AST) -> Iterator[Impurity]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _import(node.lineno, alias.name)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield Impurity(node.lineno, "imports from beside it", "keep the whole strategy in one file")
            else:
                yield from _import(node.lineno, node.module or "", [alias.name for alias in node.names])
        elif isinstance(node, ast.Name) and node.id in _FORBIDDEN_CALLS:
            yield Impurity(node.lineno, f"uses {node.id}", _FORBIDDEN_CALLS[node.id])
        elif isinstance(node, ast.Attribute):
            yield from _attribute(node)
        elif isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith):
            yield Impurity(node.lineno, "waits for something", "a strategy answers at once, from memory")
        elif isinstance(node, ast.Global):
            yield Impurity(
                node.lineno,
                f"changes the module's {', '.join(node.names)}",
                "keep what is remembered in self, and give it out by state(): each pair has a strategy of its own",
            )


def _import(line: int, module: str, names: list[str] | None = None) -> Iterator[Impurity]:
    top = module.split(".")[0]
    wanted = [module] if names is None else [module, *(f"{module}.{name}" for name in names)]
    if any(_is_pure(name) for name in wanted[:1]) or (names and all(_is_pure(name) for name in wanted[1:])):
        return
    known = ", ".join(sorted(PURE_MODULES - {"__future__"}))
    yield Impurity(line, f"imports {module}", _NEEDS.get(top, f"it may import {known}"))


def _is_pure(module: str) -> bool:
    return any(module == pure or module.startswith(f"{pure}.") for pure in PURE_MODULES)


def _attribute(node: ast.Attribute) -> Iterator[Impurity]:
    if node.attr in _CLOCK_CALLS and isinstance(node.value, ast.Name | ast.Attribute):
        owner = node.value.id if isinstance(node.value, ast.Name) else node.value.attr
        if owner in ("datetime", "date"):
            yield Impurity(node.lineno, f"asks {owner}.{node.attr}", _NEEDS["time"])
    elif node.attr.startswith("__") and node.attr.endswith("__") and node.attr not in _HARMLESS:
        yield Impurity(node.lineno, f"reaches for {node.attr}", "a strategy leaves the interpreter alone")
    elif isinstance(node.ctx, ast.Store | ast.Del) and _is_tick(node.value):
        yield Impurity(node.lineno, f"changes tick.{node.attr}", "the tick is everybody's: only read it")


_HARMLESS = frozenset({"__init__", "__name__", "__class__", "__doc__", "__post_init__", "__str__", "__eq__"})


def _is_tick(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and node.id == "tick"
