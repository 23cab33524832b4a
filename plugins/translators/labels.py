"""Labels for the values of a shop: what colours, categories and kinds are called elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from engine import Product

from ..field_labels import labels_of
from .catalogue import CatalogueTranslator
from .languages import language_of
from .word_endings import SKIPPED

MOST_VALUES = 1000
LONGEST = 60
"""A field with more values, or one of longer texts, is not named but described by them."""
_NO_WORDS = frozenset({"creator", "UoM", "product_name"})
"""What means the same in every language: brands, sizes, names of models."""
Values = dict[str, Counter[str]]


def collect(values: Values, product: Product) -> None:
    """Count the words that a product's fields hold; a category counts step by step."""
    for step in product.category:
        values.setdefault("category", Counter())[step] += 1
    for name, held in product.attributes.items():
        for value in held if isinstance(held, list) else [held]:
            if isinstance(value, str) and _is_words(value):
                counted = values.setdefault(name, Counter())
                if len(counted) <= MOST_VALUES:
                    counted[value] += 1


def named(values: Values) -> Iterable[tuple[str, list[str]]]:
    """The fields whose values are worth a name, and those values."""
    for name, counted in values.items():
        prose = len(counted) > MOST_VALUES or any(len(value) > LONGEST for value in counted)
        if not prose and not _NO_WORDS.intersection(labels_of(name, counted)[:1]):
            yield name, list(counted)


class Namer:
    """Names values in one language: by ``words`` of trade (of that language → the catalogue's) and
    by a translator, whose word is taken where it is one of them."""

    def __init__(
        self,
        translator: CatalogueTranslator,
        words: Mapping[str, str],
        source: str,
        target: str,
    ) -> None:
        self._translator = translator
        self._source = source
        self._target = target
        self._forms: dict[str, list[str]] = {}
        for form, meaning in words.items():
            self._forms.setdefault(meaning.casefold(), []).append(form)

    def name(self, value: str) -> str | None:
        """What ``value`` is called; none where nobody can say."""
        forms = self._forms.get(value.casefold(), [])
        text = value.replace("_", " ")
        made = self._translator.label(text, self._source, self._target)
        if forms and (made is None or made.casefold() not in forms):
            # Of rot, rote, rotem, roten … the one without an ending.
            made = min(forms, key=lambda form: (len(form), form))
        if made is None:
            return None
        first, _, rest = made.partition(" ")
        if rest and first.casefold() in SKIPPED.get(language_of(self._target), ()):
            made = rest  # an article: "La Suède"
        return made[:1].upper() + made[1:]


def _is_words(value: str) -> bool:
    """Not codes, versions or addresses."""
    return any(map(str.isalpha, value)) and not any(c.isdigit() or c == "@" for c in value)
