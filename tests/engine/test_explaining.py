"""Rankers and arrangers say why, about the products that are shown, and only when asked."""

from __future__ import annotations

from typing import Any

import pytest

from engine import Engine, Move, Query, SearchRequest, SearchResponse
from engine.settings import ProfileSettings

from . import toys
from .conftest import OpenShop
from .shop import ids


def search(shop: Engine, profile: str, **request: Any) -> SearchResponse:
    request = {"limit": 1000, "explain": True, **request}
    return shop.search(SearchRequest(Query(text="red shoe"), profile=profile, **request))


def profiles(**arrangers: tuple[str, ...]) -> dict[str, ProfileSettings]:
    made = {name: ProfileSettings((), (name,), arrangers.get(name, ())) for name in toys.EXPLAINS}
    return {name.replace("-", "_"): profile for name, profile in made.items()}


def test_each_shown_product_gets_its_own_reasons(open_shop: OpenShop) -> None:
    engine = open_shop(**profiles())
    page = search(engine, "because", limit=5, offset=3)
    assert len(page.hits) == 5
    for hit in page.hits:
        assert hit.explain is not None
        price = hit.product["price"] or 0.0
        assert hit.explain.reasons == {"because": {"price": price, "so": hit.id}}
        assert hit.explain.rankers["because"] == pytest.approx(-price - hit.explain.fused, abs=1e-5)


def test_nobody_is_asked_unless_the_request_does(
    open_shop: OpenShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(toys.EXPLAINS, "because", toys.EXPLAINS["e-raise"])
    engine = open_shop(**profiles())
    assert search(engine, "because", explain=False).degraded == ()
    assert search(engine, "because").degraded != ()


@pytest.mark.parametrize("name", toys.BAD_EXPLAINS)
def test_a_bad_explanation_costs_only_itself(open_shop: OpenShop, name: str) -> None:
    engine = open_shop(**profiles())
    profile = name.replace("-", "_")
    answer, sound = search(engine, profile), search(engine, "because")
    assert ids(answer.hits) == ids(sound.hits)
    (degraded,) = answer.degraded
    assert degraded.component == name
    assert toys.BAD_EXPLAINS[name] in degraded.reason
    assert all(hit.explain and hit.explain.reasons == {} for hit in answer.hits)


def test_nothing_to_say_leaves_no_trace(open_shop: OpenShop) -> None:
    engine = open_shop(**profiles())
    assert all(h.explain and not h.explain.reasons for h in search(engine, "e_nothing").hits)


def test_arrangers_say_why_and_where(open_shop: OpenShop) -> None:
    turned = ProfileSettings((), ("by-price",), ("because",))
    engine = open_shop(plain=ProfileSettings((), ("by-price",)), turned=turned)
    before, after = search(engine, "plain"), search(engine, "turned")
    assert ids(after.hits) == ids(before.hits)[::-1]
    for place, hit in enumerate(after.hits, start=1):
        was = len(after.hits) + 1 - place
        moved = {"because": Move(was, place)} if was != place else {}
        assert hit.explain is not None
        assert hit.explain.arrangers == moved
        assert hit.explain.reasons["because"]["so"] == hit.id
    assert all(h.explain and h.explain.arrangers == {} for h in before.hits)


def test_products_below_the_window_have_no_reasons(open_shop: OpenShop) -> None:
    engine = open_shop(**profiles())
    hits = search(engine, "because", rerank_window=4).hits
    assert [bool(h.explain and h.explain.reasons) for h in hits[:6]] == [True] * 4 + [False] * 2
