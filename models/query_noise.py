"""What shoppers do to a query: typos, word order, lost spaces, number, another language.

Each change keeps track of which word came from which, so that tags, and a teacher's
distributions over tags, follow their words. All draws come from the generator given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .query_data import Query
from .query_lexicon import TRANSLATIONS
from .query_tags import TagSpan, spans_of

Generator = np.random.Generator
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_NEIGHBOURS = {
    key: "".join(row[max(0, i - 1) : i] + row[i + 1 : i + 2])
    for row in _ROWS
    for i, key in enumerate(row)
}


class Word(NamedTuple):
    """A word as changed, the place of the word it came from, and whether it is that word's
    second half."""

    text: str
    source: int
    second: bool = False


Words = list[Word]
Change = Callable[[Words, Sequence[TagSpan], Generator], Words | None]
"""The changed words, or None where it cannot apply. Spans are over the original places."""


def typo(words: Words, spans: Sequence[TagSpan], rng: Generator) -> Words | None:
    """One letter of a word of four or more lost, doubled, swapped or hit beside its key."""
    places = [i for i, word in enumerate(words) if len(word.text) >= 4 and word.text.isalpha()]
    if not places:
        return None
    i = int(rng.choice(places))
    return [*words[:i], words[i]._replace(text=misspelt(words[i].text, rng)), *words[i + 1 :]]


def misspelt(text: str, rng: Generator) -> str:
    """``text`` with one slip; the first letter stays, as in most of people's typos."""
    i = int(rng.integers(1, len(text)))
    kind = int(rng.integers(4))
    if kind == 0:
        return text[:i] + text[i + 1 :]
    if kind == 1:
        return text[:i] + text[i] + text[i:]
    if kind == 2 and i + 1 < len(text) and text[i] != text[i + 1]:
        return text[:i] + text[i + 1] + text[i] + text[i + 2 :]
    near = _NEIGHBOURS.get(text[i], "e")
    return text[:i] + near[int(rng.integers(len(near)))] + text[i + 1 :]


def reorder(words: Words, spans: Sequence[TagSpan], rng: Generator) -> Words | None:
    """Spans in another order, each whole; words outside of spans go alone."""
    owner = {i: number for number, span in enumerate(spans) for i in range(span.start, span.end)}
    parts: list[Words] = []
    for word in words:
        group = owner.get(word.source, -1)
        if parts and group >= 0 and owner.get(parts[-1][-1].source, -1) == group:
            parts[-1].append(word)
        else:
            parts.append([word])
    if len(parts) < 2:
        return None
    order = rng.permutation(len(parts))
    if (order == np.arange(len(parts))).all():
        order = np.roll(order, 1)
    return [word for i in order for word in parts[i]]


def join(words: Words, spans: Sequence[TagSpan], rng: Generator) -> Words | None:
    """A space lost within a span: two words become one."""
    inside = {i for span in spans for i in range(span.start, span.end - 1)}
    places = [
        i
        for i, (word, after) in enumerate(pairwise(words))
        if word.source in inside and after.source == word.source + 1
    ]
    if not places:
        return None
    i = int(rng.choice(places))
    return [
        *words[:i],
        words[i]._replace(text=words[i].text + words[i + 1].text),
        *words[i + 2 :],
    ]


def part(words: Words, spans: Sequence[TagSpan], rng: Generator) -> Words | None:
    """A space too many: a word of seven or more letters becomes two."""
    places = [i for i, word in enumerate(words) if len(word.text) >= 7 and not word.second]
    if not places:
        return None
    i = int(rng.choice(places))
    word = words[i]
    cut = int(rng.integers(3, len(word.text) - 2))
    halves = word._replace(text=word.text[:cut]), Word(word.text[cut:], word.source, second=True)
    return [*words[:i], *halves, *words[i + 1 :]]


def number(words: Words, spans: Sequence[TagSpan], rng: Generator) -> Words | None:
    """Singular for plural or plural for singular, of the product."""
    last = {span.end - 1 for span in spans if span.kind == "core_product_type"}
    places = [
        i
        for i, word in enumerate(words)
        if word.source in last and len(word.text) >= 3 and word.text.isalpha()
    ]
    if not places:
        return None
    i = int(rng.choice(places))
    return [*words[:i], words[i]._replace(text=_other_number(words[i].text)), *words[i + 1 :]]


def _other_number(text: str) -> str:
    if text.endswith("ies"):
        return f"{text[:-3]}y"
    if text.endswith(("shes", "ches", "xes", "sses")):
        return text[:-2]
    if text.endswith("s"):
        return f"{text}es" if text.endswith("ss") else text[:-1]
    if text.endswith(("sh", "ch", "x")):
        return f"{text}es"
    return f"{text[:-1]}ies" if text.endswith("y") and text[-2] not in "aeiou" else f"{text}s"


def mix(words: Words, spans: Sequence[TagSpan], rng: Generator) -> Words | None:
    """Words in another language: all that the lexicon has, in one."""
    language = int(rng.integers(5))
    changed = [
        word._replace(text=TRANSLATIONS[word.text][language]) if word.text in TRANSLATIONS else word
        for word in words
    ]
    return changed if changed != words else None


CHANGES: dict[str, Change] = {
    "typo": typo,
    "order": reorder,
    "joined": join,
    "parted": part,
    "number": number,
    "mixed": mix,
}
SHARES = (0.4, 0.2, 0.15, 0.05, 0.1, 0.1)
"""How often each change is drawn, in their order."""


def change(
    words: Sequence[str], spans: Sequence[TagSpan], rng: Generator, times: int = 1
) -> tuple[Words, tuple[str, ...]]:
    """``times`` changes of drawn kinds, with their names; a kind that cannot apply gives way to
    another draw, and after six the query stays as it is."""
    changed = [Word(text, i) for i, text in enumerate(words)]
    names = list(CHANGES)
    done: list[str] = []
    for _ in range(6):
        if len(done) == times:
            break
        name = names[int(rng.choice(len(names), p=SHARES))]
        if name not in done and (result := CHANGES[name](changed, spans, rng)) is not None:
            changed = result
            done.append(name)
    return changed, tuple(done)


def noisy_queries(queries: Sequence[Query], seed: int = 4) -> list[tuple[Query, tuple[str, ...]]]:
    """The noisy set of a clean one, with what was done to each: one change of all, a second of
    every third. The same seed gives the same set."""
    out = []
    for i, query in enumerate(queries):
        rng = np.random.default_rng((seed, i))
        words, names = change(query.words, spans_of(query.tags), rng, 2 if i % 3 == 0 else 1)
        out.append((retag(words, query.tags), names))
    return out


def retag(words: Sequence[Word], tags: Sequence[int]) -> Query:
    """The changed query: tags follow their words, and a second half goes on."""
    out = [tags[w.source] + 1 if w.second and tags[w.source] % 2 else tags[w.source] for w in words]
    return Query(tuple(word.text for word in words), tuple(out))
