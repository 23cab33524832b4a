"""A broken plugin costs its own effect and nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from engine import Engine, InvalidSettings, Query, SearchRequest, SearchResponse, UnknownPlugin
from engine.breaker import FAILURES_TO_OPEN
from engine.settings import ProfileSettings

from . import toys
from .conftest import OpenShop
from .shop import ids


def search(shop: Engine, profile: str, **request: Any) -> SearchResponse:
    query = Query(text="red shoe")
    return shop.search(SearchRequest(query, limit=1000, profile=profile, **request))


@pytest.fixture
def plain(shop: Engine) -> list[str]:
    return ids(search(shop, "bare").hits)


BROKEN = {**toys.BAD_RANKERS, **toys.BAD_ARRANGERS, **toys.BAD_PROCESSORS}
SLOW = {"hang"}


@pytest.mark.parametrize("name", [name for name in BROKEN if name not in SLOW])
def test_the_ranking_before_it_stands(shop: Engine, plain: list[str], name: str) -> None:
    answer = search(shop, name, explain=True)
    assert ids(answer.hits) == plain
    (degraded,) = answer.degraded
    assert degraded.component == name
    assert BROKEN[name] in degraded.reason
    for hit in answer.hits:
        assert hit.explain is not None
        assert hit.explain.rankers == {}


def test_a_hanging_plugin_is_left_behind(open_shop: OpenShop, plain: list[str]) -> None:
    engine = open_shop(
        deadline_ms=0.001, bare=ProfileSettings(query_processors=(), rankers=("hang", "double"))
    )
    answer = search(engine, "bare")
    assert ids(answer.hits) == plain
    reasons = {d.component: d.reason for d in answer.degraded}
    assert reasons["hang"] == "missed its deadline of 0.001 ms"
    again = search(engine, "bare")
    assert {d.component: d.reason for d in again.degraded}["hang"].startswith("switched off")
    assert any(problem.startswith("hang: missed") for problem in engine.health().problems)


def test_the_other_plugins_go_on(open_shop: OpenShop) -> None:
    engine = open_shop(
        mixed=ProfileSettings(
            query_processors=("p-raise", "normalize"),
            rankers=("nan", "by-price", "raise"),
            arrangers=("a-raise", "drop-odd"),
        ),
        sound=ProfileSettings(rankers=("by-price",), arrangers=("drop-odd",)),
    )
    mixed, sound = search(engine, "mixed"), search(engine, "sound")
    assert ids(mixed.hits) == ids(sound.hits)
    assert [d.component for d in mixed.degraded] == ["p-raise", "nan", "raise", "a-raise"]
    assert [step.processor for step in mixed.plan.steps] == ["normalize"]
    assert sound.degraded == ()


def test_a_plugin_that_fails_again_and_again_is_switched_off(open_shop: OpenShop) -> None:
    engine = open_shop(other=ProfileSettings(rankers=("raise",)))
    reasons = [search(engine, "raise").degraded[0].reason for _ in range(FAILURES_TO_OPEN + 1)]
    assert [r.startswith("switched off") for r in reasons] == [False] * FAILURES_TO_OPEN + [True]
    # One component, one breaker, however many profiles use it.
    assert search(engine, "other").degraded[0].reason.startswith("switched off")
    assert "raise: LookupError: the price list is gone" in engine.health().problems


def test_what_a_plugin_keeps_it_cannot_change(open_shop: OpenShop, plain: list[str]) -> None:
    engine = open_shop(twice=ProfileSettings(rankers=("keep", "keep")))
    first = search(engine, "keep", explain=True)
    again = search(engine, "keep", explain=True)
    assert first.hits == again.hits
    assert ids(first.hits) == plain
    assert ids(search(engine, "twice").hits) == plain


def test_vectors_reach_those_who_ask(shop: Engine) -> None:
    answer = search(shop, "photo-mean", explain=True)
    assert answer.degraded == ()
    assert {round(hit.score, 5) for hit in answer.hits} == {1.0}


def test_sorting_and_browsing_ask_no_ranker(shop: Engine) -> None:
    assert shop.search(SearchRequest(profile="raise")).degraded == ()


@pytest.mark.parametrize("kind", ["query_processors", "rankers", "arrangers"])
def test_a_plugin_nobody_registered_stops_the_start(open_shop: OpenShop, kind: str) -> None:
    with pytest.raises(UnknownPlugin, match=r"named 'magic'; registered: .*"):
        open_shop(odd=ProfileSettings(**{kind: ("magic",)}))


def test_a_misspelt_lane_stops_the_start(open_shop: OpenShop) -> None:
    with pytest.raises(InvalidSettings, match=r"profiles\.odd\.weights: no lane 'txt'; there are"):
        open_shop(odd=ProfileSettings(weights={"text:es": 1, "txt": 2}))
