"""What a negation turns round: values of the shop, which are excluded, and words that only titles
have, which are avoided."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from engine import Span

from .field_labels import COLORS, MATERIALS, TYPE
from .gazetteer import ALIAS, FUNCTION_WORDS, Link, Match
from .query_facts import Facts, chosen, word_before, words_in
from .query_grammar import Negation
from .query_lexicon import AND_OR, ASKING, TITLES
from .title_words import stem
from .word_forms import forms, next_word

IMITATIONS = frozenset({"faux", "vegan", "synthetic", "artificial", "imitation"})
"""What is made to look like a material does not have it."""
ONLY_TITLES = 0.9
"""How sure it is that words are unwanted which no field has."""

SUBJECTS = forms("i it my we our he she they")
WANTING = forms("want need like look looking search prefer")
FACTS = forms("not no never have has")
"""Words that also tell how things are: "my feet do not stay warm"; "isn't", "hate" and the like
tell how a product is to be."""

_INFLECTED = ("", *"esdy", "es", "ed", "ing")
"""How titles may go on where the query says a word otherwise: "not curved" of a curvy monitor."""


class _Item(Struct):
    """One item of what is not wanted, up to ``end``: values of a field, or words ("")."""

    field: str
    values: list[str]
    end: int


def negated(negation: Negation, facts: Facts) -> Iterator[Span]:
    """What the negation excludes or avoids, a span per field; a note where it is unwanted for sure
    and neither a field nor a title has a word for it."""
    items: list[_Item] = []
    is_fact = _is_fact(negation, facts)
    at: int | None = negation.body
    while at is not None and (item := _item(at, negation, facts)):
        if is_fact and not item.field:
            break
        if items and not _of_one_list(items[-1], item, facts.text[items[-1].end : at]):
            break
        if items and item.field and items[-1].field == item.field:
            items[-1].values += item.values
            items[-1].end = item.end
        else:
            items.append(item)
        at = _after_and(item.end, negation.end, facts.text)
    start = negation.start
    for item in items:
        typed, values = facts.text[start : item.end], tuple(dict.fromkeys(item.values))
        if item.field:
            yield Span(start, item.end, "negation", typed, 1.0, item.field, values, "exclude")
        else:
            yield Span(start, item.end, "negation", typed, ONLY_TITLES, "", values, "avoid")
        start = _after_and(item.end, negation.end, facts.text) or item.end
    if not items and negation.always and not is_fact:
        ends = [s.end for s in facts.model or () if s.start <= negation.body < s.end]
        end = max([e for e in ends if e > negation.body] or [negation.end])
        yield Span(start, end, "negation", facts.text[start:end])


def _is_fact(negation: Negation, facts: Facts) -> bool:
    """Whether a sentence tells what the shopper's life is like ("it never stops raining"): then
    only what a field has a value for can be unwanted."""
    words = words_in(facts.text)
    if not words or words[0].form not in SUBJECTS or negation.start <= words[0].start:
        return False
    cue = forms(facts.text[negation.start : negation.body])
    return cue <= FACTS and WANTING.isdisjoint(word.form for word in words)


def _of_one_list(last: _Item, item: _Item, between: str) -> bool:
    """Whether an item goes on with a list: after a mere comma another sentence may begin, "I can't
    stand pink, lipstick"."""
    if between.replace(",", " ").strip():
        return True
    looks = not item.field and forms(item.values[0]) <= COLORS | MATERIALS
    return looks or bool(item.field and item.field == last.field)


def _item(at: int, negation: Negation, facts: Facts) -> _Item | None:
    match = _next_match(at, negation.end, facts)
    if match is None:
        return _unknown(at, negation, facts)
    link = chosen(match, facts)
    # "No shirts hanger" is a hanger, "shoes no heels" wants no heels.
    is_kind = TYPE in facts.gazetteer.labels[link.field]
    if match.score < ALIAS or (negation.describes and is_kind and _goes_on(match.end, facts.text)):
        return None
    return _Item(link.field, _all_kinds_of(link, facts), match.end)


def _goes_on(at: int, text: str) -> bool:
    """Whether a noun follows directly, of which what stands before only tells more."""
    word = next_word(text, at)
    if word is None or text[at : word.start].strip("- "):
        return False
    return word.form not in FUNCTION_WORDS and text[word.start : word.end].lower() not in AND_OR


def _unknown(at: int, negation: Negation, facts: Facts) -> _Item | None:
    """What no field has a value for but titles have words for ("not printed"). Not where the
    negation itself stands in titles: then it is part of a name ("No Nonsense")."""
    if negation.valued and not facts.pictured and not _kind_before(negation, facts):
        return None
    known = facts.lexicon.words.keys()
    looks = COLORS | MATERIALS  # a shop that has none of it still knows what is meant
    stop = min([m.start for m in facts.matches if m.start >= at] + [negation.end])
    words = [w for w in words_in(facts.text) if at <= w.start and w.end <= stop]
    said = [facts.text[w.start : w.end].lower() for w in words]
    taken = 0
    for word, typed in zip(words, said, strict=True):
        bare = stem(typed)
        heard = {typed, word.form, *(bare + ending for ending in _INFLECTED)}
        if (
            typed in AND_OR
            or (not taken and typed in ASKING)
            or not (heard & known or word.form in looks)
        ):
            break
        taken += 1
    while taken and words[taken - 1].form in FUNCTION_WORDS:
        taken -= 1
    if not taken or said[0] in TITLES:
        return None
    before = word_before(facts.text, negation.body)
    if before and facts.lexicon.together(before.form, said[0]):
        return None
    end = words[taken - 1].end
    return _Item("", [facts.text[at:end]], end)


def _kind_before(negation: Negation, facts: Facts) -> bool:
    """Whether words before say what kind of thing is wanted: a "jacket without a hood" has none,
    where "rebel without a cause" is a title."""
    kinds = (
        m
        for m in facts.matches
        if m.end <= negation.start and TYPE in facts.gazetteer.labels[chosen(m, facts).field]
    )
    named = (s for s in facts.model or () if s.label == TYPE and s.end <= negation.start)
    return next(kinds, None) is not None or next(named, None) is not None


def doubtful(negation: Negation, facts: Facts) -> Iterator[tuple[int, int]]:
    """What may be negated is never wished for, even where it is not sure enough to exclude."""
    if match := _next_match(negation.body, negation.end, facts):
        yield match.start, match.end


def _next_match(at: int, end: int, facts: Facts) -> Match | None:
    return next((m for m in facts.matches if m.start == at and m.end <= end), None)


def _after_and(at: int, end: int, text: str) -> int | None:
    """Where the next item of a list begins: after ", ", " or "."""
    rest = text[at:end]
    bare = rest.lstrip(" ,&+/-")
    first = bare.split(maxsplit=1)
    if len(first) == 2 and first[0].lower() in AND_OR:
        return end - len(first[1])
    joined = rest[: len(rest) - len(bare)].strip()
    return end - len(bare) if bare and joined else None


def _all_kinds_of(link: Link, facts: Facts) -> list[str]:
    """Who wants no black wants no "Matte Black", and no leather no "Nappa Leather"."""
    labels = facts.gazetteer.labels[link.field]
    if not {"color", "material"} & set(labels):
        return list(link.values)
    unwanted = [forms(value) for value in link.values]
    kinds = []
    for value, has in facts.gazetteer.kinds(link.field):
        if not has & IMITATIONS and any(named <= has for named in unwanted):
            kinds.append(value)
    return list(dict.fromkeys([*link.values, *kinds]))
