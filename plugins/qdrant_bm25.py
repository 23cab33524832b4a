"""The sparse vector ``bm25`` of both Qdrant stores: words weighed by field, and identifiers.

Qdrant's embedder splits, folds and stems; it knows neither fields nor how often they count, so
the formula is ours. With c the number of times a word stands in a field and w the field's weight,

    value = f · (k1 + 1) / (f + k1 · (1 − b + b · length / AVG_LEN)),   f = Σ_field w · c

which is simple BM25F (Robertson, Zaragoza and Taylor, CIKM 2004) and plain BM25 where every weight
is 1. The store multiplies with the inverse document frequency. Each language of a product is a
document of its own by this formula, and of a word that is in several the largest value stands:
what is said twice, in two languages, is said once.

Identifiers stand in the same vector, in the upper half of its index space, which Qdrant's words
never use: they are made from a hash of 31 bits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from zlib import crc32

from qdrant_edge import Bm25, Bm25Config, DisabledStemmer, SparseVector, StopwordsSet

from engine import language_code
from engine.protocols import FieldText, GenerationSpec, LaneQuery

K1, B = 1.2, 0.75
"""The usual constants (Robertson and Zaragoza, 2009)."""
AVG_LEN = 32.0
"""BM25's expected document length in words; see ``docs/stores.md`` for the measurement."""
_CODES = 1 << 31

_LANGUAGES: Mapping[str, str] = {
    "ar": "arabic", "az": "azerbaijani", "bn": "bengali", "ca": "catalan", "da": "danish",
    "de": "german", "el": "greek", "en": "english", "es": "spanish", "eu": "basque",
    "fi": "finnish", "fr": "french", "he": "hebrew", "hu": "hungarian", "id": "indonesian",
    "it": "italian", "ja": "japanese", "kk": "kazakh", "nb": "norwegian", "ne": "nepali",
    "nl": "dutch", "nn": "norwegian", "no": "norwegian", "pt": "portuguese",
    "ro": "romanian", "ru": "russian", "sl": "slovene", "sv": "swedish", "tg": "tajik",
    "tr": "turkish", "zh": "chinese",
}  # fmt: skip
_UNSPACED = re.compile("[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]+")


def document(parts: Sequence[FieldText], spec: GenerationSpec) -> SparseVector | None:
    """The indexed form of a product's texts, or ``None`` where they have no word."""
    values: dict[int, float] = {}
    by_language: dict[str, list[FieldText]] = {}
    for part in parts:
        if part.field == "codes":
            values |= dict.fromkeys(map(_code, part.text.split()), 1.0)
        else:
            language = language_code(part.locale or spec.bm25_locale)
            by_language.setdefault(language, []).append(part)
    for language, texts in by_language.items():
        for index, value in _weighed(texts, language, spec.bm25_weights).items():
            values[index] = max(value, values.get(index, 0.0))
    return SparseVector(list(values), list(values.values())) if values else None


def _weighed(
    parts: Sequence[FieldText], language: str, weights: Mapping[str, float]
) -> dict[int, float]:
    """The values of one language's words."""
    counts: dict[int, float] = {}
    length = 0.0
    words = bm25(language)
    for part in parts:
        weight = weights.get(part.field, 1.0)
        vector = words.embed_document(_UNSPACED.sub(_grams, part.text))
        for index, value in zip(vector.indices, vector.values, strict=True):
            count = K1 * value / (K1 + 1 - value)  # the embedder has b = 0
            length += count
            counts[index] = counts.get(index, 0.0) + weight * count
    norm = K1 * (1 - B + B * length / AVG_LEN)
    return {index: f * (K1 + 1) / (f + norm) for index, f in counts.items()}


def question(lane: LaneQuery, spec: GenerationSpec) -> SparseVector | None:
    """A keyword lane's query, or ``None`` where it has no word."""
    if lane.using == "codes":
        codes = list(dict.fromkeys(map(_code, lane.text.split())))
        return SparseVector(codes, [1.0] * len(codes)) if codes else None
    text = _UNSPACED.sub(_bigrams, lane.text)
    vector = bm25(language_code(spec.bm25_locale)).embed_query(text)
    language = language_code(lane.locale)
    if language in spec.bm25_languages and language != language_code(spec.bm25_locale):
        # Both, for a product may lack the translation, and brands are the same in all languages.
        own = bm25(language).embed_query(text)
        terms = list(dict.fromkeys([*vector.indices, *own.indices]))
        vector = SparseVector(terms, [1.0] * len(terms))
    return vector if vector.indices else None


@lru_cache(maxsize=64)
def bm25(language: str) -> Bm25:
    """The embedder for a language: Latin accents folded; stemmer and stop words where Qdrant
    has the language, neither where it has not. It counts words, without regard to length."""
    if name := _LANGUAGES.get(language):
        return Bm25(Bm25Config(k=K1, b=0.0, language=name, ascii_folding=True))
    plain = StopwordsSet(languages=set(), custom=set())
    return Bm25(
        Bm25Config(k=K1, b=0.0, ascii_folding=True, stopwords=plain, stemmer=DisabledStemmer())
    )


def _code(code: str) -> int:
    return crc32(code.encode("utf-8", "surrogatepass")) | _CODES


def _bigrams(run: re.Match[str]) -> str:
    """Words of scripts without spaces, as overlapping pairs (Qdrant's multilingual tokenizer
    drops every number, so it is not used)."""
    text = run.group()
    pairs = [text[i : i + 2] for i in range(len(text) - 1)] or [text]
    return f" {' '.join(pairs)} "


def _grams(run: re.Match[str]) -> str:
    """Pairs and single characters, so that a query of one character finds something."""
    return f"{_bigrams(run)} {' '.join(run.group())} "
