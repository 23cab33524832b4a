"""Which kinds of things serve a need that the words describe, by what things are for.

"My trousers keep slipping down" names trousers and wants a belt. A need is seldom like the name of
what serves it, but mostly like something that one does with it, which :mod:`plugins.uses` knows. So
queries are compared with uses, as documents are found by the questions that they answer (Nogueira
et al., *Document Expansion by Query Prediction*, 2019), and with names. Words that are more like a
use than like any name describe a need; those that name a product are more like its name, be it sold
here or not. The less they sound like a need, the more they must be like a use; "something to …" and
"my …" are no names, so that what they name does not count.

Where the shop's own field says finely what products are, its values are compared; elsewhere things
are, for which titles then are searched. All values here were chosen on requests for development
(``docs/decisions/0018-uses.md``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from engine import Lexicon, QueryPlan, ShopView, Vectors

from .query_needs import asks, is_sentence, may_be_need, names_own
from .translators.languages import language_of
from .use_rows import embed, shipped_rows
from .uses import Thing, things, things_called
from .word_forms import forms

LANGUAGE = "en"
"""Of the uses; shops in other languages get no help from them."""
FINE = 0.8
"""Share of products whose kind is a thing of which uses are known, from which on kinds are
compared."""
MAX_KINDS = 500
PATH = " > "
AT_ONCE = 16
"""Texts that a search may wait for; more are embedded before the generation goes live."""
USE = 2 / 3
"""How much the likeness to the best use counts; that to the best name counts the rest."""
SHARPNESS = 20.0
"""A likeness higher by 0.05 is e times as likely."""
BEST, LEAST = 5, 0.05
"""At most so many kinds are told, none less likely than that."""
ALIKE, TERSE_ALIKE = (0.45, 0.6), (0.6, 0.7)
"""Cosines to the best use: from the first on words may, from the second they surely describe a
need; words that make a sentence, and others ("chapped lips in winter")."""
MORE_ALIKE, TERSE_MORE_ALIKE = (0.0, 0.1), (0.1, 0.2)
"""The same of what this is above the likeness to any name."""
OPENING = 0.1
"""So much is added to that where words open like a need ("keep my head warm")."""

Indices = npt.NDArray[np.intp]
Target = tuple[str, Sequence[str], Sequence[str]]
"""What is told, its names and its uses."""


class Purpose(Struct, frozen=True):
    """``surely``, 0 to 1, is how surely the words describe a need. ``kinds`` are values of the
    shop's field of kinds that serve it, ``things`` those of :mod:`plugins.uses`, with their
    probability; one of the two is empty. ``called`` are names by which titles may have them."""

    surely: float = 0.0
    kinds: dict[str, float] = {}
    things: dict[str, float] = {}
    called: tuple[str, ...] = ()


class _Known(Struct, frozen=True, eq=False):
    """The names of target ``i`` are the rows ``names[name_starts[i] :]`` ``[n, d]`` as far as the
    next target's begin, its uses likewise; one without uses has its first name there and is not
    ``used``. ``others`` ``[k, d]`` are the names of things that are not sold."""

    shop: ShopView
    targets: list[str]
    are_things: bool
    names: Vectors
    name_starts: Indices
    uses: Vectors
    use_starts: Indices
    used: npt.NDArray[np.bool_]
    others: Vectors

    def like_a_use(self, query: Vectors) -> Vectors:
        """The likeness of the query to the best use of each target."""
        return np.maximum.reduceat(self.uses @ query, self.use_starts)

    def like_a_name(self, query: Vectors) -> Vectors:
        """The same by its best name."""
        return np.maximum.reduceat(self.names @ query, self.name_starts)


class Purposes:
    """Embeds each name and use once, in the shop's own text encoder; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, dict[str, Vectors]] = {}
        self._known: _Known | None = None

    def learn(self, shop: ShopView, kind: str) -> None:
        """Embed what is new, however much: long, so before searches come. ``kind`` is the field
        that says most finely what products are."""
        with self._lock:
            if self._known is None or not _says_the_same(self._known.shop, shop):
                self._learn(shop, kind, None)

    def of(self, plan: QueryPlan, shop: ShopView, kind: str) -> Purpose:
        """What serves the need that the words describe; nothing where they describe none, or while
        too many texts are yet to be embedded. The spans and ``need`` of the plan are read."""
        if not may_be_need(plan, shop.lexicon):
            return Purpose()
        known = self._of(shop, kind)
        if known is None or not known.used.any():
            return Purpose()
        (query,) = shop.text_encoder.encode_texts([plan.text], "query")
        used = known.like_a_use(query)
        best = float(used[known.used].max())
        sentence = is_sentence(plan.text)
        surely = _ramp(best, *(ALIKE if sentence else TERSE_ALIKE))
        if not surely:
            return Purpose()
        named = known.like_a_name(query)
        if not (asks(plan.text) or names_own(plan.text)):
            name = max(float(named.max()), float((known.others @ query).max(initial=-1.0)))
            more = best + OPENING * plan.need - name
            surely *= _ramp(more, *(MORE_ALIKE if sentence else TERSE_MORE_ALIKE))
        alike = np.where(known.used, USE * used + (1 - USE) * named, named)
        if not surely:
            return Purpose()
        found = _chances(known.targets, alike)
        if known.are_things:
            return Purpose(surely, things=found, called=_called(found, shop.lexicon))
        return Purpose(surely, found, called=tuple(kind.rpartition(PATH)[2] for kind in found))

    def _of(self, shop: ShopView, kind: str) -> _Known | None:
        known = self._known
        if known is not None and _says_the_same(known.shop, shop):
            return known
        if not self._lock.acquire(blocking=False):
            return None  # it is being learnt
        try:
            return self._learn(shop, kind, AT_ONCE)
        finally:
            self._lock.release()

    def _learn(self, shop: ShopView, kind: str, at_most: int | None) -> _Known | None:
        kinds = _kinds(shop.vocabulary.get(kind, {}), shop.lexicon)
        targets = kinds or _sold(shop.lexicon)
        if language_of(shop.locale) != LANGUAGE:
            targets = []
        texts = list(dict.fromkeys(t for _, names, uses in targets for t in (*names, *uses)))
        others = _names_besides(texts) if texts else []
        encoder = shop.text_encoder
        rows = self._rows.setdefault(
            encoder.info.fingerprint, {**shipped_rows(encoder.info.fingerprint)}
        )
        missing = [text for text in (*texts, *others) if text not in rows]
        if at_most is not None and len(missing) > at_most:
            return None
        rows |= embed(encoder, missing)
        used = [bool(uses) for _, _, uses in targets]
        self._known = _Known(
            shop,
            [target for target, _, _ in targets],
            not kinds,
            *_joined([names for _, names, _ in targets], rows),
            *_joined([uses or names[:1] for _, names, uses in targets], rows),
            np.asarray(used, bool),
            _joined([others], rows)[0],
        )
        return self._known


