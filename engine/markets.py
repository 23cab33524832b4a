"""Where the shopper is: which stored fields "price" and "in_stock" stand for in one search.

A store keeps a field for each price key and each market (:class:`engine.schema.IndexSchema`). A
request that names a currency or a market means those by "price" and "in_stock", in filters,
sorting, facets and what rankers see; a request that names neither costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from .filters import Condition, Filter, conditions_of
from .plan import OWN_PRICE, Selection
from .prices import Price, currency_of, price_key, price_of
from .protocols import VectorStore
from .schema import IndexSchema, price_field, stock_field
from .types import FacetResult, Product, SearchRequest


class Place(Struct, frozen=True):
    """A shopper's market (casefolded; "" where none is named) and ``key`` of prices ("" where no
    currency is known). ``fields`` are the stored fields by the names that requests use, where they
    are others."""

    market: str = ""
    key: str = ""
    fields: dict[str, str] = {}

    @property
    def currency(self) -> str:
        return currency_of(self.key)

    def field(self, name: str) -> str:
        """The stored field of a name."""
        return "price" if name == OWN_PRICE else self.fields.get(name, name)

    def request(self, request: SearchRequest) -> SearchRequest:
        """``request`` with its sort and facets by stored fields."""
        if not self.fields:
            return request
        sort = request.sort and msgspec.structs.replace(
            request.sort, field=self.field(request.sort.field)
        )
        facets = tuple(self.field(name) for name in request.facets)
        return msgspec.structs.replace(request, sort=sort, facets=facets)

    def filter(self, filter: Filter) -> Filter:
        """The conditions of ``filter`` by stored fields."""
        if not self.fields:
            return filter
        conditions = tuple(self._stored(condition) for condition in filter.conditions)
        return msgspec.structs.replace(filter, conditions=conditions)

    def hidden(self, selection: Selection) -> tuple[Condition, ...]:
        """What the filters of a rule that hides ask of stored fields: stock is that of the market,
        a price the product's own. The rule's amounts are not in the shopper's currency, and
        naming another one must not show what is hidden."""
        return tuple(
            condition if condition.field == "price" else self._stored(condition)
            for condition in conditions_of(selection.filters)
        )

    def facets(self, facets: dict[str, FacetResult]) -> dict[str, FacetResult]:
        """What was counted of stored fields, by the names that the request used."""
        names = {stored: name for name, stored in self.fields.items()}
        return {names.get(name, name): found for name, found in facets.items()}

    def columns(
        self, store: VectorStore, ids: Sequence[str], names: Sequence[str]
    ) -> dict[str, list[Any]]:
        """:meth:`VectorStore.columns` by the names that requests use."""
        stored = {name: self.field(name) for name in names}
        found = store.columns(ids, list(dict.fromkeys(stored.values())))
        return {name: found[field] for name, field in stored.items()}

    def price(self, product: Product, schema: IndexSchema) -> Price | None:
        """What the product costs here, as it is filtered by."""
        return price_of(product, self.key, schema.rates)

    def in_stock(self, product: Product) -> bool:
        """Whether it can be had here."""
        return product.stock.get(self.market, product.in_stock)

    def _stored(self, condition: Condition) -> Condition:
        return msgspec.structs.replace(condition, field=self.field(condition.field))


NOWHERE = Place()


def place_of(
    market: str | None, currency: str | None, schema: IndexSchema, markets: Mapping[str, str]
) -> Place:
    """The place of a request. ``markets`` are the currencies that a shop's markets pay in; a
    market that is not among them may be known by its only price key.
    """
    if market is None and currency is None:
        return NOWHERE
    name = (market or "").casefold()
    own = [key for key in schema.prices if key.startswith(f"{name}/")] if name else []
    code = (currency or "").upper() or markets.get(name, "")
    if not code and len(own) == 1:
        code = currency_of(own[0])
    key = price_key(code, name) if price_key(code, name) in own else code
    fields = {}
    if key and not (key == schema.currency and not schema.prices):
        fields["price"] = price_field(key)
    if name in schema.stock:
        fields["in_stock"] = stock_field(name)
    return Place(name, key, fields)


def unpriced(schema: IndexSchema, currencies: Iterable[str]) -> list[str]:
    """Those of ``currencies`` that an index keeps no prices by, sorted: no filter and no order by
    price finds anything in them."""
    known = {schema.currency} if not schema.prices else {currency_of(k) for k in schema.prices}
    return sorted({*currencies} - known - {""})


def read_filters(
    filters: dict[str, Any], place: Place, schema: IndexSchema
) -> tuple[dict[str, Any], Place]:
    """Filters that were read from words, and the place that they speak of: "under 60 €" means
    prices in euros wherever the shopper is, and whatever a product's own currency is."""
    named = filters.get("currency", ())
    codes = [named] if isinstance(named, str) else list(named)
    code = place.currency if place.currency in codes else "".join(codes[:1]) * (len(codes) == 1)
    if "price" not in filters or code not in schema.prices:
        return filters, place
    key = place.key if code == place.currency else code
    said = msgspec.structs.replace(place, fields={**place.fields, "price": price_field(key)})
    return {name: spec for name, spec in filters.items() if name != "currency"}, said
