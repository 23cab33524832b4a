"""Catalogue rows to products, with an issue for everything that is wrong with them.

An unusable id or title fails the product; an unusable optional field is left out with a
warning. The same mapping serves catalogues and products sent over HTTP.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.locales import language_code, parse_locale
from engine.localize import TEXTS
from engine.protocols import RawRecord
from engine.schema import CORE_FIELDS
from engine.settings import CatalogueSettings
from engine.types import AttributeValue, Product, Translation

from .attributes import attribute_values, flatten
from .columns import Columns, normalized, split_photos
from .localized import Market, reads_as_text
from .report import Issue
from .sold import Sold
from .values import parse_flag, parse_time, strip_html

MAX_ID, MAX_TITLE, MAX_DESCRIPTION = 256, 1000, 200_000
"""Characters. A longer id is an error; longer texts are cut, with a warning."""
MAX_NAME = 500
"""Characters of a brand or of one step of a category path."""


class Mapper:
    """Maps rows under one shop's settings; remembers the columns of the last kind of row."""

    def __init__(
        self,
        settings: CatalogueSettings,
        max_images: int = 8,
        markets: Mapping[str, str] | None = None,
    ) -> None:
        self.settings = settings
        self.max_images = max_images
        self.markets = {
            normalized(name): Market(name.casefold(), currency)
            for name, currency in (markets or {}).items()
        }
        self.languages = frozenset({language_code(settings.locale), *self.markets})
        self._columns: dict[tuple[tuple[str, ...], tuple[str, ...]], Columns] = {}

    def map(self, record: RawRecord) -> tuple[Product | None, list[Issue]]:
        """The product, or ``None`` with at least one issue; issues of severity "warning"
        alone and no product mean that the row is left out on purpose."""
        row = _Row(record, self)
        if record.error:
            row.issue("", record.error, "error")
            return None, row.issues
        return row.product(), row.issues

    def columns(self, row: Mapping[str, Any]) -> Columns:
        """The assignment for rows with the columns of this one, computed once."""
        found = self._assigned(tuple(row))
        if found.doubtful:
            texts = tuple(column for column in found.doubtful if reads_as_text(row[column]))
            found = self._assigned(tuple(row), texts)
        return found

    def _assigned(self, names: tuple[str, ...], texts: tuple[str, ...] = ()) -> Columns:
        if (names, texts) not in self._columns:
            if len(self._columns) >= 256:  # rows that all differ must not fill the memory
                self._columns.clear()
            chosen, ignore = self.settings.columns, self.settings.ignore
            self._columns[names, texts] = Columns(
                names, chosen, ignore, self.markets, self.languages, texts
            )
        return self._columns[names, texts]


