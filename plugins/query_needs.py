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
    "catch bring help stop avoid get so learn practise prepare repair build store organise "
    "decorate celebrate relax enjoy"
)
"""Words that a description of a need begins with: "somewhere to", "keep my", "make … at"."""

SPOKEN = forms(
    "a an the i me my you your we our they their he she it its this that these those who what when "
    "where how while during after before someone somebody every everybody am is are be can keeps"
)
"""Words of sentences that names of products hardly have, other than "for" and "with"."""
SURE = 0.8
"""Confidence from which on words are what the shop sells."""


def is_phrase(text: str) -> bool:
    """Whether words make a sentence, or part of one: the first opens like a need, or one is of
    :data:`SPOKEN`. Names of products are neither ("ceiling fan with light")."""
    words = [word.form for word in words_of(text)]
    return len(words) > 1 and (words[0] in OPENINGS or not SPOKEN.isdisjoint(words))


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
