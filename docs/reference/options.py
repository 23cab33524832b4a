"""Option structs as tables: type, range, default."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct, inspect

from docs.reference.markdown import as_markdown, table

NAMES = {
    inspect.StrType: "text",
    inspect.IntType: "integer",
    inspect.FloatType: "number",
    inspect.BoolType: "true or false",
    inspect.NoneType: "none",
    inspect.AnyType: "anything",
}
BOUNDS = (("ge", "≥ {}"), ("gt", "> {}"), ("le", "≤ {}"), ("lt", "< {}"), ("pattern", "`{}`"))
LENGTHS = (("min_length", "at least {}"), ("max_length", "at most {}"))


def option_table(options: type[Struct]) -> str:
    """What the struct says of itself, a row per option, and the same of structs inside it."""
    info = inspect.type_info(options)
    assert isinstance(info, inspect.StructType)
    if not info.fields:
        return "No options."
    rows = [(f"`{f.encode_name}`", _type(f.type), _default(f)) for f in info.fields]
    if info.tag_field:
        rows.insert(0, (f"`{info.tag_field}`", f"`{json.dumps(info.tag)}`", "required"))
    parts = [as_markdown(options), table(("Option", "Type", "Default"), rows)]
    for inner in _inner(info):
        parts += [f"`{inner.cls.__name__}` is a table:", option_table(inner.cls)]
    return "\n\n".join(filter(None, parts))


def _type(found: inspect.Type) -> str:
    given = [(text, getattr(found, name, None)) for name, text in (*BOUNDS, *LENGTHS)]
    limits = (text.format(limit) for text, limit in given if limit is not None)
    return ", ".join([_name(found), *limits])


def _name(found: inspect.Type) -> str:
    match found:
        case inspect.UnionType():
            return " or ".join(_type(each) for each in found.types)
        case inspect.LiteralType():
            return " or ".join(f"`{json.dumps(value)}`" for value in found.values)
        case inspect.EnumType():
            return " or ".join(f'`"{each.value}"`' for each in found.cls)
        case inspect.VarTupleType() | inspect.ListType() | inspect.SetType():
            return f"list of {_type(found.item_type)}"
        case inspect.TupleType():
            return f"[{', '.join(_type(each) for each in found.item_types)}]"
        case inspect.DictType():
            return f"table of {_type(found.key_type)} = {_type(found.value_type)}"
        case inspect.StructType():
            return f"`{found.cls.__name__}`"
        case inspect.Metadata():
            return _type(found.type)
        case _:
            return NAMES.get(type(found), type(found).__name__)


def _default(field: inspect.Field) -> str:
    if field.default is not NODEFAULT:
        value: Any = field.default
    elif field.default_factory is not NODEFAULT:
        value = field.default_factory()
    else:
        return "required"
    return "none" if value is None else f"`{_toml(msgspec.to_builtins(value))}`"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(each) for each in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def _inner(info: inspect.StructType) -> list[inspect.StructType]:
    """The structs that fields hold, in order, each once."""
    found: dict[type, inspect.StructType] = {}

    def visit(each: Any) -> None:
        if isinstance(each, inspect.StructType):
            found.setdefault(each.cls, each)
        elif isinstance(each, inspect.UnionType):
            for one in each.types:
                visit(one)
        else:
            for name in ("item_type", "key_type", "value_type", "type"):
                if (below := getattr(each, name, None)) is not None:
                    visit(below)

    for field in info.fields:
        visit(field.type)
    return list(found.values())
