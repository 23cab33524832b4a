"""Whether words sound like a need ("something to hang coats on") or like a name ("sit up bench").

No title has the words of a need, so what is meant is found by the texts' meaning, and the lanes
that look for the words themselves mislead: "hold my camera steady" finds cameras. What serves a
need is told by :mod:`plugins.purposes`. Names of products have verbs and prepositions, too, and
what is called by its use is like a use; but the model of queries tells that they end in a noun for
what is wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from engine import Lexicon, QueryPlan, Span, fold

from .field_labels import TYPE
from .gazetteer import FUNCTION_WORDS
from .query_nouns import GENERIC
from .word_forms import forms, words_of

LEAST_WORDS = 3
WISHES = forms("something anything somewhere nowhere someone")
QUESTIONS = forms("what how where")
ASKING = forms("to do does can could should i")
"""Words behind those of :data:`QUESTIONS` in what shoppers ask for: "how do I"."""
OPENINGS = (
    WISHES
    | QUESTIONS
    | forms(
        "thing things stuff "
        "hang hold keep put store carry wear make take play listen watch see read write draw sit "
        "lie sleep lean rest walk ride climb jump stay go protect cover hide remove clean wash dry "
        "cool warm heat cook bake cut open close fix mount charge connect measure track light grow "
        "feed catch bring help stop avoid get so learn practise prepare repair build organise "
        "decorate celebrate relax enjoy"
    )
)
"""Words that a description of a need begins with: "somewhere to", "keep my", "make … at"."""

SPOKEN = forms(
    "a an the i me my you your we our they their he she it its this that these those who what when "
    "where how while during after before someone somebody every everybody am is are be can keeps"
)
"""Words of sentences that names of products hardly have, other than "for" and "with"."""
OWN = forms("my our")
"""What is named beside these is had already, and not what is wanted: "my novels are piling up"."""
TIES = FUNCTION_WORDS - forms("for with and or of")
"""Words that hold a need together where it is no sentence, and names seldom."""
PARTICLES = FUNCTION_WORDS | forms("up down out off over behind away through along under")
"""What follows a verb in the name of a thing: "walk behind mower"; else an object does: "carry
groceries"."""
ARTICLES = forms("a an the my our your")
GIFTS = forms("gift present pressie")
"""What may be anything."""
MORE_OF_IT = forms("for with without that in of from")
"""Words behind a noun that only say more of it: "sleep pads for camping"."""
OBJECTS = FUNCTION_WORDS - {"me"} | forms("under inside into near beside between against around")
"""A noun behind these is what is done something with: "warm my feet inside boots"."""
SURE, SUREST = 0.8, 0.85
"""Confidence from which on words are what the shop sells, and a noun that more words follow is
what is wanted."""


def asks(text: str) -> bool:
    """Whether words open as no name does: "something to", "how do I"."""
    words = [word.form for word in words_of(text)]
    if len(words) < LEAST_WORDS:
        return False
    return words[0] in WISHES or (words[0] in QUESTIONS and words[1] in ASKING)


def is_sentence(text: str) -> bool:
    """Whether words make a sentence, or part of one: the first opens like a need, or one is of
    :data:`SPOKEN`. Names of products mostly are neither ("ceiling fan with light")."""
    words = [word.form for word in words_of(text)]
    return len(words) > 1 and (words[0] in OPENINGS or not SPOKEN.isdisjoint(words))


def names_own(text: str) -> bool:
    """Whether words name what shoppers have: :data:`OWN`."""
    return any(word.form in OWN for word in words_of(text))


def opens_like_need(text: str, spans: Sequence[Span]) -> bool:
    """A phrase of at least :data:`LEAST_WORDS` words that opens like one, unless it opens with
    something that the shop sells ("watch for men") or is a name. A verb does not open a need by
    itself: "walk in wardrobe"."""
    typed = words_of(text)
    words = [word.form for word in typed]
    if len(words) < LEAST_WORDS or words[0] not in OPENINGS:
        return False
    if SPOKEN.isdisjoint(words) and "to" not in words:
        return False
    sold = any(
        span.label == TYPE
        and span.field
        and span.confidence >= SURE
        and span.start <= typed[0].start < span.end
        for span in spans
    )
    return not sold and not names_product(text, spans)


def names_product(text: str, spans: Sequence[Span]) -> bool:
    """Whether a noun for a kind of product is what the words are about: it ends them ("walk behind
    mower") or is sure, and what follows only tells more of it ("sleep pads for camping"). Behind
    one of :data:`OBJECTS` it is rather what a verb is about ("hold up my jeans")."""
    if asks(text):
        return False
    said = [s for s in spans if s.label in ("price", "size", "quantity", "UoM", "negation")]
    words = [w for w in words_of(text) if not any(s.start <= w.start < s.end for s in said)]
    for span in spans:
        noun = [word.form for word in words if span.start <= word.start < span.end]
        if span.label != TYPE or not noun or noun[-1] in GENERIC | GIFTS:
            continue
        if not ARTICLES.isdisjoint(noun[-2:-1]):
            continue  # no noun: "throw on the grill"
        before = [word.form for word in words if word.end <= span.start]
        after = [word.form for word in words if word.start >= span.end]
        verb_and_object = words[0].form in OPENINGS and PARTICLES.isdisjoint(
            word.form for word in words[1:2]
        )
        if not after and not verb_and_object and OBJECTS.isdisjoint(before[-1:]):
            return True
        told_more = span.confidence >= SUREST and not MORE_OF_IT.isdisjoint(after[:1])
        if told_more and (OBJECTS | OPENINGS).isdisjoint(before):
            return True
    return False


def may_be_need(plan: QueryPlan, lexicon: Lexicon) -> bool:
    """Whether words make a sentence, or are at least held together by one of :data:`TIES`
    ("chapped lips in winter"), and are no name by their grammar."""
    return (
        (is_sentence(plan.text) or _is_terse(plan))
        and not names_product(plan.read, plan.spans)
        and not _said_in_titles(plan.text, lexicon)
    )


def _is_terse(plan: QueryPlan) -> bool:
    words = [word.form for word in words_of(plan.text)]
    if len(words) < LEAST_WORDS or TIES.isdisjoint(words):
        return False
    return not any(span.label == TYPE and span.confidence >= SURE for span in plan.spans)


def _said_in_titles(text: str, lexicon: Lexicon) -> bool:
    """Whether all words that stand side by side do so in titles of the shop: "walk in shower"."""
    words = [fold(text[word.start : word.end]) for word in words_of(text)]
    pairs = [*pairwise(words)]
    return bool(pairs) and all(lexicon.together(a, b) for a, b in pairs)
