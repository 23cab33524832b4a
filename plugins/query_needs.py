"""Whether words describe a need ("something to hang coats on") rather than name a product.

No title has such words, so what is meant is found by the texts' meaning, and the lanes that look
for the words themselves mislead: "hold my camera steady" finds cameras.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine import Span

from .field_labels import TYPE
from .gazetteer import FUNCTION_WORDS, Gazetteer
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

SEEN, SURE = frozenset({"color", "department"}), 0.8
"""Labels that name a product though no field of the shop has them ("green shirts for men"), and how
sure the reader must be."""


def is_need(text: str, spans: Sequence[Span], gazetteer: Gazetteer) -> bool:
    """A phrase of at least :data:`LEAST_WORDS` words that opens like one, unless it opens with
    something that the shop sells ("watch for men"), or that names nothing a shop with a vocabulary
    has."""
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
    named = any(span.field or (span.label in SEEN and span.confidence >= SURE) for span in spans)
    opens = words[0] in OPENINGS and not sold
    return opens or (not named and any(gazetteer.vocabulary.values()))
