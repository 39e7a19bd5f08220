"""Turns what pydantic refuses into problems that name source, key, value and remedy."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dirigent.configuration.layers import KeyPath, Layer, item_in, model_in, named_fields
from dirigent.configuration.problems import Problem
from dirigent.configuration.sections import nearest
from dirigent.logging_secrets import MASK, is_secret_key


def problems_in(error: ValidationError, root: type[BaseModel], layers: Sequence[Layer]) -> list[Problem]:
    """One problem for each refusal. `layers` are in the order of precedence, the strongest first."""
    return [_problem(detail, root, layers) for detail in error.errors(include_url=False)]


def _problem(detail: ErrorDetails, root: type[BaseModel], layers: Sequence[Layer]) -> Problem:
    context = detail.get("ctx", {})
    path: KeyPath = (*detail["loc"], *context.get("below", ()))
    return locate(path, layers, *_explained(detail, path, root))


def locate(
    path: KeyPath, layers: Sequence[Layer], message: str, remedy: str, because_of: KeyPath = ()
) -> Problem:
    """A problem with the value at this path, found in the strongest layer that writes it.

    Where none does, the source is that of the value at `because_of`.
    """
    path = _as_written(path, layers)
    best, depth, value = layers[0] if layers else Layer("", {}), 0, None
    for layer in layers:
        reached, found = layer.written(path)
        if reached > depth:
            best, depth, value = layer, reached, found
    shown = "" if depth < len(path) or isinstance(value, dict | list) else _shown(path, value)
    source = best.source_of(path) if depth else _source_of(because_of, layers)
    return Problem(source, dotted(path), shown, message, remedy)


def _source_of(path: KeyPath, layers: Sequence[Layer]) -> str:
    writers = (layer for layer in layers if path and layer.written(path)[0] == len(path))
    return next((layer.source_of(path) for layer in writers), "")


def dotted(path: KeyPath) -> str:
    """`pairs[1].max_deals`, counted from one as people count."""
    text = ""
    for key in path:
        text += f"[{key + 1}]" if isinstance(key, int) else f".{key}"
    return text.lstrip(".")


def _shown(path: KeyPath, value: Any) -> str:
    if any(is_secret_key(key) for key in path if isinstance(key, str)):
        return MASK
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def _as_written(path: KeyPath, layers: Sequence[Layer]) -> KeyPath:
    """Undoes what made a list of one out of `strategy = "name"` with its `params` beside it."""
    if len(path) < 4 or path[0] != "pairs" or path[2] != "strategy":
        return path
    for layer in layers:
        reached, value = layer.written(path[:3])
        if reached == 3:
            if not isinstance(value, str):
                return path
            return (*path[:2], *path[4:]) if path[4:5] in (("params",), ("watch",)) else path[:3]
    return path


def _explained(detail: ErrorDetails, path: KeyPath, root: type[BaseModel]) -> tuple[str, str]:
    context = detail.get("ctx", {})
    kind = detail["type"]
    if kind == "refused":
        return context["message"], context["remedy"]
    if kind == "extra_forbidden":
        keys = [name for name, _ in named_fields(_section(path[:-1], root))]
        if _section(path[:-1], root).__name__ == "PairSection":
            keys += ["params", "watch"]
        return "unknown key", nearest(str(path[-1]), keys)
    if kind == "missing":
        return "missing", f"add it: {_meaning(path, root)}"
    if kind == "literal_error":
        return "not one of the choices", f"choose {context['expected']}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return "not a table", f"write it as a table: {_meaning(path, root)}"
    if kind in ("tuple_type", "list_type"):
        return "not a list", f"write it as a list: {_meaning(path, root)}"
    message = detail["msg"][0].lower() + detail["msg"][1:]
    return message, f"give: {_meaning(path, root)}"


def _section(path: KeyPath, root: type[BaseModel]) -> type[BaseModel]:
    section = root
    for key in path:
        if isinstance(key, int):
            continue
        info = dict(named_fields(section)).get(key)
        inner = (model_in(info.annotation) or item_in(info.annotation)) if info else None
        if inner is None:
            return section
        section = inner
    return section


def _meaning(path: KeyPath, root: type[BaseModel]) -> str:
    name = next((key for key in reversed(path) if isinstance(key, str)), "")
    info = dict(named_fields(_section(path[:-1], root))).get(name)
    return (info.description if info else None) or "a value of the right kind"
