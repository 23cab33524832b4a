"""What a shop's fields and their values are called in other languages.

A labels file is TOML or JSON: language → ``fields`` (field → label) and ``values`` (field →
value → label)::

    [de.fields]
    color = "Farbe"

    [de.values.color]
    red = "Rot"
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, field

from .errors import InvalidSettings
from .locales import best_locale, parse_locale
from .schema import CATEGORY_SEPARATOR


class LabelTable(Struct, frozen=True, forbid_unknown_fields=True):
    """The labels of one language. A category goes by its whole path ("Shoes > Boots"), or by the
    labels of its steps."""

    fields: dict[str, str] = field(default_factory=dict)
    values: dict[str, dict[str, str]] = field(default_factory=dict)

    def value(self, name: str, value: str) -> str:
        """What ``value`` of a field is called; empty where there is no word for it."""
        held = self.values.get(name)
        if held is None:
            return ""
        if value in held or CATEGORY_SEPARATOR not in value:
            return held.get(value, "")
        steps = value.split(CATEGORY_SEPARATOR)
        if not any(step in held for step in steps):
            return ""
        return CATEGORY_SEPARATOR.join(held.get(step, step) for step in steps)

    def under(self, other: LabelTable) -> LabelTable:
        """These labels, and those of ``other`` where it has some."""
        names = self.values.keys() | other.values.keys()
        return LabelTable(
            {**self.fields, **other.fields},
            {n: {**self.values.get(n, {}), **other.values.get(n, {})} for n in names},
        )


class Labels:
    """All labels of a shop."""

    def __init__(self, tables: dict[str, LabelTable] | None = None) -> None:
        self._tables: dict[str, LabelTable] = {}
        # A region has what its language has, but where it says something else.
        for tag in sorted(tables or {}, key=len):
            general = best_locale(tag.rpartition("-")[0], tuple(self._tables))
            table = (tables or {})[tag]
            self._tables[tag] = self._tables[general].under(table) if general else table
        self._locales = tuple(self._tables)

    def of(self, locale: str | None) -> LabelTable | None:
        """The labels for a shopper; none where there are none in that language."""
        if not self._locales or locale is None:
            return None
        best = best_locale(locale, self._locales)
        return self._tables[best] if best else None


def load_labels(files: Sequence[Path]) -> Labels:
    """The labels of all ``files``; where several have one, the first file's.

    Raises:
        InvalidSettings: a file is missing or holds something else.
    """
    tables: dict[str, LabelTable] = {}
    for file in reversed(files):
        for tag, table in read_labels(file).items():
            tables[tag] = tables[tag].under(table) if tag in tables else table
    return Labels(tables)


def read_labels(file: Path) -> dict[str, LabelTable]:
    """The tables of one file by language tag; raises InvalidSettings."""
    try:
        text = file.read_text(encoding="utf-8")
        held: Any = msgspec.json.decode(text) if file.suffix == ".json" else tomllib.loads(text)
        tables = msgspec.convert(held, dict[str, LabelTable])
        return {parse_locale(tag): table for tag, table in tables.items()}
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise InvalidSettings(
            f"localization.labels: {file}: {error}; a labels file has tables such as [de.fields] "
            'with color = "Farbe" and [de.values.color] with red = "Rot"',
            field="localization.labels",
        ) from error
