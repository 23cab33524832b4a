"""Query processor ``translate``: the query in the catalogue's language, beside the original.

The translation searches in lanes of its own, and ``understand`` reads it, while the original keeps
its lanes: a bad translation cannot hide what the query would have found. See
``docs/translation.md``.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from engine import (
    EntrepotError,
    InvalidSettings,
    PluginError,
    QueryPlan,
    QueryProcessor,
    Register,
    Registry,
    ShopView,
    Translator,
    UnknownPlugin,
    hookimpl,
)

from .field_labels import labels_of
from .gazetteer import value_keys
from .scripts import LATIN, can_be, script_of
from .translators.glossary import SHOP_WORDS, Glossary, load_glossary
from .translators.interpreters import Interpreters
from .translators.languages import language_of
from .word_forms import key_of, words_of

log = logging.getLogger(__name__)

TRANSLATORS = "translators"
"""Their kind among components."""
ENGLISH = "en"
BRAND = "creator"
WARM_UP_WORD = "test"
BUILT_IN = ("ctranslate", "bergamot", "apertium", "dictionary", "http")
OWN_TABLES = ("apertium", "dictionary", "ctranslate", "http")
"""Translators whose options may stand in the table of ``translate``."""


class TranslateOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``translators`` are tried in this order, each for the languages that it has; ``routes``
    names another one for a language, empty for none ("de": "http"). Their own options are in
    ``[plugins.options.NAME]``; those of ``apertium``, ``dictionary``, ``ctranslate`` and ``http``
    may stand here instead. ``glossary`` is a file with terms that must not be translated, or only
    so; ``shop_words`` adds the terms of trade that we ship (for an English catalogue). ``cache``
    counts queries kept."""

    translators: tuple[str, ...] = BUILT_IN
    routes: dict[str, str] = field(default_factory=dict)
    apertium: dict[str, Any] = field(default_factory=dict)
    dictionary: dict[str, Any] = field(default_factory=dict)
    ctranslate: dict[str, Any] = field(default_factory=dict)
    http: dict[str, Any] = field(default_factory=dict)
    glossary: str = ""
    shop_words: bool = True
    cache: Annotated[int, Meta(ge=0)] = 4096


class _Shop(Struct, frozen=True, eq=False):
    vocabulary: Mapping[str, Mapping[str, int]]
    locale: str
    values: frozenset[str]
    glossaries: dict[str, Glossary]

    def sells(self, phrase: str) -> bool:
        """Whether some value of the shop is called so."""
        return key_of(words_of(phrase)) in self.values


class Translate:
    """``translators`` are those that ``options`` name, by name; they are closed with it."""

    def __init__(self, options: TranslateOptions, translators: Mapping[str, Translator]) -> None:
        self._options = options
        self._interpreters = Interpreters(translators, options.translators, options.routes)
        self._terms = load_glossary(Path(options.glossary)) if options.glossary else {}
        self._words = load_glossary(SHOP_WORDS) if options.shop_words else {}
        self._lock = threading.Lock()
        self._cache: OrderedDict[tuple[str, str, str], str] = OrderedDict()
        self._shop: _Shop | None = None

    def process(self, plan: QueryPlan, shop: ShopView) -> QueryPlan:
        """Raises PluginError where no translator gave a usable text; the search goes on without
        a translation."""
        source, target = language_of(plan.locale), language_of(shop.locale)
        if not plan.text.strip():
            if not plan.original:  # before the first search of a generation
                self._warm_up(shop, target)
            return plan
        if not source or source == target or target in plan.translations:
            return plan
        script = script_of(plan.text)
        if script != LATIN and not can_be(source, script):  # the locale is wrong, no translator
            return plan
        translation = self.translation(plan.text, source, target, shop)
        if translation is None or translation.casefold() == plan.text.casefold():
            return plan
        translations = {**plan.translations, target: translation}
        return msgspec.structs.replace(plan, translations=translations)

    def translation(self, text: str, source: str, target: str, shop: ShopView) -> str | None:
        """``text`` in the language ``target``; none where no translator has the pair."""
        known = self._known(shop)
        key = (source, target, text)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
        glossary = known.glossaries.get(source, known.glossaries[""])
        found = self._interpreters.translated(text, (source, target), source, glossary, known.sells)
        if found is not None:
            self._remember(key, found)
        return found

    def close(self) -> None:
        self._interpreters.close()

    def _remember(self, key: tuple[str, str, str], translation: str) -> None:
        with self._lock:
            self._cache[key] = translation
            while len(self._cache) > self._options.cache:
                self._cache.popitem(last=False)

    def _known(self, shop: ShopView) -> _Shop:
        """The shop's values and glossaries; compiled again, and the cache emptied, where its
        vocabulary is another, for a translation may be chosen by what it sells."""
        last = self._shop
        if last and last.vocabulary is shop.vocabulary and last.locale == shop.locale:
            return last
        kept = [*brands(shop), *self._terms.get("", {})]
        words = self._words if language_of(shop.locale) == ENGLISH else {}
        glossaries = {
            code: Glossary(kept, {**words.get(code, {}), **self._terms.get(code, {})})
            for code in {"", *self._terms, *words}
        }
        made = _Shop(shop.vocabulary, shop.locale, value_keys(shop.vocabulary), glossaries)
        with self._lock:
            self._shop = made
            self._cache.clear()
        return made

    def _warm_up(self, shop: ShopView, target: str) -> None:
        """Start what takes long to start, for every language that is routed."""
        self._known(shop)
        held = self._interpreters
        sources = {a for name in held.translators for a, b in held.pairs(name) if b == target}
        for source in sorted(sources):
            for name in held.route(source, target, source)[:1]:
                try:
                    held.asked(name, source, target, [WARM_UP_WORD])
                except PluginError as error:
                    log.warning("translation by %s from %r: %s", name, source, error)


def opened(options: TranslateOptions, registry: Registry) -> dict[str, Translator]:
    """The translators that ``options`` name and that can be used here. Left out are built-in ones
    that have neither what they need (a package, the address of a server) nor options or a route,
    and what a plugin that failed to load may have offered.

    Raises:
        UnknownPlugin: nobody registered one of them.
        InvalidSettings: options do not fit.
        PluginError: one cannot be built.
    """
    routed = set(options.routes.values()) - {""}
    made: dict[str, Translator] = {}
    try:
        for name in dict.fromkeys((*options.translators, *sorted(routed))):
            table = options_of(name, options, registry)
            try:
                made[name] = registry.create(TRANSLATORS, name, table)
            except (InvalidSettings, PluginError) as error:
                if isinstance(error, UnknownPlugin):
                    spared = bool(registry.missing)
                else:
                    spared = name in BUILT_IN and not (table or name in routed)
                if not spared:
                    raise
                log.info("translator %s is left out: %s", name, error)
    except EntrepotError:
        for translator in made.values():
            translator.close()
        raise
    return made


def options_of(name: str, options: TranslateOptions, registry: Registry) -> dict[str, Any]:
    """What the settings give a translator; what stands in the table of ``translate`` wins."""
    ours = getattr(options, name) if name in OWN_TABLES else {}
    return {**registry.settings_of(name), **ours}


def brands(shop: ShopView) -> list[str]:
    """The shop's names of makers: they mean the same in every language."""
    return [
        value
        for name, values in shop.vocabulary.items()
        if BRAND in labels_of(name, values)
        for value in values
    ]


@hookimpl
def register_query_processors(register: Register[QueryProcessor], registry: Registry) -> None:
    def made(options: TranslateOptions) -> Translate:
        return Translate(options, opened(options, registry))

    register("translate", made, TranslateOptions)
