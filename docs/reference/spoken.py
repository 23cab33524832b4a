"""The structs that protocols speak of, and tables of their fields."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

from msgspec import NODEFAULT, Struct, structs

from docs.reference.markdown import table


def types_spoken(protocol: type) -> list[type[Struct]]:
    """The structs of ``engine`` in the signatures of ``protocol``, and in those structs."""
    found: dict[type[Struct], None] = {}
    for value in vars(protocol).values():
        function = value.fget if isinstance(value, property) else value
        if inspect.isfunction(function) and function.__module__.startswith("engine"):
            for hint in get_type_hints(function).values():
                _gather(hint, found)
    return list(found)


def _gather(hint: Any, found: dict[type[Struct], None]) -> None:
    for each in _flat(hint):
        if inspect.isclass(each) and issubclass(each, Struct) and each not in (Struct, *found):
            found[each] = None
            for inner in get_type_hints(each).values():
                _gather(inner, found)


def _flat(hint: Any) -> Iterator[Any]:
    yield hint
    for inner in get_args(hint):
        yield from _flat(inner)


def fields_table(struct: type[Struct]) -> str:
    """Each field as the source annotates it, and its default."""
    annotated = {
        name: note
        for base in reversed(struct.__mro__)
        for name, note in getattr(base, "__annotations__", {}).items()
    }
    rows = []
    for field in structs.fields(struct):
        default = "" if field.required else f" = {_shown(field)}"
        rows.append((f"`{field.name}`", f"`{annotated[field.name]}{default}`"))
    return table(("Field", "Type"), rows) if rows else ""


def _shown(field: structs.FieldInfo) -> str:
    made = field.default_factory
    return repr(field.default if made is NODEFAULT else made())
