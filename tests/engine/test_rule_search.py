"""What rules do to whole searches of the small shop: words, photo, likeness and browsing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import AppliedRule, Engine, LostPin, Query, Rule, SearchRequest, SearchResponse, SortBy
from engine.settings import ProfileSettings, SearchSettings

from . import shop as small
from .conftest import copy_shop
from .shop import PRODUCTS, ids, photo

ARRANGED = ProfileSettings(arrangers=("drop-odd", "turn"))
WORDS = Query(text="red shoe")
QUERIES = {
    "words": WORDS,
    "photo": Query(image=photo("lamp", "blue")),
    "both": Query(text="red shoe", image=photo("lamp", "blue")),
    "like": Query(like=("bag-red",)),
    "browsing": None,
}
NOW = datetime.now(UTC)
SetRules = Callable[..., None]


@pytest.fixture(scope="module")
def ruled(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A shop whose rules the tests set."""
    folder = copy_shop(built, tmp_path_factory.mktemp("ruled") / "shop")
    settings = small.settings_for(folder, search=SearchSettings(depth=20), arranged=ARRANGED)
    with small.open_engine(settings) as engine:
        yield engine


@pytest.fixture(autouse=True)
def _no_rules(ruled: Engine) -> None:
    set_rules(ruled)


def set_rules(engine: Engine, *rules: dict[str, Any]) -> None:
    content = json.dumps({"rules": rules})
    path = engine.rules.path
    if not path.exists() or path.read_text() != content:
        temporary = path.with_suffix(".new")  # an inode of its own, however quick the edits
        temporary.write_text(content)
        temporary.replace(path)
    assert engine.rules.problems(None) == []


def rule(name: str, **then: Any) -> dict[str, Any]:
    others: list[str] = [key for key in ("when", "from", "until", "priority") if key in then]
    return {"id": name, **{key: then.pop(key) for key in others}, "then": then}


def search(engine: Engine, query: Query | None = WORDS, **more: Any) -> SearchResponse:
    request = SearchRequest(query, **{"limit": 1000, "explain": True, **more})
    answer = engine.search(request)
    assert answer.degraded == ()
    return answer


def rules_of(answer: SearchResponse) -> dict[str, AppliedRule]:
    return {rule.id: rule for rule in answer.plan.rules}


# Hiding


@pytest.mark.parametrize("kind", QUERIES)
@pytest.mark.parametrize("sort", [None, SortBy("price")])
def test_what_is_hidden_is_nowhere(ruled: Engine, kind: str, sort: SortBy | None) -> None:
    gone = {"filters": {"color": ["red", "blue"], "price": {"gte": 20}}}
    asked: dict[str, Any] = {"facets": ("color", "price"), "sort": sort}
    before = search(ruled, QUERIES[kind], **asked)
    set_rules(ruled, rule("sold", hide=[gone, {"ids": ["mug-pink"]}]))
    after = search(ruled, QUERIES[kind], **asked)
    hidden = {
        id
        for id, p in PRODUCTS.items()
        if id == "mug-pink" or (p.attributes["color"] in ("red", "blue") and (p.price or 0.0) >= 20)
    }
    assert hidden & set(ids(before.hits))
    assert not hidden & set(ids(after.hits))
    if kind == "browsing":
        assert set(ids(after.hits)) == set(PRODUCTS) - hidden
    assert after.total == len(after.hits) == sum(v.count for v in after.facets["color"].values)
    assert "mug-pink" not in msgspec.json.encode(after.plan).decode()


def test_a_shoppers_filter_on_the_same_field_does_not_bring_it_back(ruled: Engine) -> None:
    set_rules(ruled, rule("no-red", hide=[{"filters": {"color": "red"}}]))
    for query in QUERIES.values():
        assert search(ruled, query, filters={"color": "red"}).total == 0
        colors = {h.product["attributes"]["color"] for h in search(ruled, query).hits}
        assert colors
        assert "red" not in colors


