"""The file of business rules."""

from __future__ import annotations

from pathlib import Path

from .book import Book
from .rules import RULES, Rule, RuleSet, unfit
from .schema import IndexSchema


class RuleBook(Book[Rule, RuleSet]):
    """The rules of one shop, in the order of their file."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, RULES)

    def problems(self, schema: IndexSchema | None) -> list[str]:
        """Why the file as it stands is not in force, and which rules do not fit the shop."""
        found = [self.problem] if self.problem else []
        if schema is not None:
            named = ((rule.id, unfit(rule, schema)) for rule in self.entries())
            found += [f"rule {name!r} does not apply: {why}" for name, why in named if why]
        return found
