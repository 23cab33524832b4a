"""Whether a value that the shop has stands for itself, or is part of what other words name: "red"
of "red tape", "shoe" of "shoe rack", "top" of "top red shoes"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from engine import Span

from .color_kin import DARKER, LIGHTER
from .field_labels import TYPE
from .gazetteer import FUNCTION_WORDS, Match
from .query_facts import Facts, chosen, model_span, words_in
from .word_forms import forms, next_word, words_of

NAMES = frozenset({"creator", "product_name", "product_number", "content"})
"""Labels of names: a part of one means nothing by itself."""
GENERIC = forms("accessories stuff things items products goods gear equipment supplies essentials")
"""Names of kinds that say less than a kind before them: "computer accessories"."""


def typed_of(match: Match, facts: Facts) -> str:
    return facts.text[match.start : match.end]


def part_of_a_name(match: Match, span: Span, labels: Sequence[str]) -> bool:
    """Whether the model knows a longer name here: "red" of "red wing". A type at its end is
    one all the same: "apple watch"."""
    inside = span.start <= match.start and match.end <= span.end
    whole = (match.start, match.end) == (span.start, span.end)
    if not inside or whole or span.label in labels:
        return False
    return span.label in NAMES and not (TYPE in labels and match.end == span.end)


def part_of_a_noun(match: Match, labels: Sequence[str], facts: Facts) -> bool:
    """Whether another noun follows that it only describes: "shoe rack", "leather free"."""
    after = next_word(facts.text, match.end)
    if after is None or facts.text[match.end : after.start].strip("- ") or after.form in GENERIC:
        return False
    kept = {"creator", TYPE, "department", "color"}
    if after.form in ("free", "frei") and not kept & set(labels):
        return True
    if TYPE not in labels:
        return False
    if facts.model is not None:
        span = model_span(match, facts)
        return span is not None and span.label == TYPE and span.end >= after.end
    if facts.text[match.start : match.end].lower().endswith("s"):
        return False
    nearby = next((m for m in facts.matches if m.start == after.start), None)
    if nearby is not None:
        return TYPE in facts.gazetteer.labels[chosen(nearby, facts).field]
    read = any(r.start <= after.start < r.end for r in (*facts.readings, *facts.prices))
    return not read and after.form not in FUNCTION_WORDS and after.form.isalpha()


def says_less(match: Match, facts: Facts) -> bool:
    """Whether another kind nearby says better what is meant: what stands before "accessories" or
    the like, or, after a singular, the noun that it tells more of ("top red shoes")."""
    words = [m for m in facts.matches if TYPE in facts.gazetteer.labels[chosen(m, facts).field]]
    typed = typed_of(match, facts)
    if forms(typed) <= GENERIC:
        return any(
            m.end <= match.start and not facts.text[m.end : match.start].strip("- ") for m in words
        )
    later = next((m for m in words if m.start >= match.end), None)
    if later is None or typed.lower().endswith("s") or forms(typed_of(later, facts)) <= GENERIC:
        return False
    between = facts.text[match.end : later.start]
    plain = not any(word.form in FUNCTION_WORDS for word in words_of(between))
    return plain and not re.sub(r"[\w\s-]", "", between)


def in_a_name(match: Match, facts: Facts) -> bool:
    """Whether titles have it beside a word that the shop knows for nothing else: "red tape"."""
    words = words_in(facts.text)
    typed = typed_of(match, facts).lower()
    for one, other in pairwise(words):
        if match.start == one.start or match.end == other.end:
            beside = other if match.start == one.start else one
            known = any(m.start <= beside.start < m.end for m in facts.matches)
            said = facts.text[beside.start : beside.end].lower()
            if (
                not known
                and beside.form not in FUNCTION_WORDS
                and facts.lexicon.together(typed, said)
            ):
                return True
    return False


def is_a_shade_of_color(match: Match, facts: Facts) -> bool:
    """Whether it tells a colour's shade, of something else: "light blue skirt" where lamps, too,
    are sold, "baby blue dress"; but not "ceiling light blue"."""
    if not forms(facts.text[match.start : match.end]) <= LIGHTER | DARKER:
        return False
    labels = [(m.start, facts.gazetteer.labels[chosen(m, facts).field]) for m in facts.matches]
    after = next_word(facts.text, match.end)
    colored = after is not None and any(s == after.start and "color" in held for s, held in labels)
    return colored and any(start != match.start and TYPE in held for start, held in labels)