def test_naming_a_currency_shows_nothing_that_is_hidden(ruled: Engine) -> None:
    """ "XXX" is a currency in which nothing has a price."""
    set_rules(
        ruled,
        rule("dear", hide=[{"filters": {"price": {"gte": 20}}}]),
        rule("pin", pins={"lamp-green": 1}),
    )
    assert (PRODUCTS["lamp-green"].price or 0) >= 20
    for query in QUERIES.values():
        plain = search(ruled, query)
        elsewhere = search(ruled, query, currency="XXX")
        assert set(ids(elsewhere.hits)) == set(ids(plain.hits))
        assert "lamp-green" not in msgspec.json.encode(elsewhere.plan).decode()


def test_a_price_in_a_boost_is_in_the_shops_currency(ruled: Engine) -> None:
    """ "XXX" is a currency in which nothing has a price."""
    set_rules(ruled, rule("cheap", boost=[{"filters": {"price": {"lt": 20}}, "factor": 3}]))
    told = [
        {hit.id: hit.explain.reasons.get("rules") for hit in answer.hits if hit.explain}
        for answer in (search(ruled), search(ruled, currency="XXX"))
    ]
    assert told[0] == told[1]
    boosted = {id for id, why in told[0].items() if why}
    prices = {id: PRODUCTS[id].price for id in told[0]}
    assert boosted == {id for id, price in prices.items() if price is not None and price < 20}
    assert 0 < len(boosted) < len(told[0])


@pytest.mark.parametrize("sort", [None, SortBy("price")])
def test_a_lost_pin_does_not_tell_of_what_is_hidden(ruled: Engine, sort: SortBy | None) -> None:
    set_rules(ruled, rule("pin", pins={"mug-pink": 1}), rule("hide", hide=[{"ids": ["mug-pink"]}]))
    assert "mug-pink" not in msgspec.json.encode(search(ruled, sort=sort).plan).decode()


@pytest.mark.parametrize("kind", QUERIES)
def test_what_is_hidden_stays_so_while_rules_cannot_be_applied(
    ruled: Engine, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: Any) -> Any:
        raise LookupError("the rules are gone")

    later = (NOW + timedelta(days=1)).isoformat()
    set_rules(
        ruled,
        rule("pink", hide=[{"ids": ["mug-pink"]}], when={"query": {"exact": "something else"}}),
        rule("next", hide=[{"filters": {"color": "red"}}], **{"from": later}),
        rule("pin", pins={"mug-red": 1}),
    )
    monkeypatch.setattr("plugins.rules.ApplyRules.process", fail)
    answer = ruled.search(SearchRequest(QUERIES[kind], limit=1000))
    assert [d.component for d in answer.degraded] == ["rules"]
    assert "mug-pink" not in ids(answer.hits)
    assert any(id.endswith("-red") for id in ids(answer.hits))
    assert answer.plan.pins == {}
    ruled.enable("query_processors", "rules")  # its breaker has opened


def test_hiding_stands_above_pinning(ruled: Engine) -> None:
    pin = rule("pin", pins={"mug-red": 1, "mug-pink": 2}, priority=100)
    hide = rule("hide", hide=[{"filters": {"color": "red"}}, {"ids": ["mug-pink"]}])
    set_rules(ruled, pin, hide)
    assert not {"mug-red", "mug-pink"} & set(ids(search(ruled).hits))
    plan, _ = ruled.plan(SearchRequest(WORDS))
    assert {r.id: r.lost for r in plan.rules}["pin"] == (
        LostPin("mug-red", 1, "it is hidden", "hide"),
        LostPin("mug-pink", 2, "it is hidden", "hide"),
    )
    assert rules_of(search(ruled)) == {"pin": AppliedRule("pin"), "hide": AppliedRule("hide")}


# Pinning


