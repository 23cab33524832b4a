"""Reads the words of the live catalogue in the background: its lexicon, and what to suggest.

Both are made again some time after products were written, and once an hour for what shoppers
search for. Reading goes on beside searches, a few products at a time.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from datetime import UTC, datetime

import msgspec

from .behaviour import Behaviour
from .catalogue_mining import from_catalogue
from .catalogue_words import read_words
from .errors import InvalidRequest, NotFound
from .events import QueryCount
from .filters import Filter, conditions_of
from .labels import LabelTable
from .lexicon import Lexicon, LexiconReader
from .live import Live
from .locales import best_locale, language_code
from .mining import mine
from .phrases import PhraseReader
from .protocols import GenerationSpec, VectorStore
from .rulebook import RuleBook
from .rules import RuleSet, hidden_everywhere
from .schema import CATEGORY_SEPARATOR, word_fields
from .suggest import Entry, Kind, Suggestion, SuggestionIndex
from .synonyms import Synonym, SynonymBook
from .types import Product
from .understanding import warm_up
from .validation import validate_place
from .words import terms

log = logging.getLogger(__name__)

CHUNK = 250
"""Products read at a time: some milliseconds of computing, in which searches wait."""
BREATH_S = 0.005
"""Pause after each, so that reading takes at most about half of one core."""
PAUSE_S = 5.0
"""Between two readings at least, and :data:`REST` times what the last one took: a shop that is
written to all day is not read all day."""
REST = 10
REFRESH_S = 3600.0
MAX_PRODUCTS = 100_000
"""Suggested by their titles; first those that shoppers want most."""
MAX_QUERIES = 1000
QUERY_DAYS = 90.0
OWN = ""
"""The language of the catalogue, among others that products have titles in."""
MAX_SUGGESTIONS = 20
MAX_TEXT = 100
"""Characters of a suggestion that is not a product."""
ASKED = 2.0
"""What one shopper's search says beside one more product, in the logarithm of counts: that a
query is asked matters more than how much fits it. Our choice."""
NOTHING = SuggestionIndex()
Lease = Callable[[], AbstractContextManager[Live | None]]


class ShopWords:
    """Keeps the words of an engine's live generation. Thread-safe."""

    def __init__(self, lease: Lease, behaviour: Behaviour) -> None:
        self._lease = lease
        self._behaviour = behaviour
        self._suggestions: dict[str, SuggestionIndex] = {}
        self._made_of: tuple[RuleSet, int] | None = None
        self._reading = threading.Lock()
        self._due = threading.Event()
        self._hurry = threading.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="shop words", daemon=True)
        self._thread.start()

    def suggest(self, typed: str, limit: int, locale: str | None = None) -> list[Suggestion]:
        """Completions of ``typed``, best first, in the language of ``locale`` where products have
        titles in it; none until the catalogue was first read."""
        return self.suggestions(locale).suggest(typed, limit)

    def suggestions(self, locale: str | None = None) -> SuggestionIndex:
        """What there is to suggest in the language of ``locale``, or the catalogue's."""
        held = self._suggestions
        return held.get(language_code(locale or "")) or held.get(OWN) or NOTHING

    def changed(self, *, now: bool = False) -> None:
        """Have the catalogue read again: soon, or at once where another one is ``now`` live."""
        if now:
            self._hurry.set()
        self._due.set()

    def follow(self, rules: RuleSet) -> None:
        """Have the catalogue read again soon where other business rules may hide products, or a
        shopper was erased, whose searches count no longer."""
        _, erased = self._behaviour.changes
        if self._made_of not in (None, (rules, erased)):
            self.changed()

    def read(self) -> None:
        """Read the catalogue; returns when its words are known. Raises StoreError."""
        with self._reading:
            self._due.clear()
            with self._lease() as live:
                if live is None:
                    self._suggestions = {}
                    return
                store = live.store
                ids = store.scroll(Filter(), store.count(Filter()))
                made_of = live.shop.current.rules, self._behaviour.changes[1]
                found = _Found(store.spec, frozenset(_hidden(live)))
            for start in range(0, len(ids), CHUNK):
                chunk = ids[start : start + CHUNK]
                with self._lease() as live:
                    if live is None or live.store is not store:
                        return  # another generation, whose own reading is due
                    found.read(chunk, store)
                if self._closing.wait(BREATH_S):
                    return
            self._publish(store, found)
            self._made_of = made_of

    def close(self) -> None:
        self._closing.set()
        self._hurry.set()
        self._due.set()
        self._thread.join()

    def _keep(self) -> None:
        while not self._closing.is_set():
            self._due.wait(REFRESH_S)
            self._hurry.clear()
            started = time.monotonic()
            try:
                self.read()
            except Exception:  # a store or plugin may raise anything; searches go on without
                log.exception("the words of the catalogue could not be read")
            if not self._closing.is_set():
                self._hurry.wait(max(PAUSE_S, REST * (time.monotonic() - started)))

    def _publish(self, store: VectorStore, found: _Found) -> None:
        lexicon = found.lexicon.lexicon()
        with self._lease() as live:
            if live is None or live.store is not store:
                return
            shop, labels = live.shop.current, live.localization.labels
            processors = [p for line in live.pipelines.values() for p in line.query_processors]
            warm_up(processors, msgspec.structs.replace(shop, lexicon=lexicon))
            live.shop.learn(lexicon)
        asked = [query for query in self._queries() if leads_somewhere(query, lexicon)]
        popular = self._popular()
        made = {}
        for language, phrases in found.phrases.items():
            table = labels.of(language) if language != OWN else None
            texts = texts_to_suggest(phrases.phrases(), shop.vocabulary, asked, table)
            products = products_to_suggest(found.titles[language], popular)
            made[language] = SuggestionIndex([*texts, *products])
        self._suggestions = made

    def _queries(self) -> list[QueryCount]:
        try:
            return self._behaviour.queries(QUERY_DAYS, MAX_QUERIES)
        except NotFound:  # no events are kept
            return []

    def _popular(self) -> list[str]:
        try:
            best = self._behaviour.store.popular(MAX_PRODUCTS, datetime.now(UTC))
        except NotFound:
            return []
        return [id for id, _ in best]


