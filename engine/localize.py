"""Answers as a shopper reads them: texts in the best language, names of values, prices in the
currency that was asked for. What is shown is what was filtered by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from .labels import Labels, LabelTable
from .locales import best_locale
from .markets import NOWHERE, Place, place_of
from .schema import FieldKind, IndexSchema, coerce, field_values
from .types import FacetResult, Product, SearchRequest, Translation, product_to_dict

TEXTS: tuple[Literal["title", "description"], ...] = ("title", "description")


class Localization(Struct, frozen=True, eq=False):
    """What a shop offers shoppers elsewhere: labels by language, and the currency that each
    market (casefolded) pays in."""

    labels: Labels = Labels()
    markets: Mapping[str, str] = {}

    def audience(
        self, schema: IndexSchema, locale: str | None, market: str | None, currency: str | None
    ) -> Audience:
        """Who asks."""
        place = place_of(market, currency, schema, self.markets)
        return Audience(schema, locale, self.labels.of(locale), place)

    def of(self, request: SearchRequest, schema: IndexSchema) -> Audience:
        """Who asks this."""
        return self.audience(schema, request.locale, request.market, request.currency)


class Audience(Struct, frozen=True, eq=False):
    """Whom an answer is for; of a request that names no language, market or currency, everybody:
    then products are shown as they are."""

    schema: IndexSchema
    locale: str | None = None
    labels: LabelTable | None = None
    place: Place = NOWHERE

    def shown(self, product: Product) -> tuple[Product, dict[str, Any]]:
        """The product as this shopper sees it, and what is to be said of that beside its fields:

        ``localized``: of each text, its ``locale`` and, where a translator wrote it, ``machine``;
        left out where all texts are the product's own. ``converted_from``: the price and currency
        that the shop's rates made the price of. ``labels``: field → value → what it is called.
        """
        notes: dict[str, Any] = {}
        changes = self._texts(product, notes) if self.locale and product.translations else {}
        if self.place.key:
            changes |= self._price(product, notes)
        if product.stock and self.place.market:
            changes["in_stock"] = self.place.in_stock(product)
        if self.labels is not None and (labels := self._labels(product, self.labels)):
            notes["labels"] = labels
        return msgspec.structs.replace(product, **changes) if changes else product, notes

    def view(self, product: Product, fields: tuple[str, ...] | None = None) -> dict[str, Any]:
        """The product as this shopper sees it, as JSON-ready builtins, reduced to ``fields``
        (attributes by name too). Where a language was asked for, the others are left out, unless
        ``fields`` names "translations"."""
        shown, notes = self.shown(product)
        return self.selected(shown, notes, fields)

    def selected(
        self, shown: Product, notes: Mapping[str, Any], fields: tuple[str, ...] | None
    ) -> dict[str, Any]:
        """What :meth:`shown` gave, as JSON-ready builtins, reduced to ``fields``."""
        view = product_to_dict(shown)
        if fields is None:
            if self.locale:
                del view["translations"]
            return {**view, **notes}
        attributes = view["attributes"]
        chosen = {name: view.get(name, attributes.get(name)) for name in ("id", *fields)}
        for note in ("localized", "labels"):
            if kept := {n: said for n, said in notes.get(note, {}).items() if n in fields}:
                chosen[note] = kept
        if "converted_from" in notes and "price" in fields:
            chosen["converted_from"] = notes["converted_from"]
        return chosen

    def facets(self, facets: dict[str, FacetResult]) -> dict[str, FacetResult]:
        """Facets by the names that the request used, labelled."""
        facets = self.place.facets(facets)
        table = self.labels
        if table is None:
            return facets
        return {name: _labelled(name, found, table) for name, found in facets.items()}

    def warnings(self, shown: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
        """What a shopkeeper should know of the products on a page."""
        key = self.place.key
        unpriced = sum("price" in view and view["price"] is None for view in shown)
        if not key or not unpriced:
            return ()
        return (
            f"currency: {unpriced} of {len(shown)} products have no price in {key}; give them one "
            "(prices), or rates under [localization]",
        )

    def _texts(self, product: Product, notes: dict[str, Any]) -> dict[str, Any]:
        """The best texts one by one, for a translation may lack a description."""
        found = {name: self._text(product, name) for name in TEXTS}
        if all(locale == product.locale for _, locale, _ in found.values()):
            return {}
        notes["localized"] = {
            name: {"locale": locale, **({"machine": True} if machine else {})}
            for name, (text, locale, machine) in found.items()
            if text
        }
        changes: dict[str, Any] = {name: text for name, (text, _, _) in found.items()}
        return changes | {"locale": found["title"][1]}

    def _text(
        self, product: Product, name: Literal["title", "description"]
    ) -> tuple[str, str, bool]:
        """A text, its locale, and whether a translator wrote it."""
        own: str = getattr(product, name)
        offered = {product.locale: Translation(product.title, product.description)} if own else {}
        offered |= {
            tag: texts for tag, texts in product.translations.items() if getattr(texts, name)
        }
        best = best_locale(self.locale or "", tuple(offered))
        if best is None or best == product.locale:
            return own, product.locale, False
        return getattr(offered[best], name), best, name in offered[best].machine

    def _price(self, product: Product, notes: dict[str, Any]) -> dict[str, Any]:
        price = self.place.price(product, self.schema)
        if price is not None and price.origin is not None:
            amount, currency = price.origin
            notes["converted_from"] = {"price": amount, "currency": currency}
        return {"price": price and price.amount, "currency": self.place.currency}

    def _labels(self, product: Product, table: LabelTable) -> dict[str, dict[str, str]]:
        held = field_values(product, self.schema)
        # Attributes that are not declared are shown, too.
        for name in table.values.keys() & product.attributes.keys() - held.keys():
            held[name] = coerce(product.attributes[name], FieldKind.KEYWORD) or ""
        found = {name: _named(name, held[name], table) for name in table.values if name in held}
        return {name: labels for name, labels in found.items() if labels}


def _named(name: str, held: Any, table: LabelTable) -> dict[str, str]:
    values = held if isinstance(held, list) else [_spelled(held)]
    return {value: label for value in values if (label := table.value(name, value))}


def _labelled(name: str, found: FacetResult, table: LabelTable) -> FacetResult:
    values = tuple(
        msgspec.structs.replace(item, label=label)
        if (label := table.value(name, _spelled(item.value)))
        else item
        for item in found.values
    )
    return msgspec.structs.replace(found, values=values, label=table.fields.get(name, ""))


def _spelled(value: str | float | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
