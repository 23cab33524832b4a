"""Puts together what rules, vocabulary and model say of a query.

Rules decide about numbers, prices and negations; the vocabulary says which of the shop's fields
and values words stand for; the model says what kind of thing they are, chooses between fields
that have the same value, and keeps parts of names from being taken for more ("red" in a "red
wing boots" that it knows for a brand). Whatever is left of the model's spans stays a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

import msgspec

from engine import Span

from .asked_measures import asked_by
from .color_kin import DARKER, LIGHTER, colors_in, fits_shade, is_shade
from .field_labels import TYPE
from .gazetteer import FUNCTION_WORDS, Match
from .query_facts import Facts, chosen, model_span, word_before
from .query_grammar import Negation, Reading
from .query_measures import Measure
from .query_negation import doubtful, negated
from .query_nouns import (
    in_a_name,
    is_a_shade_of_color,
    part_of_a_name,
    part_of_a_noun,
    says_less,
    typed_of,
)
from .query_sizes import Quantity, Size, same_size
from .word_forms import Word, forms, words_of

DESCRIBING = frozenset({"occasion", "shape", "material", "condition", "origin", "UoM"})
"""Labels of what the model also calls a modifier."""
OLDEST_CHILD = 12
"""Years: who is older wears what is sold to grown-ups."""
_OLD = re.compile(r"[\s-]*olds?\b", re.I)
RULES_ALONE, DISAGREES = 0.9, 0.6
"""How sure a link is that no model confirms, and one that it takes for something else."""


def link(facts: Facts) -> list[Span]:
    """Sizes, measures, quantities, negations, values and the model's rest, from left to right,
    none over another or over a price."""
    readings = [
        reading
        for reading in facts.readings
        if not (_within_a_value(reading, facts.matches) or _free_from_a_brand(reading, facts))
    ]
    facts = msgspec.structs.replace(facts, readings=readings)
    spans: list[Span] = []
    for reading in readings:
        if isinstance(reading, Negation):
            spans += negated(reading, facts)
        elif span := _of_age(reading, facts) or _measured(reading, facts):
            spans.append(span)
    taken = [(s.start, s.end) for s in (*spans, *facts.prices)]
    taken += [place for r in readings if isinstance(r, Negation) for place in doubtful(r, facts)]
    if facts.model is not None:
        model = [rest for span in facts.model for rest in _rest(span, taken, facts.text)]
        facts = msgspec.structs.replace(facts, model=model)
    spans += [
        found
        for match in facts.matches
        if not _overlaps(match.start, match.end, taken) and (found := _value(match, facts))
    ]
    taken += [(s.start, s.end) for s in spans]
    spans += [rest for span in facts.model or () for rest in _rest(span, taken, facts.text)]
    return sorted(spans, key=lambda span: span.start)


def _within_a_value(reading: Reading, matches: Iterable[Match]) -> bool:
    """Whether it is part of the name of something: "7 For All Mankind", "No Nonsense"."""
    for match in matches:
        around = match.start <= reading.start and reading.end <= match.end
        longer = match.end - match.start > reading.end - reading.start
        cue = isinstance(reading, Negation) and match.start <= reading.start < match.end
        if match.words > 1 and (cue or (around and longer)):
            return True
    return False


def _free_from_a_brand(reading: Reading, facts: Facts) -> bool:
    """Whether "free" belongs to what stands before it, and a brand follows: "cruelty free from
    lush"."""
    if not (isinstance(reading, Negation) and reading.free):
        return False
    match = next((m for m in facts.matches if m.start == reading.body), None)
    return match is not None and "creator" in facts.gazetteer.labels[chosen(match, facts).field]


def _measured(reading: Reading, facts: Facts) -> Span | None:
    """A size, measure or quantity, linked to a field of sizes that has it."""
    places = reading.start, reading.end
    typed = facts.text[reading.start : reading.end]
    fields = list(facts.gazetteer.labels)
    if isinstance(reading, Size):
        label, sure = "size", reading.sure
        fields = _about_sizes(facts)
        ways = [f"{reading.system} {reading.size}", reading.size, typed, *same_size(reading.size)]
    elif isinstance(reading, Measure):
        label, sure, ways = "UoM", True, [typed]
        if reading.amount == reading.most and not reading.sides:
            ways.insert(0, f"{reading.amount:g} {reading.unit}")
    elif isinstance(reading, Quantity):
        label, sure, ways = "quantity", True, [typed]
    else:
        return None
    found = next(filter(None, (facts.gazetteer.exactly(way, fields) for way in ways)), ())
    best = found[0] if found else None
    if best is None and (asked := asked_by(reading)):
        best = facts.gazetteer.measured(asked, _about_sizes(facts))
    if isinstance(reading, Measure | Quantity) and reading.unwanted:
        return Span(*places, label, typed)
    if best is not None:
        return Span(*places, label, typed, 1.0, best.field, best.values, "boost")
    return Span(*places, label, typed) if sure else None