class KnowsWords:
    """The part of an :class:`engine.Engine` that is about the shop's words."""

    words: ShopWords
    rules: RuleBook
    synonyms: SynonymBook
    behaviour: Behaviour
    _live: Callable[[], AbstractContextManager[Live]]

    def suggest(self, typed: str, limit: int = 10, locale: str | None = None) -> list[Suggestion]:
        """Completions of what a shopper has typed so far, best first; none until the catalogue
        has been read, soon after it went live.

        Raises:
            InvalidRequest: by the field that is wrong.
        """
        validate_place(locale, None, None)
        if not 1 <= limit <= MAX_SUGGESTIONS:
            raise InvalidRequest(f"limit: {limit} is outside 1…{MAX_SUGGESTIONS}", field="limit")
        self.words.follow(self.rules.current())
        return self.words.suggest(typed, limit, locale)

    def mine_synonyms(self) -> list[Synonym]:
        """Add what may be synonyms as candidates, which do nothing until a person makes them
        active; which are new. Takes seconds, for a large catalogue half a minute.

        Raises:
            InvalidSynonyms: the file is broken and must be mended first.
            NoIndex: nothing has been indexed.
            StoreError: the catalogue cannot be read.
        """
        with self._live() as live:
            if not live.shop.current.lexicon.words:
                live.shop.learn(read_lexicon(live.store))
            shop = live.shop.current
            told = mine(shop, self.behaviour)
            own = from_catalogue(read_words(live.store), shop, told)
            return self.synonyms.extend([*told, *own])


class _Found:
    """What was read of a catalogue so far; phrases and titles by language, but of products that
    are ``hidden``."""

    def __init__(self, spec: GenerationSpec, hidden: Set[str] = frozenset()) -> None:
        self._hidden = hidden
        others = {*spec.bm25_languages} - {language_code(spec.bm25_locale)}
        self.lexicon = LexiconReader()
        self.phrases = {language: PhraseReader() for language in (OWN, *sorted(others))}
        self.titles: dict[str, dict[str, str]] = {language: {} for language in self.phrases}
        self._fields = word_fields(spec.schema)

    def read(self, ids: Sequence[str], store: VectorStore) -> None:
        columns = store.columns(ids, ["title", *self._fields])
        titles = columns.pop("title")
        self.lexicon.read(titles, columns.values())
        self._take(OWN, ids, titles)
        if len(self.phrases) > 1:
            products = store.get(ids)
            for language in self.phrases.keys() - {OWN}:
                self._take(language, ids, [_title(p, language) for p in products])

    def _take(self, language: str, ids: Sequence[str], titles: Sequence[str | None]) -> None:
        shown = [(i, t) for i, t in zip(ids, titles, strict=True) if t and i not in self._hidden]
        self.phrases[language].read(title for _, title in shown)
        held = self.titles[language]
        if len(held) < MAX_PRODUCTS:
            held.update(shown)


