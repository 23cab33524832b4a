"""What a row says of prices and stock, in every currency and market."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.prices import price_key
from engine.settings import CatalogueSettings

from .columns import Columns
from .localized import read_prices, read_stock
from .report import Issue, Severity
from .values import parse_price, parse_stock


class Sold:
    """A row's cells by product field, what is wrong with them, and what it costs where.

    ``stock`` is the map by market that the row came with, if it did.
    """

    line: int
    id: str
    data: dict[str, Any]
    stock: Mapping[Any, Any]
    columns: Columns
    issues: list[Issue]
    settings: CatalogueSettings

    def issue(self, field: str, reason: str, severity: Severity = "warning") -> None:
        self.issues.append(Issue(self.line, self.id, field, reason, severity))

    def value(self, field: str) -> Any:
        """The cell of a product field."""
        column = self.columns.fields.get(field)
        return self.data.get(column) if column else None

    def text(self, field: str) -> str:
        """The cell as a text; empty where it holds something else."""
        value = self.value(field)
        return str(value).strip() if isinstance(value, str | int | float) else ""

    def prices(self) -> tuple[float | None, str, dict[str, float]]:
        """Price, its currency, and the prices in others. The sale price where there is one that
        is not limited in time; without one price, that in the shop's currency, or the first."""
        prices = self._by_currency()
        for field in ("sale_price", "price"):
            value = self.value(field)
            if isinstance(value, Mapping | list | tuple) or self._passed_over(field, value):
                continue
            try:
                amount, named = parse_price(value)
            except ValueError as error:
                self.issue(field, str(error))
                continue
            currency = self._currency() or named or self.settings.currency
            prices.pop(currency, None)
            return amount, currency, prices
        usual = self._currency() or self.settings.currency
        first = next((key for key in prices if "/" not in key), "")
        currency = usual if usual in prices else first
        if not currency:
            return None, self._currency(), prices
        return prices.pop(currency), currency, prices

    def _by_currency(self) -> dict[str, float]:
        """Prices by key, of maps and of columns; sale prices win."""
        found: dict[str, float] = {}
        for field in ("prices", "price", "sale_price"):
            value = self.value(field)
            if isinstance(value, Mapping | list | tuple) and not self._passed_over(field, value):
                read, problems = read_prices(value)
                found |= read
                for problem in problems:
                    self.issue(field, problem)
            for column, place in self.columns.places.items():
                if place.field == field and not self._passed_over(field, self.data[column]):
                    try:
                        amount, _ = parse_price(self.data[column])
                    except ValueError as error:
                        self.issue(column, str(error))
                    else:
                        found[price_key(place.currency, place.market)] = amount
        return found

    def _passed_over(self, field: str, value: Any) -> bool:
        return value is None or (field == "sale_price" and self._limited_sale())

    def _limited_sale(self) -> bool:
        return any("sale_price_effective" in name for name in self.data)

    def _currency(self) -> str:
        return self.text("currency").upper()[:8]

    def stock_by_market(self) -> tuple[bool, dict[str, bool]]:
        """Whether it can be had, and in which markets that is otherwise."""
        value = self.value("in_stock")
        places = self.columns.places.items()
        said = {p.market: self.data[column] for column, p in places if p.field == "stock"}
        said |= value if isinstance(value, Mapping) else {}
        stock, problems = read_stock({**said, **self.stock})
        for problem in problems:
            self.issue("in_stock", f"{problem}; left out")
        if value is None or isinstance(value, Mapping):
            return any(stock.values()) or not stock, stock
        try:
            return parse_stock(value), stock
        except ValueError as error:
            self.issue("in_stock", f"{error}; taken as in stock")
            return True, stock