@pytest.mark.parametrize("profile", ["default", "bare", "arranged"])
@pytest.mark.parametrize("kind", QUERIES)
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    pins=st.dictionaries(st.sampled_from(sorted(PRODUCTS)), st.integers(1, 60), max_size=5).filter(
        lambda pins: len(set(pins.values())) == len(pins)
    ),
    window=st.sampled_from([None, 1, 7]),
    limits=st.lists(st.integers(0, 20), max_size=5),
)
def test_pins_land_on_their_places_on_any_page(
    ruled: Engine, profile: str, kind: str, pins: dict[str, int], window: int | None, limits: Any
) -> None:
    query = QUERIES[kind]
    if profile == "bare":
        profile = "words"  # it has the processor, and no ranker
    pins = {id: place for id, place in pins.items() if query is None or id not in query.like}
    asked: dict[str, Any] = {"profile": profile, "rerank_window": window, "facets": ("color",)}
    set_rules(ruled)
    before = ids(search(ruled, query, **asked).hits)
    set_rules(ruled, *([rule("r", pins=pins)] if pins else []))
    joined: list[str] = []
    for limit in [*limits, 200]:
        page = search(ruled, query, **asked, offset=len(joined), limit=limit)
        joined += ids(page.hits)
    assert [id for id in joined if id not in pins] == [id for id in before if id not in pins]
    assert set(pins) <= set(joined)
    assert len(set(joined)) == len(joined)
    ends = sorted(pins.values())
    for id, place in pins.items():
        most = len(joined) - sum(other > place for other in ends)
        assert joined.index(id) + 1 == min(place, most)
    if profile != "arranged":  # which drops
        assert page.total == len(joined) == sum(v.count for v in page.facets["color"].values)


def test_a_product_that_nothing_found_is_inserted_and_counted(ruled: Engine) -> None:
    before = search(ruled, facets=("brand",))
    (stranger, *_) = set(PRODUCTS) - set(ids(before.hits))
    set_rules(ruled, rule("r", pins={stranger: 3}))
    after = search(ruled, facets=("brand",))
    assert ids(after.hits)[2] == stranger
    assert after.total == before.total + 1
    explained = after.hits[2].explain
    assert explained is not None
    assert explained.reasons["pins"] == {"r": "not found → place 3"}
    assert explained.lanes == {}
    assert explained.arrangers == {}


def test_counts_of_a_selected_field_know_of_pins(ruled: Engine) -> None:
    """A count is the total after the value is selected, pins that no lane finds included."""
    found = set(ids(search(ruled).hits))
    stranger = next(id for id in PRODUCTS if id not in found)
    color = str(PRODUCTS[stranger].attributes["color"])
    set_rules(ruled, rule("r", pins={stranger: 1}))
    open_wide = search(ruled, facets=("color",))
    selected = search(ruled, facets=("color",), filters={"color": ["no such", color]})
    assert stranger in ids(selected.hits)
    assert selected.facets["color"].values[:8] == open_wide.facets["color"].values


def test_pins_say_from_where_to_where(ruled: Engine) -> None:
    before = ids(search(ruled, rerank_window=10).hits)
    set_rules(ruled, rule("r", pins={before[5]: 1, before[30]: 2}))
    for query, came in ((WORDS, "place 6 → place 1"), (None, "place 1")):
        first, second = search(ruled, query, rerank_window=10, limit=2).hits
        assert (first.id, second.id) == (before[5], before[30])
        assert first.explain is not None
        assert first.explain.reasons["pins"] == {"r": came}
        assert ("pins" in first.explain.arrangers) == (query is not None)
        if query is not None and second.explain is not None:
            assert second.explain.reasons["pins"] == {"r": "below the window → place 2"}


def test_only_what_the_search_admits_is_pinned(ruled: Engine) -> None:
    set_rules(ruled, rule("r", pins={"sofa-red": 1, "sofa-blue": 2, "no-such": 3}))
    for query in QUERIES.values():
        answer = search(ruled, query, filters={"color": "blue", "category": "Home"})
        assert ids(answer.hits)[1] == "sofa-blue"
        assert "sofa-red" not in ids(answer.hits)
        assert rules_of(answer)["r"].lost == (
            LostPin("sofa-red", 1, "the filters of the search leave it out"),
            LostPin("no-such", 3, "the shop has no such product"),
        )
    like = search(ruled, Query(like=("sofa-red",)))
    assert "sofa-red" not in ids(like.hits)


