"""What query processors learn of the live shop, and what a reading does to a search."""

from __future__ import annotations

import msgspec
import pytest

from engine import Engine, InvalidRequest, Query, SearchRequest, ShopView

from .shop import PRODUCTS, photos_of


def view(engine: Engine) -> ShopView:
    with engine._live() as live:
        return live.shop.current


def ids(engine: Engine, text: str, profile: str, **more: object) -> list[str]:
    request = SearchRequest(Query(text), profile=profile, limit=60, **more)  # type: ignore[arg-type]
    return [hit.id for hit in engine.search(request).hits]


def test_the_view_holds_the_values_of_keyword_fields_with_their_counts(shop: Engine) -> None:
    seen = view(shop)
    assert set(seen.vocabulary) == {"brand", "category", "color", "material"}
    assert seen.vocabulary["color"]["red"] == 6
    assert seen.vocabulary["brand"] == {"Acme": 16, "Bolt": 16}
    assert seen.vocabulary["category"]["Home > Sofa"] == 8
    assert set(seen.vocabulary["material"]) == {"wood", "steel", "leather"}
    priced = sum(p.price is not None for p in PRODUCTS.values())
    assert seen.prices == {"EUR": priced}
    assert seen.text_encoder.info.dim > 0


def test_a_new_value_is_known_at_once_and_makes_another_view(fresh: Engine) -> None:
    before = view(fresh)
    known = PRODUCTS["mug-red"]
    fresh.put([(known, photos_of(known))])
    assert view(fresh) is before
    mug = msgspec.structs.replace(known, id="new-mug", brand="Zyxorn", images=())
    fresh.put([(mug, [])])
    after = view(fresh)
    assert after.vocabulary["brand"]["Zyxorn"] == 1
    assert "Zyxorn" not in before.vocabulary["brand"]
    plan, degraded = fresh.understand("Zyxorn mug", profile="know")
    assert [(span.field, span.values) for span in plan.spans] == [("brand", ("Zyxorn",))]
    assert degraded == []


def test_what_could_not_be_stored_is_not_known(fresh: Engine) -> None:
    twin = msgspec.structs.replace(PRODUCTS["mug-red"], id="", brand="Nowhere")
    (result,) = fresh.put([(twin, [])])
    assert result.status == "failed"
    assert "Nowhere" not in view(fresh).vocabulary["brand"]


def test_a_reading_can_be_taken_back(shop: Engine) -> None:
    plan, _ = shop.understand("red shoe", profile="know")
    assert [span.key for span in plan.spans] == ["color:red"]
    plan, _ = shop.understand("red shoe", profile="know", ignore=["color:red"])
    assert plan.spans == ()
    plan, _ = shop.understand("red shoe", profile="know", ignore=["Color:RED"])
    assert plan.spans == ()
    assert plan.ignored == ("color:red",)


def test_a_processor_cannot_change_what_was_taken_back(shop: Engine) -> None:
    plan, _ = shop.understand("red shoe", profile="forget", ignore=["color:blue"])
    assert plan.ignored == ("color:blue",)


def test_words_that_are_all_filters_browse_under_them(shop: Engine) -> None:
    found = shop.search(SearchRequest(Query("only red"), profile="only-filters", limit=60))
    assert {hit.id for hit in found.hits} == {i for i in PRODUCTS if i.endswith("-red")}
    assert found.total == 6
    assert found.plan.filters == {"color": "red"}
    blue = ids(shop, "only red", "only-filters", filters={"color": "blue"})
    assert blue == sorted(i for i in PRODUCTS if i.endswith("-blue"))


@pytest.mark.parametrize(
    ("text", "profile", "field"),
    [(" ", "know", "text"), ("x" * 2001, "know", "text"), ("x", "?", "profile")],
)
def test_bad_questions_name_the_field(shop: Engine, text: str, profile: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        shop.understand(text, profile=profile)
    assert caught.value.field == field
