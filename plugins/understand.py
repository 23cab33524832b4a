"""Query processor ``understand``: what the shopper means, in the shop's own terms.

A model (:mod:`plugins.query_reader`) labels the words, a grammar reads numbers, prices and
negations (:mod:`plugins.query_grammar`), and the live shop's values are found among the words
(:mod:`plugins.gazetteer`). Values that the shopper names are lifted by the ranker ``understood``,
prices and what is not wanted become filters and leave the searched text. See
``docs/understanding.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from engine import (
    Encoder,
    InvalidModel,
    QueryPlan,
    QueryProcessor,
    Register,
    ShopView,
    Span,
    SynonymSet,
    hookimpl,
)

from .field_labels import TYPE
from .gazetteer import Gazetteer
from .live_categories import LiveCategories, kind_field
from .onnx_encoder import model_folder, shared_model
from .purposes import Purpose, Purposes
from .query_facts import Facts
from .query_filters import (
    PRICE,
    SURE,
    cheaper,
    departments,
    differences,
    exclusions,
    priced,
    says_nothing_more,
    without_pointing,
)
from .query_grammar import read
from .query_lexicon import AND_OR
from .query_linking import link
from .query_needs import opens_like_need
from .query_prices import Price
from .query_reader import QueryReader, Reading
from .tensorrt_encoder import TensorrtReader
from .translators.languages import language_of

_LOOSE_ENDS = " ,;/&+-"
SPELLING = "spelling:"
"""How a shopper takes back the correction of a word."""
HELPERS = 8
"""Threads that the model reads on: as many searches at a time as do not wait for one another."""


class UnderstandOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``model`` names a shipped query model or a folder; empty: rules and the shop's words only.
    ``runtime`` and ``precision`` are as for encoders. What the model is less sure of than
    ``min_confidence`` is left out."""

    model: str = "query-bert"
    threads: Annotated[int, Meta(ge=1, le=64)] = 1
    runtime: Literal["onnx", "tensorrt"] = "onnx"
    precision: str = "fp16"
    min_confidence: Annotated[float, Meta(ge=0, le=1)] = 0.5


class _Compiled(Struct, frozen=True, eq=False):
    vocabulary: Mapping[str, Mapping[str, int]]
    synonyms: SynonymSet
    gazetteer: Gazetteer


class Understand:
    def __init__(self, options: UnderstandOptions) -> None:
        self._options = options
        self._categories = LiveCategories()
        self._purposes = Purposes()
        self._compiled: _Compiled | None = None
        self._reader: QueryReader | None = None
        self._broken: InvalidModel | None = None
        self._helpers = ThreadPoolExecutor(HELPERS, "query-reader")  # starts none before it must
        try:
            self._reader = _open(options)
        except InvalidModel as error:
            self._broken = error

    @property
    def reader(self) -> QueryReader:
        """The model at work; raises InvalidModel where there is none."""
        if self._reader is None:
            raise self._broken or InvalidModel("the query is read without a model: name one")
        return self._reader

    @property
    def fallback(self) -> str:
        """Why the model runs on something slower than asked for; empty where it does not."""
        return self._reader.fallback if self._reader else ""

    def process(self, plan: QueryPlan, shop: ShopView) -> QueryPlan:
        """Raises InvalidModel where the model cannot be used; the search goes on without."""
        if self._broken is not None:
            raise InvalidModel(str(self._broken))
        gazetteer = self._gazetteer(shop)
        if not plan.text.strip():
            if not plan.original:  # before the first search of a generation
                self._categories.learn(shop, kind_field(gazetteer))
                self._purposes.learn(shop, kind_field(gazetteer))
            return plan
        language = language_of(shop.locale)
        translation = plan.translations.get(language)
        if translation and language_of(plan.locale) not in ("", language):
            there = msgspec.structs.replace(
                plan, text=translation, locale=shop.locale, translations={}
            )
            return _in_two_languages(plan, self._read(there, shop, gazetteer), shop, gazetteer)
        return self._read(plan, shop, gazetteer)

    def _read(self, plan: QueryPlan, shop: ShopView, gazetteer: Gazetteer) -> QueryPlan:
        if plan.pictured:
            plan = msgspec.structs.replace(plan, text=without_pointing(plan.text))
        reading = self._model_reading(plan.text, shop.text_encoder)
        found = _understood(plan, shop, gazetteer, partial(self._spans, reading))
        kind = kind_field(gazetteer)
        own = self._categories.likely(found.text, shop, kind)
        guessed = reading.result().categories if reading else {}
        others = {name: chance for name, chance in guessed.items() if name not in own}
        unnamed = found.text and not _names_kind(found)
        found = msgspec.structs.replace(
            found,
            categories={**own, **others, **plan.categories},
            kind_field=kind if unnamed else "",
        )
        if plan.pictured:
            return found
        purpose = self._purposes.of(found, shop, kind)
        return _for_the_need(found, purpose, shop.vocabulary.get(kind, {}), kind)

    def _model_reading(self, text: str, encoder: Encoder) -> Future[Reading] | None:
        """What the model will have said of ``text``. Meanwhile this thread embeds it, which the
        lanes will want (two models that run at the same time take three quarters of one after the
        other); not where something is likely to be taken out of it."""
        if self._reader is None:
            return None
        reading = self._helpers.submit(self._reader.read, text)
        if not read(text):
            with suppress(Exception):  # whoever needs the embedding will meet the error again
                encoder.encode_texts([text], "query")
        return reading

    def _spans(self, reading: Future[Reading] | None) -> list[Span] | None:
        if reading is None:
            return None
        least = self._options.min_confidence
        return [span for span in reading.result().spans if span.confidence >= least]

    def _gazetteer(self, shop: ShopView) -> Gazetteer:
        last = self._compiled
        if last and last.vocabulary is shop.vocabulary and last.synonyms is shop.synonyms:
            return last.gazetteer
        synonyms = shop.synonyms.of(shop.locale)
        made = Gazetteer.compile(shop.vocabulary, last.gazetteer if last else None, synonyms)
        self._compiled = _Compiled(shop.vocabulary, shop.synonyms, made)
        return made