def _hidden(live: Live) -> list[str]:
    """The products that business rules hide from every search."""
    schema, store = live.store.spec.schema, live.store
    held = hidden_everywhere(live.shop.current.rules, schema, datetime.now(UTC))
    place = live.localization.audience(schema, None, None, None).place
    found = [id for selection in held for id in selection.ids]
    for selection in held:
        if selection.filters:
            selected = place.filter(Filter(conditions_of(selection.filters)))
            found += store.scroll(selected, store.count(selected))
    return found


def read_lexicon(store: VectorStore) -> Lexicon:
    """The lexicon of a store, read at once."""
    found, fields = LexiconReader(), word_fields(store.spec.schema)
    ids = store.scroll(Filter(), store.count(Filter()))
    for start in range(0, len(ids), CHUNK):
        columns = store.columns(ids[start : start + CHUNK], ["title", *fields])
        found.read(columns.pop("title"), columns.values())
    return found.lexicon()


def _title(product: Product | None, language: str) -> str:
    """The title in a language; empty where there is none."""
    if product is None:
        return ""
    best = best_locale(language, (product.locale, *product.translations))
    if best is None or best == product.locale:
        return product.title if best else ""
    return product.translations[best].title


def leads_somewhere(query: QueryCount, lexicon: Lexicon) -> bool:
    """Whether a query that shoppers asked is worth suggesting: it mostly found something, and
    all of its words are the shop's, or somebody clicked on what it found (as they do where it
    was translated)."""
    if query.searches and 2 * query.zero_results >= query.searches:
        return False
    return query.clicks > 0 or all(lexicon.knows(term.word) for term in terms(query.query))


def texts_to_suggest(
    phrases: Mapping[str, int],
    vocabulary: Mapping[str, Mapping[str, int]],
    queries: Iterable[QueryCount],
    labels: LabelTable | None = None,
) -> list[Entry]:
    """What can be searched for, best first: queries by how many shoppers asked them, the others
    by how many products they have; of the same words the last of these kinds. Categories go by
    their ``labels``."""
    found: dict[str, tuple[float, Entry]] = {}

    def add(text: str, kind: Kind, score: float, ref: str = "") -> None:
        key = " ".join(term.word for term in terms(text))
        known = found.get(key)
        if key and len(text) <= MAX_TEXT:
            same_kind = known is not None and known[1].kind == kind
            entry = known[1] if known is not None and same_kind else Entry(text, kind, ref)
            found[key] = max(score, known[0] if known else 0.0), entry

    for phrase, products in phrases.items():
        add(phrase, "query", math.log1p(products))
    for brand, products in vocabulary.get("brand", {}).items():
        add(brand, "brand", math.log1p(products), brand)
    by_size = sorted(vocabulary.get("category", {}).items(), key=lambda item: -item[1])
    for path, products in by_size:
        shown = (labels.value("category", path) if labels else "") or path
        add(shown.rpartition(CATEGORY_SEPARATOR)[2], "category", math.log1p(products), path)
    for query in queries:
        add(query.query, "query", math.log1p(query.shoppers) * ASKED)
    ordered = sorted(found.values(), key=lambda item: (-item[0], item[1]))
    return [entry for _, entry in ordered]


def products_to_suggest(titles: Mapping[str, str], popular: Iterable[str]) -> Iterator[Entry]:
    """Products by their titles, the popular ones first; one of each title."""
    seen: set[str] = set()
    for id in dict.fromkeys([*popular, *titles]):
        title = titles.get(id, "")
        if title and title not in seen:
            seen.add(title)
            yield Entry(title, "product", id)
