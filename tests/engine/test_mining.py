"""Candidates for synonyms, from what shoppers do."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from engine import (
    Encoder,
    EncoderInfo,
    Event,
    EventProduct,
    IndexSchema,
    Lexicon,
    QueryCount,
    ShopView,
    Vectors,
)
from engine.mining import from_gaps, from_sessions
from engine.protocols import Role

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def visit(
    shopper: str, *searches: str, clicks: Sequence[bool] = (), gap: float = 60
) -> list[Event]:
    """Searches one after the other, ``gap`` seconds apart; by default only the last is clicked."""
    clicked = clicks or [*[False] * (len(searches) - 1), True]
    events = []
    for n, (query, click) in enumerate(zip(searches, clicked, strict=True)):
        at = NOW + timedelta(seconds=n * gap)
        shown = Event(f"{shopper}-{n}", "impression", at, session_id=shopper, query=query)
        events.append(shown)
        if click:
            chosen = (EventProduct("p"),)
            after = at + timedelta(seconds=5)
            id = f"{shopper}-{n}c"
            events.append(
                Event(id, "click", after, session_id=shopper, products=chosen, query=query)
            )
    return events


def mined(visits: list[list[Event]], at_least: int = 2) -> list[tuple[str, str]]:
    vocabulary = {"color": {"Red": 5, "Blue": 4}}
    found = from_sessions(visits, at_least, vocabulary)
    assert all(s.status == "candidate" and s.evidence for s in found)
    return [(s.typed[0], s.meant[0]) for s in found]


def test_a_user_who_comes_back_is_one_shopper() -> None:
    """In sessions of their own, and whether or not each event names the user."""
    searches = "red sneakers", "red trainers"
    visits = [visit(session, *searches) for session in ("a", "b", "c")]
    known = [[msgspec.structs.replace(e, user_id="u") for e in events] for events in visits]
    mixed = [[*events[:1], *visit[1:]] for events, visit in zip(known, visits, strict=True)]
    assert mined(visits) == [("sneakers", "trainers")]
    assert mined(known) == mined(mixed) == []


def test_words_too_long_for_the_file_are_not_proposed() -> None:
    visits = [visit(who, "s" * 150, "trainers") for who in "ab"]
    assert mined(visits) == []


def test_what_shoppers_type_instead_is_proposed() -> None:
    visits = [
        visit("a", "red sneakers", "red trainers"),
        visit("b", "sneakers", "running trainers", "trainers"),
        visit("c", "Sneakers", "TRAINERS"),
        visit("d", "mobile", "cell phone"),
        visit("e", "mobile", "cell phone"),
    ]
    assert mined(visits) == [("mobile", "cell phone"), ("sneakers", "trainers")]


@pytest.mark.parametrize(
    "events",
    [
        visit("x", "sneakers", "trainers", clicks=(True, True)),  # the first served them
        visit("x", "sneakers", "trainers", clicks=(False, False)),  # nor did the second
        visit("x", "sneakers", "trainers", gap=600),  # another need
        visit("x", "sneakers", "red sneakers"),  # narrower, not other
        visit("x", "red lamp", "blue lamp"),  # another colour
        visit("x", "snaekers", "sneakers"),  # a typing error
        visit("x", "", "sneakers"),
        visit("x", "a b c d", "e f g h"),
    ],
)
def test_other_changes_are_no_synonyms(events: list[Event]) -> None:
    assert mined([events], at_least=1) == []


def test_nobody_is_told_of_alone() -> None:
    twice = [*visit("a", "sneakers", "trainers"), *visit("a", "sneakers", "trainers")]
    assert mined([twice], at_least=2) == []


class Axes:
    """Words in groups of one meaning; each group has an axis."""

    info = EncoderInfo("axes", "1", 3, ("text",), "axes")
    groups = ({"sneakers", "trainers"}, {"lamp"}, {"zebra"})

    def encode_texts(self, texts: Sequence[str], role: Role) -> Vectors:
        rows = [[float(text in group) for group in self.groups] for text in texts]
        return np.asarray(rows, dtype=np.float32)

    def encode_images(self, images: Sequence[object]) -> Vectors:
        raise NotImplementedError

    def close(self) -> None: ...


def test_words_that_no_product_has_get_their_neighbours() -> None:
    encoder: Encoder = Axes()
    view = ShopView(IndexSchema(), {}, encoder, lexicon=Lexicon({"trainers": 9, "lamp": 3}))
    queries = [QueryCount(q, 7, 9, 9, 0, 0, 0) for q in ("red sneakers", "lamp", "zebra", "x1")]
    (found,) = from_gaps(queries, view)
    assert (found.typed, found.meant, found.status) == (("sneakers",), ("trainers",), "candidate")
    assert "7 searches" in found.evidence
    assert from_gaps([], view) == []
