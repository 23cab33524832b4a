"""Fills the texts of products in other languages, by translators, and marks them as such."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct, field

from engine import PluginError, Product, Translation, best_locale

from .glossary import Glossary
from .interpreters import Interpreters
from .languages import language_of
from .memory import TranslationMemory

Text = Literal["title", "description"]
TEXTS: tuple[Text, ...] = ("title", "description")
MOST_FAILURES = 200
"""That are remembered, of all that are counted."""
LONGEST = 400
"""Characters that a translator is given at once: models read no more than a paragraph."""
_SENTENCE = re.compile(r"[^.!?…。！？]+(?:[.!?…。！？]+[\"'»”)\]]*|$)\s*")
_BRACKETS = re.compile(r"\s*\([^()]*\)")
_CLAUSE = re.compile(rf".{{1,{LONGEST}}}(?:(?<=[,;:])\s+|\s+|$)|.{{1,{LONGEST}}}", re.DOTALL)


class Failure(Struct, frozen=True):
    """A text that could not be translated, and why."""

    product: str
    what: str
    reason: str


class Tally(Struct):
    """What became of texts: ``human`` ones were there, ``same`` came back as they were (names,
    mostly) and are left out, ``kept`` were translated in an earlier run."""

    products: int = 0
    translated: int = 0
    kept: int = 0
    human: int = 0
    same: int = 0
    failed: int = 0
    failures: list[Failure] = field(default_factory=list)


class CatalogueTranslator:
    """Translates product after product. ``terms`` are a shop's glossary by language
    (:func:`plugins.translators.glossary.load_glossary`); brands are kept as they are."""

    def __init__(
        self,
        interpreters: Interpreters,
        memory: TranslationMemory,
        terms: Mapping[str, Mapping[str, str]],
        catalogue_locale: str,
        texts: Sequence[Text] = TEXTS,
    ) -> None:
        self.tally = Tally()
        self._interpreters = interpreters
        self._memory = memory
        self._kept = list(terms.get("", {}))
        self._forced = {code: _turned(table) for code, table in terms.items() if code}
        self._own = language_of(catalogue_locale)
        self._texts = texts
        self._glossaries: dict[tuple[str, str], Glossary] = {}

    def product(self, product: Product, targets: Sequence[str]) -> Product:
        """``product`` with what it lacks in ``targets``. A person's texts stay as they are; a
        translator's are made again from what the product says now."""
        self.tally.products += 1
        translations = dict(product.translations)
        for target in targets:
            if best_locale(target, (product.locale,)) is None:
                before = translations.get(target, Translation())
                made = self._translation(product, target, before)
                if made.title or made.description:
                    translations[target] = made
        return msgspec.structs.replace(product, translations=translations)

    def label(self, text: str, source: str, target: str) -> str | None:
        """What a value is called; none where nobody can say, or it is called the same."""
        return self._text("", text, source, target, "label")

    def _translation(self, product: Product, target: str, before: Translation) -> Translation:
        texts = {name: getattr(before, name) for name in TEXTS}
        machine = set(before.machine)
        source = language_of(product.locale)
        for name in self._texts:
            own = getattr(product, name)
            if not own:
                continue
            if _is_said(product, name, target):
                self.tally.human += 1
                continue
            made = self._text(product.brand, own, source, target, name, product.id)
            if made is not None:
                texts[name] = made
                machine.add(name)
        return Translation(**texts, machine=tuple(name for name in TEXTS if name in machine))

    def _text(
        self, brand: str, text: str, source: str, target: str, what: str, product: str = ""
    ) -> str | None:
        language = language_of(target)
        made = self._memory.find(text, source, language)
        if made is not None:
            self.tally.kept += 1
        else:
            try:
                made = self._translated(brand, text, source, language)
            except PluginError as error:
                self.tally.failed += 1
                if len(self.tally.failures) < MOST_FAILURES:
                    failure = Failure(product, f"{what} ({target})", str(error))
                    self.tally.failures.append(failure)
                return None
            self._memory.keep(text, source, language, made)
            self.tally.translated += 1
        if made.casefold() == text.casefold():
            self.tally.same += 1
            return None
        return made

    def _translated(self, brand: str, text: str, source: str, target: str) -> str:
        foreign = target if source == self._own else source
        glossary = self._glossary(brand, target)
        parts = []
        for sentence in sentences(text):
            made = self._interpreters.translated(sentence, (source, target), foreign, glossary)
            if made is None:
                raise PluginError(f"no translator has {source!r} to {target!r}")
            # Neural models add what a text is ("Red Bell Pepper (em inglês)").
            tidied = made if "(" in sentence else _BRACKETS.sub("", made).strip()
            parts.append(tidied or made)
        return " ".join(parts)

    def _glossary(self, brand: str, target: str) -> Glossary:
        key = (brand, target)
        if key not in self._glossaries:
            if len(self._glossaries) >= 1000:  # a catalogue may have a brand per product
                self._glossaries.clear()
            kept = [*self._kept, *([brand] if brand else [])]
            self._glossaries[key] = Glossary(kept, self._forced.get(target, {}))
        return self._glossaries[key]


def sentences(text: str) -> Iterator[str]:
    """``text`` in parts that make sense by themselves, none over :data:`LONGEST` characters."""
    for found in _SENTENCE.finditer(text) if any(map(str.isalnum, text)) else ():
        sentence = found[0].strip()
        if len(sentence) <= LONGEST:
            if sentence:
                yield sentence
        else:
            yield from (part[0].strip() for part in _CLAUSE.finditer(sentence) if part[0].strip())


def _is_said(product: Product, name: Text, target: str) -> bool:
    """Whether a person has written this text for readers of ``target``."""
    said = tuple(
        tag
        for tag, texts in product.translations.items()
        if getattr(texts, name) and name not in texts.machine
    )
    return best_locale(target, said) is not None


def _turned(table: Mapping[str, str]) -> dict[str, str]:
    """A glossary of queries the other way round; of several words for one, the first."""
    turned: dict[str, str] = {}
    for word, meaning in table.items():
        turned.setdefault(meaning, word)
    return turned