def _of_age(reading: Reading, facts: Facts) -> Span | None:
    """For whom something is that is for so old a child: "a 3 year old"."""
    if not (isinstance(reading, Measure) and reading.unit in ("year", "month")):
        return None
    years = reading.most / (1 if reading.unit == "year" else 12)
    after = _OLD.match(facts.text, reading.end)
    if after is None or years > OLDEST_CHILD:
        return None
    for match in facts.gazetteer.find("kids"):
        link = chosen(match, facts)
        if "department" in facts.gazetteer.labels[link.field]:
            start, end = reading.start, after.end()
            typed = facts.text[start:end]
            return Span(start, end, "department", typed, 1.0, link.field, link.values, "boost")
    return None


def _about_sizes(facts: Facts) -> list[str]:
    return [field for field, labels in facts.gazetteer.labels.items() if "UoM" in labels]


def _value(match: Match, facts: Facts) -> Span | None:
    """A value of the shop as a span, unless it is part of something else."""
    link = chosen(match, facts)
    labels = facts.gazetteer.labels[link.field]
    model = model_span(match, facts)
    if TYPE in labels and model is not None and model.label == "color" and _colors(match, facts):
        # "Orange bag" where oranges are sold.
        return Span(match.start, match.end, "color", typed_of(match, facts), model.confidence)
    if (model and part_of_a_name(match, model, labels)) or part_of_a_noun(match, labels, facts):
        return None
    if {TYPE, "department"} & set(labels) and is_a_shade_of_color(match, facts):
        return None
    if TYPE in labels and says_less(match, facts):
        return None
    label, sure = (labels[0] if labels else "modifier"), RULES_ALONE
    if model is not None:
        vague = model.label == "modifier" and (not labels or labels[0] in DESCRIBING)
        agrees = model.label in labels or vague
        label = model.label if model.label in labels or not labels else label
        sure = 0.8 + 0.2 * model.confidence if agrees else DISAGREES
    elif facts.model is not None:
        # The model saw nothing there; few words beside a photo are no query as it knows them.
        alone = facts.pictured or ("color" in labels and not in_a_name(match, facts))
        sure = RULES_ALONE if alone else (RULES_ALONE + DISAGREES) / 2
    typed = facts.text[match.start : match.end]
    places = match.start, match.end
    found = Span(*places, label, typed, sure * match.score, link.field, link.values, "boost")
    if label == "color":
        return msgspec.structs.replace(found, near=_near(found, facts))
    if label == TYPE:
        return msgspec.structs.replace(found, near=facts.gazetteer.alike(link))
    return found


def _colors(match: Match, facts: Facts) -> frozenset[str]:
    return colors_in(forms(typed_of(match, facts)))


def _near(span: Span, facts: Facts) -> dict[str, float]:
    """Colours of the shop that are akin to the one named; of "dark blue", navy wholly and no sky
    blue."""
    named = colors_in(forms(span.value)) or colors_in(forms(" ".join(span.values)))
    near = facts.gazetteer.kin(span.field, named)
    before = word_before(facts.text, span.start)
    shade = before.form if before else ""
    if shade in LIGHTER | DARKER:
        held = {value: colors_in(forms(value)) for value in near}
        near = {
            value: 1.0 if is_shade(shade, held[value]) else kin
            for value, kin in near.items()
            if fits_shade(shade, held[value])
        }
    return {value: kin for value, kin in near.items() if value not in span.values}


def _rest(span: Span, taken: Sequence[tuple[int, int]], text: str) -> Iterator[Span]:
    """What is left of a model's span beside what was understood better."""
    if not _overlaps(span.start, span.end, taken):
        yield span
        return
    if span.label == "price":
        return
    run: list[Word] = []
    for word in (*words_of(text[span.start : span.end]), None):
        free = word is not None and not _overlaps(
            span.start + word.start, span.start + word.end, taken
        )
        if word is not None and free and (run or word.form not in FUNCTION_WORDS):
            run.append(word)
            continue
        while run and run[-1].form in FUNCTION_WORDS:
            run.pop()
        if run:
            start, end = span.start + run[0].start, span.start + run[-1].end
            yield msgspec.structs.replace(span, start=start, end=end, value=text[start:end])
        run = []


def _overlaps(start: int, end: int, taken: Iterable[tuple[int, int]]) -> bool:
    return any(start < b and a < end for a, b in taken)
