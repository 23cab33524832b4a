"""How the words of a query meet those of each title of a window, as columns of features."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from engine import Vectors

from .text import Text, title_text

Columns = Mapping[str, npt.NDArray[Any]]
Bools = npt.NDArray[np.bool_]

MAX_QUERY_WORDS = 24
K1, B = 1.2, 0.75
"""Okapi's, the usual ones, as the lane ``bm25`` has them."""


class Titles:
    """The titles of a window end to end: ``words`` ``[N]`` with the row of each in ``owner`` and
    its place in that title in ``place``; ``lengths``, ``starts`` and ``heads`` (places of the
    words that say what a thing is) ``[n]``."""

    def __init__(self, titles: Sequence[str | None]) -> None:
        self.texts = [title_text(title or "") for title in titles]
        self.lengths = np.asarray([len(text.words) for text in self.texts], dtype=np.intp)
        self.words = _joined([text.words for text in self.texts])
        self.owner = np.repeat(np.arange(len(self.texts)), self.lengths)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.place = np.arange(len(self.words)) - self.starts[self.owner]
        self.heads = np.asarray([text.head for text in self.texts], dtype=np.intp)

    def __len__(self) -> int:
        return len(self.texts)


def overlaps(asked: Text, titles: Titles) -> dict[str, Vectors]:
    """The features of words, characters and numbers, float32 ``[n]`` each; none where there are
    no words to compare. A title without words has NaN where a share of its words is meant."""
    if not len(asked.words) or not len(titles.words):
        return {}
    same = titles.words[:, None] == asked.words[None, :]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {
            **_words(asked, titles, same),
            **_order(asked, titles, same),
            **_characters(asked, titles),
            **_numbers(asked, titles),
        }
    return {name: column.astype(np.float32) for name, column in found.items()}


def _words(asked: Text, titles: Titles, same: Bools) -> Columns:
    """``same`` ``[N, q]``: which word of the titles is which of the query."""
    n = len(titles)
    has = np.zeros((n, len(asked.words)), dtype=bool)
    places, columns = np.nonzero(same)
    has[titles.owner[places], columns] = True
    content = asked.content if asked.content.any() else np.ones_like(asked.content)
    # Okapi's inverse document frequency, over the window instead of the shop.
    rare = np.log1p((n - has.sum(0) + 0.5) / (has.sum(0) + 0.5))[content]
    long = titles.lengths / titles.lengths.mean()
    in_query: Bools = np.asarray(same.any(1))
    return {
        "query_in_title": has[:, content].mean(1),
        "query_in_title_idf": has[:, content] @ rare / rare.sum(),
        "query_in_title_bm25": has[:, content] @ rare / (1 + K1 * (1 - B + B * long)),
        "query_words_missing": (~has[:, content]).sum(1),
        "title_in_query": np.bincount(titles.owner, in_query, n) / titles.lengths,
        "query_first_in_title": has[:, 0],
        "title_words": titles.lengths,
    }


def _order(asked: Text, titles: Titles, same: Bools) -> Columns:
    """Where in the title the words stand, and whether together."""
    in_query: Bools = np.asarray(same.any(1))
    unknown = np.full(len(titles), np.nan)
    first = unknown.copy()
    hits = np.flatnonzero(in_query)[::-1]  # so that the first one is written last
    first[titles.owner[hits]] = titles.place[hits]
    together = same[:-1, :-1] & same[1:, 1:] & (titles.place[1:] > 0)[:, None]
    pairs = np.zeros((len(titles), max(1, len(asked.words) - 1)), dtype=bool)
    places, columns = np.nonzero(together)
    pairs[titles.owner[places], columns] = True
    headed = titles.place == titles.heads[titles.owner]
    return {
        "query_in_title_solid": _each(asked.solid in text.solid for text in titles.texts),
        "query_pairs_in_title": pairs.mean(1) if len(asked.words) > 1 else unknown,
        "title_head_in_query": np.bincount(titles.owner[headed], in_query[headed], len(titles)),
        "heads_agree": np.bincount(titles.owner[headed], same[headed, asked.head], len(titles)),
        "first_match_place": first,
    }


def _characters(asked: Text, titles: Titles) -> Columns:
    """Shared character trigrams, which forgive typos, compounds and endings."""
    n, q = len(titles), len(asked.words)
    known = np.unique(asked.grams)
    of_word = np.zeros((len(known), q), dtype=np.int32)
    of_word[np.searchsorted(known, asked.grams), asked.gram_word] = 1
    grams = _joined([text.grams for text in titles.texts])
    sizes = [len(text.grams) for text in titles.texts]
    word = _joined([text.gram_word for text in titles.texts])
    word = word + np.repeat(titles.starts, sizes)  # places in ``titles.words``
    at = np.minimum(np.searchsorted(known, grams), len(known) - 1)
    hits = np.flatnonzero(known[at] == grams)
    at, in_word = at[hits], word[hits]

    shared = np.zeros((n, len(known)), dtype=bool)
    shared[titles.owner[in_word], at] = True
    best = np.zeros((n, q), dtype=np.float64)
    if len(hits):
        words, firsts = np.unique(in_word, return_index=True)
        common = np.add.reduceat(of_word[at], firsts)  # [words, q]
        length = np.bincount(word, minlength=len(titles.words))[words]
        dice = 2 * common / (length[:, None] + of_word.sum(0)[None, :])
        rows, row_firsts = np.unique(titles.owner[words], return_index=True)
        best[rows] = np.maximum.reduceat(dice, row_firsts)
    content = asked.content if asked.content.any() else np.ones_like(asked.content)
    rare = -np.log((best[:, content].mean(0) * n + 0.5) / (n + 1))
    total = np.asarray([text.gram_kinds for text in titles.texts])
    return {
        "trigrams_in_title": shared.mean(1),
        "trigrams_shared": shared.sum(1) / (len(known) + total - shared.sum(1)),
        "fuzzy_words": best[:, content].mean(1),
        "fuzzy_words_idf": best[:, content] @ rare / rare.sum(),
        "fuzzy_words_min": best[:, content].min(1),
        "fuzzy_last_word": best[:, -1],
    }


def _numbers(asked: Text, titles: Titles) -> Columns:
    """Numbers, measures and model codes, of which a near one is another product."""
    nothing = np.full(len(titles), np.nan)
    found = dict.fromkeys(("numbers_in_title", "measures_in_title", "measures_clash"), nothing)
    found["codes_in_title"] = nothing
    if asked.numbers.any():
        wanted = {int(word) for word in asked.words[asked.numbers]}
        found["numbers_in_title"] = _each(
            len(wanted.intersection(text.number_set)) / len(wanted) for text in titles.texts
        )
    if asked.measures:
        found["measures_in_title"] = _each(
            len(asked.measures & text.measures) / len(asked.measures) for text in titles.texts
        )
        units = {unit for unit, _ in asked.measures}
        found["measures_clash"] = _each(
            sum(unit in units for unit, _ in text.measures - asked.measures)
            for text in titles.texts
        )
    if asked.codes:
        found["codes_in_title"] = _each(
            len(asked.codes & text.codes) / len(asked.codes) for text in titles.texts
        )
    return found


def _each(values: Iterable[float]) -> npt.NDArray[np.float64]:
    return np.fromiter(values, dtype=np.float64)


def _joined(arrays: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.zeros(0, np.uint32)
