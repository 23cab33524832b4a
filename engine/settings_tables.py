"""Reading tables of settings: TOML files, environment variables, and what is wrong with them."""

from __future__ import annotations

import difflib
import logging
import tomllib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from .errors import InvalidSettings

log = logging.getLogger(__name__)


def with_keys(message: str, table: dict[str, Any], kind: type, strict: bool) -> str:
    """msgspec's message with the key in place of ``[...]``, which stands for any key of a table
    such as ``plugins.limits``: the first whose value alone is refused in the same words."""
    what, sep, place = message.partition(" - at `")
    told, path = "", []
    *parents, last = place.split("[...]")
    for parent in parents:
        path += parent.removeprefix("$").split(".")[1:]
        for key in _at(table, path):
            alone = _narrowed(table, path, key)
            try:
                msgspec.convert(alone, kind, strict=strict)
            except msgspec.ValidationError as error:
                if str(error) == message:
                    break
        else:
            return message
        table = alone
        path.append(key)
        told += f"{parent}.{key}"
    return f"{what}{sep}{told}{last}"


def _at(table: Any, path: Sequence[str]) -> list[str]:
    for key in path:
        table = table.get(key, {}) if isinstance(table, dict) else {}
    return list(table) if isinstance(table, dict) else []


def _narrowed(table: dict[str, Any], path: Sequence[str], key: str) -> dict[str, Any]:
    """A copy in which the table at ``path`` has only ``key``."""
    if not path:
        return {key: table[key]}
    return {**table, path[0]: _narrowed(table[path[0]], path[1:], key)}


def read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettings(f"cannot read {file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{file} is not valid TOML: {error}") from error


def overlay(
    table: dict[str, Any], env: Mapping[str, str], prefix: str, known: Collection[str]
) -> int:
    """Put the values of the variables that begin with ``prefix`` into ``table``; how many there
    were. ``known`` are the names at the top of the settings."""
    count = 0
    for name, text in env.items():
        if not name.startswith(prefix):
            continue
        *parents, last = name.removeprefix(prefix).lower().split("__")
        top = (parents or [last])[0]
        if top not in known:
            if close := difflib.get_close_matches(top, known, n=1, cutoff=0.75):
                log.warning("%s names no setting; did you mean %s?", name, close[0].upper())
            continue
        target = table
        for key in parents:
            target = target.setdefault(key, {})
            if not isinstance(target, dict):
                raise InvalidSettings(f"{name}: {key!r} is not a table")
        target[last] = _value(text)
        count += 1
    return count


def _value(text: str) -> Any:
    if text.startswith(("[", "{")):
        try:
            return tomllib.loads(f"v = {text}")["v"]
        except tomllib.TOMLDecodeError:
            pass
    return text