class _Row(Sold):
    """One row on its way to a product."""

    def __init__(self, record: RawRecord, mapper: Mapper) -> None:
        self.line = record.line
        self.issues: list[Issue] = []
        self.settings = mapper.settings
        self.max_images = mapper.max_images
        nested = record.data.get("attributes")
        own = {str(k): v for k, v in record.data.items() if v is not None and v != ""}
        self.nested: dict[str, Any] = {}
        if isinstance(nested, Mapping) and "attributes" not in self.settings.ignore:
            del own["attributes"]
            dropped = set(self.settings.ignore)
            self.nested = {k: v for k, v in flatten(nested).items() if k not in dropped}
            for name in CORE_FIELDS.keys() & self.nested.keys() - own.keys():
                own[name] = self.nested.pop(name)
        stock = own.get("stock")
        self.stock = own.pop("stock") if isinstance(stock, Mapping) else {}
        self.data = own
        self.columns = mapper.columns(self.data)
        self.id = ""

    def product(self) -> Product | None:
        self.id = self._id()
        if parse_flag(self.value("published")) is False:
            self.issue("published", "not published: left out")
            return None
        locale = self._locale()
        titles = self._texts("title", locale)
        if titles and locale not in titles:
            locale = next(iter(titles))
        descriptions = self._texts("description", locale)
        title = titles.pop(locale, "")
        if not title:
            self.issue("title", "missing or empty", "error")
        if not self.id or not title:
            return None
        price, currency, prices = self.prices()
        in_stock, stock = self.stock_by_market()
        return Product(
            id=self.id,
            title=title,
            description=descriptions.pop(locale, ""),
            category=self._category(locale),
            brand=self._brand(locale),
            price=price,
            currency=currency,
            attributes=self._attributes(),
            images=self._images(),
            locale=locale,
            translations=self._translations(titles, descriptions),
            group_id=self.text("group_id")[:MAX_ID],
            in_stock=in_stock,
            stock=stock,
            updated_at=self._updated_at(),
            prices=prices,
        )

    def _id(self) -> str:
        value = self.value("id")
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # spreadsheets and Parquet turn ids into floats
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            text = ""
        else:
            text = str(value).strip()
        if not text:
            names = "" if "id" in self.columns.fields else "; name its column in catalogue.columns"
            self.issue("id", f"missing or empty{names}", "error")
        elif len(text) > MAX_ID or not text.isprintable():
            fault = (
                "holds control characters" if len(text) <= MAX_ID else f"over {MAX_ID} characters"
            )
            self.issue("id", f"{text[:40]!r}: {fault}", "error")
            text = ""
        return text

    def _locale(self) -> str:
        text = self.text("locale")
        return (self._tag("locale", text) if text else "") or self.settings.locale

    def _tag(self, field: str, key: object) -> str:
        """A language tag in its usual spelling; empty, with an issue, for what is none."""
        try:
            return parse_locale(str(key).strip())
        except ValueError as error:
            self.issue(field, f"{error}; left out")
            return ""

    def _texts(self, field: str, locale: str) -> dict[str, str]:
        """Texts by locale, plain and within bounds; empty ones left out."""
        value = self.value(field)
        by_locale = dict(value) if isinstance(value, Mapping) else {}
        if value is not None and not by_locale:
            by_locale = {locale: value}
        for column, place in self.columns.places.items():
            if place.field == field:
                by_locale.setdefault(place.locale, self.data[column])
        found: dict[str, str] = {}
        for key, raw in by_locale.items():
            if isinstance(raw, list | Mapping):
                self.issue(field, f"not a text but a {type(raw).__name__}")
            elif (
                raw is not None
                and (tag := self._tag(field, key))
                and (text := self._clean(field, str(raw)))
            ):
                found[tag] = text
        return found

    def _clean(self, field: str, raw: str) -> str:
        limit = MAX_TITLE if field == "title" else MAX_DESCRIPTION
        # Markup may shrink to little; but a text is read to twice its limit and no further.
        text = strip_html(raw[: 2 * limit])
        if len(raw) > 2 * limit or len(text) > limit:
            self.issue(field, f"{len(raw):,} characters; cut to {limit:,}")
        return text[:limit].rstrip()

    def _translations(
        self, titles: dict[str, str], descriptions: dict[str, str]
    ) -> dict[str, Translation]:
        found = {
            key: Translation(titles.get(key, ""), descriptions.get(key, ""))
            for key in dict.fromkeys([*titles, *descriptions])
        }
        given = self.value("translations")
        for key, texts in given.items() if isinstance(given, Mapping) else ():
            if isinstance(texts, Mapping) and (tag := self._tag("translations", key)):
                title = self._clean("title", str(texts.get("title") or ""))
                description = self._clean("description", str(texts.get("description") or ""))
                said = texts.get("machine")
                marks = said if isinstance(said, list | tuple) else ()
                machine = tuple(name for name in TEXTS if name in marks and texts.get(name))
                found[tag] = Translation(title, description, machine)
        return found

    def _category(self, locale: str) -> tuple[str, ...]:
        value = self.value("category")
        if isinstance(value, Mapping):
            value = value.get(locale) or next(iter(value.values()), "")
        if isinstance(value, list | tuple) and value and isinstance(value[0], list | tuple):
            value = value[0]  # several paths: the first
        if isinstance(value, list | tuple):
            steps = [str(step) for step in value]
        else:
            text = "" if value is None else str(value)
            own = self.settings.category_separator
            separator = own or (">" if ">" in text else "/")
            steps = text.split(separator)
        return tuple(step.strip()[:MAX_NAME] for step in steps if step.strip())

    def _brand(self, locale: str) -> str:
        value = self.value("brand")
        if isinstance(value, Mapping):
            value = value.get("name") or value.get(locale)  # schema.org: {"name": …}
        return str(value).strip()[:MAX_NAME] if isinstance(value, str | int | float) else ""

    def _updated_at(self) -> str:
        value = self.value("updated_at")
        if value is None:
            return ""
        try:
            return parse_time(value)
        except ValueError as error:
            self.issue("updated_at", str(error))
            return ""

    def _images(self) -> tuple[str, ...]:
        refs = [ref for c in self.columns.images for ref in split_photos(c, self.data[c])]
        refs = list(dict.fromkeys(refs))
        if len(refs) > self.max_images:
            self.issue("images", f"{len(refs)} photos; the first {self.max_images} are used")
        return tuple(refs[: self.max_images])

    def _attributes(self) -> dict[str, AttributeValue]:
        named = {name: self.data[name] for name in self.columns.rest}
        named |= {name: self.data[column] for column, name in self.columns.renamed.items()}
        found, notes = attribute_values({**named, **self.nested})
        for name, reason in notes:
            self.issue(name, reason)
        return found
