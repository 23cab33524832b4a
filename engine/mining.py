"""Candidates for synonyms, for a person to decide on: from what shoppers type instead, and from
what an encoder holds for near.

Shoppers who click on nothing and at once search for something else tell what the shop calls it
(query reformulations: Jones, Rey, Madani and Greiner, WWW 2006). An encoder is asked about words
that shoppers use and no product has. Nobody's words leave the events that fewer than
``events.anonymity`` shoppers used.
"""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from .behaviour import Behaviour
from .errors import NotFound
from .events import Event, QueryCount
from .protocols import ShopView
from .synonyms import LONGEST_PHRASE, Synonym, key_of, make_id
from .words import terms

DAYS = 90.0
SOON = timedelta(minutes=5)
"""Within which another search counts as the same need put in other words."""
LONGEST = 3
"""Words that one side of a pair may have."""
SAME_WORD = 0.8
"""Likeness (:class:`difflib.SequenceMatcher`) from which two words are spellings of one, which
``spelling`` and stemming see to."""
SHORTEST = 3
"""Letters of a word of the catalogue that is proposed."""
MAX_QUERIES = 1000
MAX_TERMS = 2000
"""Words of the catalogue that are compared, those of most products."""
NEAR = 0.6
"""Cosine from which a word is proposed for another; unsure on purpose, for a person decides."""
MOST_NEAR = 2
"""Words of the catalogue that are proposed for one that it lacks."""

Vocabulary = Mapping[str, Mapping[str, int]]


def mine(view: ShopView, behaviour: Behaviour) -> list[Synonym]:
    """What may be synonyms in a shop, those that shoppers tell of first; none where no events are
    kept."""
    try:
        batches = behaviour.store.iterate(datetime.now(UTC) - timedelta(days=DAYS))
    except NotFound:
        return []
    found = [
        *from_sessions(batches, behaviour.settings.anonymity, view.vocabulary),
        *from_gaps(behaviour.queries(DAYS, MAX_QUERIES), view),
    ]
    return list({synonym.id: synonym for synonym in reversed(found)}.values())[::-1]


class _Step(NamedTuple):
    """One search of a visit, by its words; ``chosen``: something of it was clicked."""

    time: datetime
    words: tuple[str, ...]
    chosen: bool


def from_sessions(
    batches: Iterable[Sequence[Event]], at_least: int, vocabulary: Vocabulary
) -> list[Synonym]:
    """What at least ``at_least`` shoppers typed, clicked on nothing, and soon put in other words
    with which they found something; the pairs of most shoppers first."""
    shoppers: dict[tuple[str, str], set[str]] = defaultdict(set)
    visits, users = _visits(batches)
    for visit, steps in visits.items():
        shopper = users.get(visit, visit)
        for before, after in pairwise(steps):
            if before.chosen or not after.chosen or after.time - before.time > SOON:
                continue
            pair = _replaced(before.words, after.words)
            if pair and not _siblings(*pair, vocabulary) and not _alike(*pair):
                shoppers[pair].add(shopper)
    best = sorted(shoppers.items(), key=lambda item: (-len(item[1]), item[0]))
    return [
        _candidate(typed, meant, f"{len(who)} shoppers searched for this next, and clicked")
        for (typed, meant), who in best
        if len(who) >= at_least
    ]


def from_gaps(queries: Iterable[QueryCount], view: ShopView) -> list[Synonym]:
    """For words that shoppers ask for and no product has: the nearest words of the catalogue by
    the shop's text encoder."""
    lexicon = view.lexicon
    asked: dict[str, int] = defaultdict(int)
    for query in queries:
        for word in {term.word for term in terms(query.query)}:
            fits = SHORTEST < len(word) <= LONGEST_PHRASE
            if fits and word.isalpha() and not lexicon.knows(word):
                asked[word] += query.shoppers
    held = [w for w in lexicon.words if SHORTEST <= len(w) <= LONGEST_PHRASE and w.isalpha()]
    held = sorted(held, key=lambda word: -lexicon.words[word])[:MAX_TERMS]
    if not asked or not held:
        return []
    missing = sorted(asked, key=lambda word: (-asked[word], word))
    rows = view.text_encoder.encode_texts([*missing, *held], "query")
    near = rows[: len(missing)] @ rows[len(missing) :].T
    found = []
    for i, word in enumerate(missing):
        for j in np.argsort(-near[i], kind="stable")[:MOST_NEAR]:
            if near[i, j] >= NEAR and not _alike(word, held[j]):
                why = f"{asked[word]} searches, no product has the word; cosine {near[i, j]:.2f}"
                found.append(_candidate(word, held[j], why))
    return found


def _visits(
    batches: Iterable[Sequence[Event]],
) -> tuple[dict[str, list[_Step]], dict[str, str]]:
    """The searches of each visit in the order of time, each once; and whose visits they are, as
    far as that is known: who comes back is one shopper."""
    users: dict[str, str] = {}
    told: dict[str, dict[tuple[str, ...], _Step]] = defaultdict(dict)
    for event in (event for batch in batches for event in batch):
        if event.session_id and event.user_id:
            users[event.session_id] = event.user_id
        words = tuple(term.word for term in terms(event.query))
        if not words or event.time is None:
            continue
        visit = told[event.session_id or event.user_id or ""]
        chosen = event.type != "impression"
        known = visit.get(words)
        if known is None:
            visit[words] = _Step(event.time, words, chosen)
        else:
            visit[words] = _Step(min(known.time, event.time), words, known.chosen or chosen)
    return {who: sorted(visit.values()) for who, visit in told.items()}, users


def _replaced(before: tuple[str, ...], after: tuple[str, ...]) -> tuple[str, str] | None:
    """The words that became others, where the rest stayed and neither side is empty."""
    gone = [word for word in before if word not in after]
    new = [word for word in after if word not in before]
    if not gone or not new or len(gone) > LONGEST or len(new) > LONGEST:
        return None
    pair = " ".join(gone), " ".join(new)
    return pair if max(map(len, pair)) <= LONGEST_PHRASE else None


def _siblings(a: str, b: str, vocabulary: Vocabulary) -> bool:
    """Whether both are values of one field: who goes on from red to blue means something else."""
    return any({a, b} <= {key_of(value) for value in values} for values in vocabulary.values())


def _alike(a: str, b: str) -> bool:
    return difflib.SequenceMatcher(None, a, b).ratio() >= SAME_WORD


def _candidate(typed: str, meant: str, evidence: str) -> Synonym:
    made = make_id((typed, "=>", meant))
    return Synonym(made, (), (typed,), (meant,), status="candidate", evidence=evidence)
