"""Whether words open like a need ("something to hang coats on") rather than name a product.

No title has such words, so what is meant is found by the texts' meaning, and the lanes that look
for the words themselves mislead: "hold my camera steady" finds cameras. Needs that open otherwise
("my trousers keep slipping down") are known by what serves them (:mod:`plugins.purposes`).
"""

from __future__ import annotations

from collections.abc import Sequence

from engine import Span

from .field_labels import TYPE
from .gazetteer import FUNCTION_WORDS
from .word_forms import forms, words_of

LEAST_WORDS = 3
OPENINGS = forms(
    "something anything somewhere someone thing things what stuff "
    "hang hold keep put store carry wear make take play listen watch see read write draw sit lie "
    "sleep lean rest walk ride climb jump stay go protect cover hide remove clean wash dry cool "
    "warm heat cook bake cut open close fix mount charge connect measure track light grow feed "
    "catch bring help stop avoid get so"
)
"""Words that a description of a need begins with: "somewhere to", "keep my", "make … at"."""

SURE = 0.8
"""Confidence from which on words are what the shop sells."""


def opens_like_need(text: str, spans: Sequence[Span]) -> bool:
    """A phrase of at least :data:`LEAST_WORDS` words that opens like one, unless it opens with
    something that the shop sells ("watch for men")."""
    typed = words_of(text)
    words = [word.form for word in typed]
    if len(words) < LEAST_WORDS or FUNCTION_WORDS.isdisjoint(words):
        return False
    sold = any(
        span.label == TYPE
        and span.field
        and span.confidence >= SURE
        and span.start <= typed[0].start < span.end
        for span in spans
    )
    return words[0] in OPENINGS and not sold
