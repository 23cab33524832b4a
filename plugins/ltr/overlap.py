"""How the words of a query meet those of each title of a window, as columns of features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
from typing import Any

import numpy as np
import numpy.typing as npt

from engine import Vectors

from .text import Text, query_text, title_text

Columns = Mapping[str, npt.NDArray[Any]]
Bools = npt.NDArray[np.bool_]

MAX_QUERY_WORDS = 24


class Titles:
    """The titles of a window end to end: ``words`` ``[N]`` with the row of each in ``owner`` and
    its place in that title in ``place``; ``lengths`` and ``starts`` ``[n]``."""

    def __init__(self, titles: Sequence[str | None]) -> None:
        self.texts = [title_text(title or "") for title in titles]
        self.lengths = np.asarray([len(text.words) for text in self.texts], dtype=np.intp)
        self.words = _joined([text.words for text in self.texts])
        self.owner = np.repeat(np.arange(len(self.texts)), self.lengths)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.place = np.arange(len(self.words)) - self.starts[self.owner]

    def __len__(self) -> int:
        return len(self.texts)


def overlaps(query: str, titles: Titles) -> dict[str, Vectors]:
    """The features of words, characters and numbers, float32 ``[n]`` each; none where there are
    no words to compare. A title without words has NaN where a share of its words is meant."""
    asked = query_text(query, MAX_QUERY_WORDS)
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


def consensus(titles: Titles, best: Bools) -> Vectors:
    """How alike each title is to the ``best``: the mean share of them that its words are in,
    float32 ``[n]``."""
    if not len(titles.words):
        return np.full(len(titles), np.nan, np.float32)
    _, ids = np.unique(titles.words, return_inverse=True)
    count = int(ids.max()) + 1
    leading = best[titles.owner]
    pairs = np.unique(titles.owner[leading] * count + ids[leading])
    shared = np.bincount(pairs % count, minlength=count) / int(best.sum())
    with np.errstate(invalid="ignore"):
        mean = np.bincount(titles.owner, shared[ids], len(titles)) / titles.lengths
    return mean.astype(np.float32)


def head_consensus(titles: Titles, best: Bools) -> Vectors:
    """The share of the ``best`` whose name ends in the same word, float32 ``[n]``."""
    heads = [int(t.words[t.head]) if len(t.words) else None for t in titles.texts]
    leading, count = Counter(compress(heads, best)), int(best.sum())
    shares = [np.nan if head is None else leading[head] / count for head in heads]
    return np.asarray(shares, dtype=np.float32)


def _words(asked: Text, titles: Titles, same: Bools) -> Columns:
    """``same`` ``[N, q]``: which word of the titles is which of the query."""
    n = len(titles)
    has = np.zeros((n, len(asked.words)), dtype=bool)
    places, columns = np.nonzero(same)
    has[titles.owner[places], columns] = True
    content = asked.content if asked.content.any() else np.ones_like(asked.content)
    # Okapi's inverse document frequency, over the window instead of the shop.
    rare = np.log1p((n - has.sum(0) + 0.5) / (has.sum(0) + 0.5))[content]
    in_query: Bools = np.asarray(same.any(1))
    return {
        "query_in_title": has[:, content].mean(1),
        "query_in_title_idf": has[:, content] @ rare / rare.sum(),
        "query_words_missing": (~has[:, content]).sum(1),
        "title_in_query": np.bincount(titles.owner, in_query, n) / titles.lengths,
        "query_first_in_title": has[:, 0],
        "query_last_in_title": has[:, -1],
        "title_words": titles.lengths,
    }


def _order(asked: Text, titles: Titles, same: Bools) -> Columns:
    """Where in the title the words stand, and whether together."""
    in_query: Bools = np.asarray(same.any(1))
    heads = _each(text.head for text in titles.texts)
    unknown = np.full(len(titles), np.nan)
    first = unknown.copy()
    hits = np.flatnonzero(in_query)[::-1]  # so that the first one is written last
    first[titles.owner[hits]] = titles.place[hits]
    together = same[:-1, :-1] & same[1:, 1:] & (titles.place[1:] > 0)[:, None]
    pairs = np.zeros((len(titles), max(1, len(asked.words) - 1)), dtype=bool)
    places, columns = np.nonzero(together)
    pairs[titles.owner[places], columns] = True
    begun, headed = titles.place == 0, titles.place == heads[titles.owner]
    return {
        "query_in_title_phrase": _each(asked.joined in text.joined for text in titles.texts),
        "query_in_title_solid": _each(asked.solid in text.solid for text in titles.texts),
        "query_pairs_in_title": pairs.mean(1) if len(asked.words) > 1 else unknown,
        "title_first_in_query": np.bincount(titles.owner[begun], in_query[begun], len(titles)),
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
