"""Recommendations through an engine: seeds, what may be shown, what fails, what is learned."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest

from engine import (
    Engine,
    Event,
    Interactions,
    InvalidRequest,
    InvalidSettings,
    NotFound,
    Occasion,
    RecommendationRequest,
    RecommendationResponse,
    Recommended,
    Settings,
    hookimpl,
)
from engine import manager as manager_module
from engine.manager import PluginManager
from engine.settings import (
    EventSettings,
    LimitSettings,
    Place,
    PluginSettings,
    ProfileSettings,
    RecommendationSettings,
)
from engine.testing.event_data import make_event

from . import shop as small
from . import toys

HOUR = timedelta(hours=1)
ALL = list(small.PRODUCTS)


class Scripted:
    """Recommends what ``answer`` makes of the occasion; remembers what it was told."""

    def __init__(self, answer: Callable[[Occasion, int], Any]) -> None:
        self.answer = answer
        self.occasions: list[Occasion] = []
        self.seen: list[Interactions] = []
        self.learned = threading.Event()

    def recommend(self, occasion: Occasion, n: int) -> Any:
        self.occasions.append(occasion)
        return self.answer(occasion, n)

    def learn(self, seen: Interactions) -> None:
        self.seen.append(seen)
        self.learned.set()


def recorded(engine: Engine, *events: Event) -> None:
    """Which must be stored: a test with events that are too old would test nothing."""
    assert {result.status for result in engine.record(events)} == {"accepted"}


def did(type: str, *products: str, ago: timedelta = timedelta(0), **given: Any) -> Event:
    return make_event(type, products, time=datetime.now(UTC) - ago, **given)


def visit(number: int, *products: str) -> list[Event]:
    who = {"user_id": f"shopper-{number}", "session_id": f"visit-{number}"}
    return [did("purchase", id, **who) for id in products]


def hide(engine: Engine, category: str) -> None:
    rule = {"id": "hidden", "then": {"hide": [{"filters": {"category": category}}]}}
    engine.rules.path.write_text(json.dumps({"rules": [rule]}))


def listing(ids: Sequence[str], because: str = "") -> list[Recommended]:
    return [Recommended(id, 1.0, "scripted", "said so of", because) for id in ids]


Opened = Callable[..., Engine]


@pytest.fixture
def open_with(folder: Path) -> Iterator[Opened]:
    """Opens the small shop with these recommenders, by name, and other settings."""
    engines: list[Engine] = []

    def open_engine(
        recommenders: dict[str, Any] | None = None, fallback: Sequence[str] = (), **changes: Any
    ) -> Engine:
        given = recommenders or {}
        module = ModuleType("scripted")

        @hookimpl
        def register_recommenders(register: Any) -> None:
            for name, recommender in given.items():
                register(name, lambda options, it=recommender: it)

        module.register_recommenders = register_recommenders  # type: ignore[attr-defined]
        settings = small.settings_for(folder)
        if given:
            mixed = tuple(name for name in given if name not in fallback)
            chosen = RecommendationSettings(recommenders=mixed, fallback=tuple(fallback))
            settings = msgspec.structs.replace(settings, recommendations=chosen)
        settings = msgspec.structs.replace(settings, **changes)
        engines.append(opened(settings, module))
        return engines[-1]

    yield open_engine
    for engine in engines:
        engine.close()


def opened(settings: Settings, module: ModuleType) -> Engine:
    def entry(name: str, loaded: Any) -> Any:
        return type("Entry", (), {"name": name, "load": staticmethod(lambda: loaded)})

    with pytest.MonkeyPatch.context() as patch:
        entries = [entry("toys", toys.as_plugin()), entry("scripted", module)]
        patch.setattr(manager_module, "entry_points", lambda group: entries)
        return Engine(settings, PluginManager(settings.plugins))


def ids(answer: RecommendationResponse) -> list[str]:
    return [item.id for item in answer.items]


def for_product(id: str, **given: Any) -> RecommendationRequest:
    return RecommendationRequest(product=id, **given)


def test_what_a_recommender_is_asked(open_with: Opened) -> None:
    one = Scripted(lambda occasion, n: listing(["mug-blue"], "mug-red"))
    engine = open_with({"one": one})
    recorded(
        engine,
        did("view", "lamp-red", session_id="s", ago=HOUR),
        did("purchase", "sofa-red", "gone", session_id="s", ago=2 * HOUR),
        did("view", "gone", session_id="s"),
    )
    answer = engine.recommend(for_product("mug-red", cart=("bag-pink",), user_id="ada"))
    (item,) = answer.items
    assert answer.place == "product"
    assert item.product["title"] == "Blue mug"
    assert item.reasons[0].text == "said so of “Red mug”"
    (occasion,) = one.occasions
    assert (occasion.place, occasion.seeds, occasion.weights.tolist()) == (
        "product",
        ("mug-red",),
        [1.0],
    )
    assert occasion.profile is not None
    assert occasion.profile.bought == ("sofa-red",)
    answer = engine.recommend(RecommendationRequest(cart=("bag-pink", "mug-red", "bag-pink")))
    assert one.occasions[-1].place == answer.place == "cart"
    assert one.occasions[-1].seeds == ("bag-pink", "mug-red")
    assert one.occasions[-1].weights.tolist() == [0.5, 0.5]
    answer = engine.recommend(RecommendationRequest(user_id="ada"))
    assert one.occasions[-1].seeds == ("lamp-red", "sofa-red")
    weights = one.occasions[-1].weights
    assert weights.sum() == pytest.approx(1)
    assert weights[1] > weights[0], "a purchase shows more interest"
    engine.recommend(RecommendationRequest(session_id="nobody"))
    assert (one.occasions[-1].place, one.occasions[-1].seeds) == ("user", ())


def test_what_may_not_be_shown_is_left_out(open_with: Opened) -> None:
    """Whatever a recommender names: seeds, the cart, what was bought, what is hidden or sold out,
    what the filters leave out, what the shop does not have."""
    engine = open_with({"one": Scripted(lambda occasion, n: listing([*ALL, "no such"][:n]))})
    hide(engine, "Home > Lamp")
    recorded(engine, did("purchase", "shoe-green"), did("view", "shoe-blue"))
    request = for_product("mug-red", cart=("mug-blue",), user_id="ada", limit=100)
    found = ids(engine.recommend(request))
    assert found
    assert not {"mug-red", "mug-blue", "shoe-green", "no such"} & set(found)
    assert "shoe-blue" in found, "looked at only"
    assert not [id for id in found if id.startswith("lamp")]
    assert all(small.PRODUCTS[id].in_stock for id in found)
    # Of a shopper's own row, what they looked at just now is left out, too.
    mine = ids(engine.recommend(RecommendationRequest(user_id="ada", limit=100)))
    assert not {"shoe-green", "shoe-blue"} & set(mine)
    red = engine.recommend(msgspec.structs.replace(request, filters={"color": "red"}))
    assert {small.PRODUCTS[id].attributes["color"] for id in ids(red)} == {"red"}


def test_the_built_in_ones_stay_within_it_too(open_with: Opened) -> None:
    engine = open_with()
    hide(engine, "Home > Mug")
    recorded(engine, *(e for n in range(30) for e in visit(n, "mug-red", "mug-blue", "sofa-red")))
    engine.learning.learn()
    for request in (
        for_product("mug-red", limit=100),
        RecommendationRequest(cart=("sofa-red",), limit=100),
        RecommendationRequest(session_id="new", limit=100),
    ):
        answer = engine.recommend(request)
        assert not [id for id in ids(answer) if id.startswith("mug")]
        assert answer.items
        assert answer.degraded == ()


def test_settings_for_what_is_bought_again_and_sold_out(open_with: Opened) -> None:
    settings = RecommendationSettings(
        recommenders=("one",), fallback=(), bought_again=True, in_stock=False
    )
    engine = open_with(
        {"one": Scripted(lambda occasion, n: listing(ALL[:n]))}, recommendations=settings
    )
    recorded(engine, did("purchase", "shoe-green"))
    found = ids(engine.recommend(for_product("mug-red", user_id="ada", limit=100)))
    assert "shoe-green" in found
    assert not all(small.PRODUCTS[id].in_stock for id in found)


def test_the_list_is_mixed_and_filled(open_with: Opened) -> None:
    scripts = {
        "one": Scripted(lambda occasion, n: listing(["mug-blue", "mug-pink"])),
        "two": Scripted(lambda occasion, n: listing(["mug-pink"])),
        "last": Scripted(lambda occasion, n: listing(["mug-blue", "bag-red", "bag-white"])),
    }
    engine = open_with(scripts, fallback=["last"])
    answer = engine.recommend(for_product("mug-red", limit=3))
    assert ids(answer) == ["mug-pink", "mug-blue", "bag-red"]
    assert [reason.recommender for reason in answer.items[0].reasons] == ["two", "one"]
    for item in answer.items:
        assert sum(reason.contribution for reason in item.reasons) == pytest.approx(item.score)
    assert answer.items[2].score == 0
    full = engine.recommend(for_product("mug-red", limit=2))
    assert ids(full) == ["mug-pink", "mug-blue"]
    assert len(scripts["last"].occasions) == 1, "not asked where the list is full"
    alone = engine.recommend(for_product("mug-red", recommenders=("last",)))
    assert ids(alone) == ["mug-blue", "bag-red", "bag-white"]


def test_weights_are_by_place(open_with: Opened) -> None:
    settings = RecommendationSettings(
        recommenders=("one", "two"),
        fallback=(),
        weights={"product": {"one": 0.25}, "cart": {"two": 0.0}},
    )
    scripts = {
        "one": Scripted(lambda occasion, n: listing(["bag-white"])),
        "two": Scripted(lambda occasion, n: listing(["bag-red"])),
    }
    engine = open_with(scripts, recommendations=settings)
    assert ids(engine.recommend(for_product("mug-red"))) == ["bag-red", "bag-white"]
    assert ids(engine.recommend(RecommendationRequest(cart=("mug-red",)))) == ["bag-white"]


def test_families_are_shown_once(open_with: Opened) -> None:
    """Shoes whose number is a multiple of four are one family."""
    profiles = {"default": ProfileSettings(group_by="group_id")}
    everything = Scripted(lambda occasion, n: listing(ALL))
    engine = open_with({"one": everything}, profiles=profiles)
    found = ids(engine.recommend(for_product("mug-red", limit=100)))
    families = [small.PRODUCTS[id].group_id for id in found if small.PRODUCTS[id].group_id]
    assert families
    assert len(set(families)) == len(families)
    assert small.PRODUCTS["mug-red"].group_id not in families


def _raise(occasion: Occasion, n: int) -> Any:
    raise LookupError("no list today")


BAD: dict[str, tuple[Callable[[Occasion, int], Any], str]] = {
    "raises": (_raise, "LookupError: no list today"),
    "exits": (lambda o, n: (_ for _ in ()).throw(SystemExit(3)), "SystemExit"),
    "nothing": (lambda o, n: None, "must return a list"),
    "ids": (lambda o, n: ["mug-blue"], "must return a list of Recommended"),
    "twice": (lambda o, n: listing(["mug-blue", "mug-blue"]), "twice"),
    "many": (lambda o, n: listing([f"p{i}" for i in range(n + 1)]), "asked for"),
    "not finite": (
        lambda o, n: [Recommended("mug-blue", float("nan"), "kind", "text")],
        "not finite",
    ),
    "no text": (lambda o, n: [Recommended("mug-blue", 1.0, "kind", 7)], "Expected `str`"),  # type: ignore[arg-type]
}


def test_the_others_answer_where_one_fails(open_with: Opened) -> None:
    good = Scripted(lambda occasion, n: listing(["mug-pink"]))
    bad = {name: Scripted(answer) for name, (answer, _) in BAD.items()}
    engine = open_with({**bad, "good": good})
    found = engine.recommend(for_product("mug-red"))
    assert ids(found) == ["mug-pink"]
    assert [each.component for each in found.degraded] == list(BAD)
    for degraded in found.degraded:
        assert BAD[degraded.component][1] in degraded.reason


def test_one_that_hangs_is_left_behind(open_with: Opened) -> None:
    release = threading.Event()
    late: list[Any] = []

    def hang(occasion: Occasion, n: int) -> list[Recommended]:
        release.wait()
        try:
            late.append(occasion.assortment.browse(1))
        except Exception as error:
            late.append(str(error))
            done.set()
        return []

    done = threading.Event()
    good = Scripted(lambda occasion, n: listing(["mug-pink"]))
    limits = {"bad": LimitSettings(deadline_ms=1)}
    plugins = PluginSettings(deadline_ms=60_000, limits=limits)
    engine = open_with({"bad": Scripted(hang), "good": good}, plugins=plugins)
    try:
        found = engine.recommend(for_product("mug-red"))
        assert ids(found) == ["mug-pink"]
        assert "deadline" in found.degraded[0].reason
        (status,) = [each for each in engine.components() if each.name == "bad"]
        assert (status.kind, status.breaker) == ("recommenders", "open")
    finally:
        release.set()
    assert done.wait(30), "what it asks when the answer is out does not reach the store"
    assert "has been answered" in late[0]


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "product"),
        ({"product": ""}, "product"),
        ({"product": "x" * 1_000_000}, "product"),
        ({"cart": ("x" * 1_000_000,)}, "cart"),
        ({"cart": ("mug-red",) * 51}, "cart"),
        ({"user_id": "x" * 1_000_000}, "user_id"),
        ({"session_id": ""}, "session_id"),
        ({"product": "mug-red", "limit": 101}, "limit"),
        ({"product": "mug-red", "limit": -1}, "limit"),
        ({"product": "mug-red", "recommenders": ("magic",)}, "recommenders"),
        ({"product": "mug-red", "recommenders": ()}, "recommenders"),
        ({"product": "mug-red", "profile": "no such"}, "profile"),
        ({"product": "mug-red", "filters": {"colour": "red"}}, "filters.colour"),
    ],
)
def test_bad_requests(shop: Engine, given: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        shop.recommend(RecommendationRequest(**given))
    assert caught.value.field == field
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("given", [{"product": "nope"}, {"product": "mug-red", "cart": ("nope",)}])
def test_unknown_products(shop: Engine, given: dict[str, Any]) -> None:
    with pytest.raises(NotFound, match="no product 'nope'") as caught:
        shop.recommend(RecommendationRequest(**given))
    assert caught.value.field == ("cart" if "cart" in given else "product")


def test_a_shop_that_recommends_nothing(open_with: Opened) -> None:
    engine = open_with(recommendations=RecommendationSettings(recommenders=(), fallback=()))
    with pytest.raises(NotFound, match=r"recommendations\.recommenders"):
        engine.recommend(for_product("mug-red"))


@pytest.mark.parametrize("isolation", ["none", "process"])
def test_recommenders_run_on_threads_alone(open_with: Opened, isolation: Any) -> None:
    plugins = PluginSettings(limits={"content": LimitSettings(isolation=isolation)})
    with pytest.raises(InvalidSettings, match="recommenders ask the store"):
        open_with(plugins=plugins)


def test_without_events(open_with: Opened) -> None:
    engine = open_with(events=EventSettings(plugin=""))
    assert ids(engine.recommend(for_product("mug-red", limit=3)))
    assert engine.recommend(RecommendationRequest(user_id="ada")).items
    with pytest.raises(NotFound):
        engine.learning.learn()


def test_the_first_request_starts_the_learning(open_with: Opened) -> None:
    one = Scripted(lambda occasion, n: [])
    engine = open_with({"one": one})
    recorded(engine, did("view", "mug-red"))
    assert not one.learned.is_set(), "a shop that asks for nothing reads nothing"
    engine.recommend(for_product("mug-red"))
    assert one.learned.wait(30)
    assert one.seen[0].products == ("mug-red",)


def test_one_that_cannot_learn_does_not_stop_the_others(
    open_with: Opened, caplog: pytest.LogCaptureFixture
) -> None:
    bad, good = Scripted(lambda o, n: []), Scripted(lambda o, n: [])
    bad.learn = _raise  # type: ignore[assignment, method-assign]
    engine = open_with({"bad": bad, "good": good})
    engine.learning.learn()
    assert len(good.seen) == 1
    assert "'bad' does not learn" in caplog.text


def test_one_that_is_switched_off_forgets_as_well(open_with: Opened) -> None:
    """Or it would know who was erased meanwhile when it is switched on again."""
    one = Scripted(lambda o, n: [])
    engine = open_with({"one": one, "two": Scripted(lambda o, n: [])})
    recorded(engine, *visit(1, "mug-red"))
    engine.learning.learn()
    engine.disable("recommenders", "one")
    engine.erase_user("shopper-1")
    engine.learning.learn()
    assert [seen.products for seen in one.seen] == [("mug-red",), ()]


def test_what_is_erased_is_forgotten(open_with: Opened, folder: Path) -> None:
    engine = open_with()
    recorded(engine, *(e for n in range(2) for e in visit(n, "mug-red", "sofa-green")))
    recorded(engine, *(e for n in range(20, 40) for e in visit(n, "bag-red", "lamp-blue")))
    engine.learning.learn()
    both = engine.recommend(for_product("mug-red", limit=1))
    assert both.items[0].reasons[0].kind in ("bought_together", "viewed_together")
    engine.erase_user("shopper-0")
    engine.learning.learn()
    after = engine.recommend(for_product("mug-red", limit=1))
    assert {reason.kind for reason in after.items[0].reasons} <= {"similar", "looks_like"}
    traces = [p for p in folder.rglob("*") if p.is_file() and b"shopper-0" in p.read_bytes()]
    assert traces == []


def test_the_page_has_the_default_weights() -> None:
    page = Path(__file__).parents[2] / "docs" / "recommendations.md"
    lines = page.read_text(encoding="utf-8").splitlines()
    head = next(line for line in lines if line.startswith("| | bought together"))
    names = [cell.strip().replace(" ", "_") for cell in head.strip("| ").split("|")]
    settings = RecommendationSettings()
    assert tuple(names) == settings.recommenders
    places: tuple[Place, ...] = ("product", "cart", "user")
    for place in places:
        row = next(line for line in lines if line.startswith(f"| `{place}` |"))
        shown = [float(cell) for cell in row.split("|")[2:-1]]
        assert shown == [settings.weight(place, name) for name in names]