def test_a_shoppers_own_order_wins_over_pins(ruled: Engine) -> None:
    sort = SortBy("price", "desc")
    before = [ids(search(ruled, query, sort=sort).hits) for query in QUERIES.values()]
    set_rules(ruled, rule("r", pins={"mug-red": 1}))
    answers = [search(ruled, query, sort=sort) for query in QUERIES.values()]
    assert [ids(answer.hits) for answer in answers] == before
    assert rules_of(answers[0])["r"].lost == (
        LostPin("mug-red", 1, "the search is sorted by 'price'"),
    )


# Who wins


def test_the_stronger_rule_wins_the_place_and_the_product(ruled: Engine) -> None:
    strong = rule("strong", pins={"mug-red": 1, "mug-blue": 2}, priority=5)
    weak = rule("weak", pins={"sofa-red": 1, "mug-blue": 3, "sofa-blue": 4})
    set_rules(ruled, weak, strong)
    answer = search(ruled)
    assert [ids(answer.hits)[place] for place in (0, 1, 3)] == ["mug-red", "mug-blue", "sofa-blue"]
    assert [r.id for r in answer.plan.rules] == ["strong", "weak"]
    assert rules_of(answer)["weak"] == AppliedRule(
        "weak",
        {"sofa-blue": 4},
        lost=(
            LostPin("sofa-red", 1, "the place is taken", "strong"),
            LostPin("mug-blue", 3, "it stands at place 2", "strong"),
        ),
    )


def test_a_pin_that_cannot_be_placed_is_in_nobodys_way(ruled: Engine) -> None:
    set_rules(ruled, rule("a", pins={"no-such": 1}, priority=9), rule("b", pins={"mug-red": 1}))
    assert ids(search(ruled).hits)[0] == "mug-red"


ANY_RULE = st.fixed_dictionaries(
    {
        "pins": st.dictionaries(
            st.sampled_from(["mug-red", "mug-blue", "sofa-red", "bag-pink"]),
            st.integers(1, 4),
            max_size=3,
        ).filter(lambda pins: len(set(pins.values())) == len(pins)),
        "boost": st.just([{"filters": {"color": "pink"}, "factor": 3}]) | st.just([]),
        "bury": st.just([{"ids": ["shoe-red"]}]),
        "hide": st.sampled_from([[], [{"ids": ["mug-blue"]}], [{"filters": {"color": "red"}}]]),
        "priority": st.integers(0, 2),
    }
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ANY_RULE, max_size=4), st.randoms())
def test_the_order_of_the_file_does_not_matter(ruled: Engine, thens: Any, random: Any) -> None:
    rules = [rule(f"r{n}", **then) for n, then in enumerate(thens)]
    set_rules(ruled, *rules)
    first = search(ruled)
    random.shuffle(rules)
    set_rules(ruled, *rules)
    again = search(ruled)
    assert (again.hits, again.plan.rules) == (first.hits, first.plan.rules)
    for product in {p for r in first.plan.rules for p in r.pins}:
        assert sum(product in r.pins for r in first.plan.rules) == 1


# Boosting and burying