def _says_the_same(known: ShopView, shop: ShopView) -> bool:
    return (
        known.vocabulary is shop.vocabulary
        and known.lexicon is shop.lexicon
        and known.text_encoder is shop.text_encoder
    )


def _kinds(counts: Mapping[str, int], lexicon: Lexicon) -> list[Target]:
    """The shop's kinds, the most frequent, by the ends of their paths; empty where for too many
    products no use is known. What has kinds below it is none."""
    above = {kind.rpartition(PATH)[0] for kind in counts}
    means = {kind: things_called(kind.rpartition(PATH)[2]) for kind in counts if kind not in above}
    known = sum(counts[kind] for kind, some in means.items() if some)
    if not known or known < FINE * sum(counts[kind] for kind in means):
        return []
    most = sorted(means, key=lambda kind: (-counts[kind], kind))[:MAX_KINDS]
    return [
        (kind, *_texts(kind.rpartition(PATH)[2], _meant(means[kind], lexicon))) for kind in most
    ]


def _meant(means: Sequence[Thing], lexicon: Lexicon) -> Sequence[Thing]:
    """Of things that share a name those of whose names the shop says most: a trunk beside briefs is
    no luggage. Several other things are all meant ("perfume and body mist")."""
    names = [{forms(name) for name in thing.names} for thing in means]
    if len(names) < 2 or not set.intersection(*names):
        return means
    said = [sum(_said(name, lexicon) for name in thing.names) for thing in means]
    return [thing for thing, count in zip(means, said, strict=True) if count == max(said)]


def _texts(name: str, means: Sequence[Thing]) -> tuple[list[str], list[str]]:
    names = [name, *(other for thing in means for other in thing.names)]
    return names, [use for thing in means for use in thing.uses]


def _sold(lexicon: Lexicon) -> list[Target]:
    """The things that the shop may have, as its words tell; all while they are not known."""
    return [
        (name, thing.names, thing.uses)
        for name, thing in things().items()
        if not lexicon.words or any(_said(other, lexicon) for other in thing.names)
    ]


def _names_besides(texts: Sequence[str]) -> list[str]:
    """The names of all things that are none of ``texts``."""
    sold = set(texts)
    names = dict.fromkeys(name for thing in things().values() for name in thing.names)
    return [name for name in names if name not in sold]


def _called(names: Iterable[str], lexicon: Lexicon) -> tuple[str, ...]:
    """All names of things that the shop may use."""
    known = things()
    every = dict.fromkeys(other for name in names for other in known[name].names)
    return tuple(name for name in every if not lexicon.words or _said(name, lexicon))


def _said(name: str, lexicon: Lexicon) -> bool:
    words = name.replace("-", " ").split()
    return all(lexicon.knows(word) or lexicon.knows(f"{word}s") for word in words)


def _joined(texts: Sequence[Sequence[str]], rows: Mapping[str, Vectors]) -> tuple[Vectors, Indices]:
    """The rows of all one after the other, and where each begins."""
    starts = [0, *accumulate(map(len, texts))][: len(texts)]
    every = [rows[text] for some in texts for text in some]
    width = len(next(iter(rows.values()), ()))
    joined = np.stack(every) if every else np.zeros((0, width), np.float32)
    return joined, np.asarray(starts, np.intp)


def _chances(targets: Sequence[str], alike: Vectors) -> dict[str, float]:
    """The likeliest, best first."""
    weights = np.exp(SHARPNESS * (alike - alike.max()).astype(np.float64))
    chances = weights / weights.sum()
    likeliest = np.argsort(-chances, kind="stable")[:BEST]
    return {targets[i]: float(chances[i]) for i in likeliest if chances[i] >= LEAST}


def _ramp(value: float, low: float, high: float) -> float:
    return min(max((value - low) / (high - low), 0.0), 1.0)