def _open(options: UnderstandOptions) -> QueryReader | None:
    if not options.model:
        return None
    folder, threads = model_folder(options.model), options.threads
    if options.runtime == "tensorrt":
        key = (TensorrtReader, folder, threads, options.precision)
        return shared_model(key, lambda: TensorrtReader(folder, threads, options.precision))
    return shared_model((QueryReader, folder, threads), lambda: QueryReader(folder, threads))


def _understood(
    plan: QueryPlan, shop: ShopView, gazetteer: Gazetteer, model: Callable[[], list[Span] | None]
) -> QueryPlan:
    """The plan with spans and filters, and the text without what must not be searched for. What
    does not need the ``model`` is done before it is asked, for it may be reading still."""
    text = plan.text
    readings = read(text, plan.locale or shop.locale)
    prices, price_filter = priced(readings, plan, shop)
    others = [r for r in readings if not isinstance(r, Price)]
    as_typed = {key.removeprefix(SPELLING) for key in plan.ignored if key.startswith(SPELLING)}
    matches = gazetteer.find(text, as_typed)
    facts = Facts(text, others, prices, matches, model(), gazetteer, shop.lexicon, plan.pictured)
    earlier = plan.spans if plan.read == text else ()
    spans = [s for s in (*prices, *link(facts)) if s.key not in plan.ignored]
    spans = [s for s in spans if not any(s.start < e.end and e.start < s.end for e in earlier)]
    spans = sorted((*earlier, *spans), key=lambda span: span.start)
    differing: dict[str, Any] = {}
    if plan.pictured:
        spans, differing = differences(spans, gazetteer)
    filters: dict[str, Any] = {}
    for more in (exclusions(spans), price_filter, departments(spans, gazetteer), differing):
        for name, spec in more.items():
            filters.setdefault(name, spec)
    filters |= plan.filters
    below, places = cheaper(text) if plan.pictured else ((), [])
    said = [
        (s.start, s.end)
        for s in spans
        if s.label == "negation" or s in prices or (plan.pictured and s.effect == "filter")
    ]
    rest = _without(text, [*said, *places])
    avoided = plan.pictured and any(span.effect == "avoid" for span in spans)
    if plan.pictured and (filters or below or avoided) and says_nothing_more(rest):
        rest = ""
    return msgspec.structs.replace(
        plan,
        read=text,
        spans=tuple(spans),
        filters=filters,
        # No words and no filters would be no search: then the words count as they stand.
        text=rest if rest or filters or below or avoided else text,
        below=below,
        need=not plan.pictured and opens_like_need(text, spans),
    )


def _names_kind(plan: QueryPlan) -> bool:
    """Whether the words surely say what kind of thing is wanted."""
    return any(
        span.label == TYPE and span.effect == "boost" and span.confidence >= SURE
        for span in plan.spans
    )


def _for_the_need(
    plan: QueryPlan, purpose: Purpose, kinds: Mapping[str, int], kind: str
) -> QueryPlan:
    """The plan with what serves the need that the words describe, which keywords then find, too:
    titles have other words than needs."""
    if not purpose.surely:
        return plan
    others = {name: chance for name, chance in plan.categories.items() if name not in kinds}
    return msgspec.structs.replace(
        plan,
        categories={**purpose.kinds, **others} if purpose.kinds else plan.categories,
        kind_field=kind,
        need=True,
        described=purpose.surely,
        things=purpose.things,
        expansion=" ".join(filter(None, (plan.expansion, *purpose.called))),
    )


def _in_two_languages(
    plan: QueryPlan, translated: QueryPlan, shop: ShopView, gazetteer: Gazetteer
) -> QueryPlan:
    """The plan as its translation was read; of the original only the grammar's finds count, which
    know more languages: they leave the searched words, and a price that the translation lost
    filters."""
    own = _understood(msgspec.structs.replace(plan, filters={}), shop, gazetteer, lambda: None)
    # The spans shown are the translation's: to take one back must end the filter.
    taken_back = any(key.startswith(f"{PRICE}:") for key in plan.ignored)
    kept = {} if taken_back else {k: v for k, v in own.filters.items() if k in (PRICE, "currency")}
    language = language_of(shop.locale)
    others = {code: text for code, text in plan.translations.items() if code != language}
    return msgspec.structs.replace(
        translated,
        text=own.text if own.text or translated.filters else plan.text,
        locale=plan.locale,
        translations={**others, **({language: translated.text} if translated.text else {})},
        filters={**kept, **translated.filters},
    )


def _without(text: str, places: Sequence[tuple[int, int]]) -> str:
    """``text`` without what stands at ``places``, nor an "and" between two of them."""
    if not places:
        return text
    starts, ends = zip(*sorted(places), strict=True)
    kept = [
        text[end:start].strip(_LOOSE_ENDS)
        for end, start in zip((0, *ends), (*starts, len(text)), strict=True)
    ]
    between = [part for part in kept[1:-1] if part.lower() not in AND_OR]
    return " ".join(filter(None, (kept[0], *between, kept[-1])))


@hookimpl
def register_query_processors(register: Register[QueryProcessor]) -> None:
    register("understand", Understand, UnderstandOptions)
