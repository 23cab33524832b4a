"""Query processor ``language``: the language of a query, where the request does not name it.

Scripts decide first (Chinese, Japanese, Korean, Russian, Greek, Arabic, Thai …). Words of the
shop's own vocabulary speak for the catalogue's language. What is left is judged by ``py3langid``
among the languages that the shop serves, and a query of one or two words only where it is sure:
such queries are mostly names, and a wrong guess costs more than none. A locale in the request
stands unless the script contradicts it, or it is the catalogue's own, as that of a browser may be
whose shopper types another one, and the model is very sure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta, Struct

from engine import InvalidSettings, QueryPlan, QueryProcessor, Register, ShopView, hookimpl

from .gazetteer import COMMON
from .scripts import LATIN, can_be, languages_of, script_of
from .translators.languages import language_of
from .word_forms import words_of

SHORT = 2
"""Words of a query that is short."""
SURE_SHORT = 0.4
SURE = 0.5
"""Probability from which a short, and a longer query is what the model says (measured:
docs/translation.md)."""
SURE_AGAINST = 0.7
"""Probability from which the model is believed against a request that names the catalogue's own
language: 1 % of 2,371 English queries of home_depot and QueryNER are then taken for others, and
24 to 49 % of the queries of docs/translation.md in six languages still for what they are."""
KNOWN = 0.5
"""Share of a query's words that must be known to speak for the catalogue's language."""
_DIGITS = re.compile(r"[\d_]+")


class LanguageOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``served`` are the languages to choose among, beside the catalogue's."""

    served: Annotated[tuple[str, ...], Meta(min_length=1)] = (
        *("de", "en", "es", "fr", "it", "nl", "pt", "zh"),
    )


class Guess(Struct, frozen=True):
    """A language and how sure it is, in [0, 1]."""

    language: str
    confidence: float


class _Words(NamedTuple):
    """What was computed of a vocabulary: the forms of its words."""

    vocabulary: Mapping[str, Mapping[str, int]]
    locale: str
    forms: frozenset[str]


class Language:
    """Raises InvalidSettings where ``py3langid`` is missing or does not know a served language."""

    def __init__(self, options: LanguageOptions) -> None:
        self._served = tuple(dict.fromkeys(map(language_of, options.served)))
        self._latin = [code for code in self._served if can_be(code, LATIN)]
        self._model = _model(self._latin)
        self._known: _Words | None = None

    def process(self, plan: QueryPlan, shop: ShopView) -> QueryPlan:
        if not plan.text.strip():
            self._words(shop)
            return plan
        script, own = script_of(plan.text), language_of(shop.locale)
        named = language_of(plan.locale)
        stands = bool(named) and can_be(named, script)
        if stands and named != own:
            return plan
        guess = self.identify(plan.text, shop, script)
        if stands and (guess.language == own or guess.confidence < SURE_AGAINST):
            return plan
        locale = shop.locale if guess.language == own else guess.language
        return msgspec.structs.replace(plan, locale=locale)

    def identify(self, text: str, shop: ShopView, script: str | None = None) -> Guess:
        """The likeliest of the served languages, or the catalogue's where nothing says more."""
        script = script_of(text) if script is None else script
        own = language_of(shop.locale)
        if script != LATIN:
            return self._by_script(script, own)
        forms = [word.form for word in words_of(_DIGITS.sub(" ", text))]
        known = self._words(shop)
        share = sum(form in known for form in forms) / len(forms) if forms else 0.0
        if not forms or share > KNOWN or (share == KNOWN and len(forms) <= SHORT):
            return Guess(own, share)
        language, confidence = self._model.classify(text.casefold()) if self._model else (own, 0.0)
        if confidence >= (SURE_SHORT if len(forms) <= SHORT else SURE):
            return Guess(str(language), float(confidence))
        return Guess(own, 1.0 - float(confidence))

    def _by_script(self, script: str, own: str) -> Guess:
        possible = languages_of(script)
        for code in (own, *self._served, *possible):
            if code in possible:
                return Guess(code, 1.0 if len(possible) == 1 else 0.9)
        return Guess(own, 0.0)

    def _words(self, shop: ShopView) -> frozenset[str]:
        """The forms of all words in the shop's values, and of ordinary English queries for an
        English catalogue."""
        last = self._known
        if not last or last.vocabulary is not shop.vocabulary or last.locale != shop.locale:
            values = (value for held in shop.vocabulary.values() for value in held)
            words = frozenset(
                w.form for value in values for w in words_of(value) if len(w.form) > 1
            )
            english = language_of(shop.locale) == "en"
            forms = words | COMMON if english else words
            self._known = last = _Words(shop.vocabulary, shop.locale, forms)
        return last.forms


def _model(languages: list[str]) -> Any:
    """``py3langid`` for these languages alone; none is needed to tell one from itself."""
    if len(languages) < 2:
        return None
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier
    except ImportError as error:
        raise InvalidSettings(
            "language needs py3langid: pip install 'entrepot[translate]'", field="language"
        ) from error
    model = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    try:
        model.set_languages(languages)
    except ValueError as error:
        raise InvalidSettings(
            f"language: served: {error}", field="plugins.options.language.served"
        ) from error
    return model


@hookimpl
def register_query_processors(register: Register[QueryProcessor]) -> None:
    register("language", Language, LanguageOptions)