def test_boosts_multiply_scores_and_say_so(ruled: Engine) -> None:
    before = {hit.id: hit for hit in search(ruled).hits}
    set_rules(
        ruled,
        rule("up", boost=[{"filters": {"color": "pink"}, "factor": 3}]),
        rule("down", bury=[{"ids": ["shoe-pink", "shoe-red"], "factor": 0.1}]),
    )
    after = search(ruled)
    assert set(ids(after.hits)) == set(before)
    for hit in after.hits:
        factor = 3.0 if hit.product["attributes"]["color"] == "pink" else 1.0
        factor *= 0.1 if hit.id in ("shoe-pink", "shoe-red") else 1.0
        assert hit.score == pytest.approx(before[hit.id].score * factor, rel=1e-5)
        assert hit.explain is not None
        told = hit.explain.reasons.get("rules", {})
        assert set(told) == {
            *(["up"] if hit.product["attributes"]["color"] == "pink" else []),
            *(["down"] if hit.id in ("shoe-pink", "shoe-red") else []),
        }
        if "up" in told:
            _, _, was, _, became = str(told["up"]).split()
            assert float(became) == pytest.approx(3 * float(was), rel=2e-3)
            assert float(became) == pytest.approx(hit.score, rel=2e-3)
    assert [hit.score for hit in after.hits] == sorted((h.score for h in after.hits), reverse=True)


# When


def test_a_category_page_has_its_pins(ruled: Engine) -> None:
    set_rules(ruled, rule("home", pins={"sofa-white": 1}, when={"category": "Home"}))
    first = {
        category: ids(search(ruled, None, filters={"category": category}).hits)[0]
        for category in ("Home", "Home > Sofa", "Home > Mug", "Wear")
    }
    assert first["Home"] == first["Home > Sofa"] == "sofa-white"
    assert first["Home > Mug"].startswith("mug")  # the page leaves it out
    assert first["Wear"].startswith("bag")


def test_a_rule_is_in_force_from_until(ruled: Engine) -> None:
    hour = timedelta(hours=1)
    set_rules(
        ruled,
        rule("past", pins={"mug-red": 1}, until=(NOW - hour).isoformat()),
        rule("present", pins={"mug-blue": 1}, **{"from": (NOW - hour).isoformat()}),
        rule("future", pins={"mug-pink": 1}, **{"from": (NOW + 24 * hour).isoformat()}),
    )
    assert ids(search(ruled).hits)[0] == "mug-blue"
    plan, _ = ruled.plan(SearchRequest(WORDS), NOW + 48 * hour)
    assert plan.pins == {"mug-pink": 1}
    told = {r.id: r.skipped for r in plan.rules}
    assert told["past"].startswith("it ended at ")
    assert told["future"] == told["present"] == ""
    plan, _ = ruled.plan(SearchRequest(WORDS), NOW)
    assert {r.id: r.skipped for r in plan.rules}["future"].startswith("it begins at ")


def test_a_rule_of_an_undeclared_field_is_told_and_does_nothing(ruled: Engine) -> None:
    set_rules(
        ruled, rule("odd", hide=[{"filters": {"colour": "red"}}]), rule("r", pins={"mug-red": 1})
    )
    answer = search(ruled)
    assert ids(answer.hits)[0] == "mug-red"
    assert list(rules_of(answer)) == ["r"]
    problem = "rule 'odd' does not apply: then.hide[0].filters: unknown field 'colour'"
    assert any(problem in text for text in ruled.health().problems)
    plan, _ = ruled.plan(SearchRequest(WORDS), NOW)
    assert "did you mean 'color'" in {r.id: r.skipped for r in plan.rules}["odd"]


def test_a_broken_file_leaves_the_rules_before_it_in_force(ruled: Engine) -> None:
    set_rules(ruled, rule("r", pins={"mug-red": 1}))
    ruled.rules.path.write_text("{")
    assert ids(search(ruled).hits)[0] == "mug-red"
    assert any("not JSON" in problem for problem in ruled.health().problems)


def test_rules_can_be_written_while_searches_go_on(ruled: Engine) -> None:
    given = msgspec.convert(rule("r", pins={"mug-red": 1}), Rule)
    ruled.rules.put(given)
    assert ids(search(ruled).hits)[0] == "mug-red"
    ruled.rules.delete("r", given.etag)
    assert ids(search(ruled).hits)[0] != "mug-red"


def test_a_shop_without_the_processor_has_no_rules(ruled: Engine) -> None:
    set_rules(ruled, rule("r", pins={"mug-red": 1}))
    assert search(ruled, profile="bare").plan.rules == ()
