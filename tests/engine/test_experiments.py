"""Experiments: who meets which profile, how two are mixed, and what the events say of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from engine import (
    Engine,
    Event,
    EventProduct,
    Hit,
    InvalidRequest,
    InvalidSettings,
    Query,
    SearchRequest,
    SortBy,
)
from engine.evaluation.experiment import analyse
from engine.experiments import arm_of, team_draft
from engine.settings import ExperimentSettings, Settings

from . import shop as small
from .conftest import copy_shop
from .shop import ids, open_engine

SPLIT = ExperimentSettings({"words": 0.75, "bare": 0.25})
MIXED = ExperimentSettings({"words": 1, "bare": 1}, "interleave")
NOW = datetime(2026, 3, 1, tzinfo=UTC)
ASKED = SearchRequest(Query("red mug"), profile="trial", limit=5)


def running(settings: Settings, experiment: ExperimentSettings) -> Settings:
    return msgspec.structs.replace(settings, experiments={"trial": experiment})


@pytest.fixture(params=[SPLIT, MIXED], ids=["split", "interleave"])
def engine(
    request: pytest.FixtureRequest, built: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    folder = copy_shop(built, tmp_path_factory.mktemp("trying") / "shop")
    with open_engine(running(small.settings_for(folder), request.param)) as opened:
        yield opened


# Who meets which


def test_assignment_is_even_and_stable() -> None:
    shoppers = [f"user-{n}" for n in range(8000)]
    arms = Counter(arm_of("trial", SPLIT, shopper) for shopper in shoppers)
    assert arms["words"] == pytest.approx(6000, abs=200)
    assert arm_of("trial", SPLIT, "ada") == arm_of("trial", SPLIT, "ada")
    other = [arm_of("other", SPLIT, shopper) for shopper in shoppers]
    both = sum(a == arm_of("trial", SPLIT, s) for a, s in zip(other, shoppers, strict=True))
    assert both == pytest.approx(8000 * (0.75**2 + 0.25**2), abs=250), "experiments are independent"


def test_a_search_says_its_arm(engine: Engine) -> None:
    for shopper in ("ada", "ben", "cy", "dee"):
        asked = msgspec.structs.replace(ASKED, user_id=shopper)
        answer = engine.search(asked)
        assert answer == msgspec.structs.replace(
            engine.search(asked),
            took_ms=answer.took_ms,
            timings=answer.timings,
            plan=answer.plan,
        ), "the same shopper meets the same"
        if engine.settings.experiments["trial"].method == "split":
            profile = arm_of("trial", SPLIT, shopper)
            plain = engine.search(msgspec.structs.replace(asked, profile=profile))
            assert (answer.arm, ids(answer.hits)) == (f"trial:{profile}", ids(plain.hits))
            assert {hit.arm for hit in answer.hits} == {""}
        else:
            assert answer.arm == "trial"
            assert {hit.arm for hit in answer.hits} == {"trial:words", "trial:bare"}


def test_without_a_shopper_nobody_takes_part(engine: Engine) -> None:
    plain = engine.search(msgspec.structs.replace(ASKED, profile="words"))
    answer = engine.search(ASKED)
    assert (answer.arm, ids(answer.hits)) == ("", ids(plain.hits))


def test_plans_and_windows_are_those_of_the_profile_met(engine: Engine) -> None:
    assert engine.plan(ASKED)[0].text == "red mug"
    assert engine.understand("red mug", profile="trial")[0].text == "red mug"
    mixed = engine.settings.experiments["trial"].method == "interleave"
    for shopper in ("ada", "ben", "cy", "dee"):
        asked = msgspec.structs.replace(ASKED, user_id=shopper)
        profile = "words" if mixed else arm_of("trial", SPLIT, shopper)
        assert engine.window(asked).request.profile == profile


def test_pages_neither_overlap_nor_skip(engine: Engine) -> None:
    asked = msgspec.structs.replace(ASKED, session_id="s1")
    whole = engine.search(msgspec.structs.replace(asked, limit=12)).hits
    pages = [
        hit
        for offset in (0, 5, 10)
        for hit in engine.search(msgspec.structs.replace(asked, offset=offset)).hits
    ]
    assert [(hit.id, hit.arm) for hit in pages[:12]] == [(hit.id, hit.arm) for hit in whole]


@pytest.mark.parametrize(
    ("wrong", "field"),
    [({"offset": -3}, "offset"), ({"limit": -1}, "limit"), ({"offset": 999}, "offset")],
)
def test_pages_are_checked_as_elsewhere(engine: Engine, wrong: dict[str, Any], field: str) -> None:
    asked = msgspec.structs.replace(ASKED, user_id="ada", **wrong)
    with pytest.raises(InvalidRequest) as refused:
        engine.search(asked)
    assert refused.value.field == field


def test_sorted_results_are_not_mixed(engine: Engine) -> None:
    asked = msgspec.structs.replace(ASKED, user_id="ada", sort=SortBy("price"))
    prices = [hit.product["price"] for hit in engine.search(asked).hits]
    assert prices == sorted(prices)


@pytest.mark.parametrize(
    ("name", "experiment", "said"),
    [
        ("default", SPLIT, "already"),
        ("trial", ExperimentSettings({"words": 1, "wrods": 1}), "wrods"),
        ("trial", ExperimentSettings({"words": 1}), "two or more"),
        ("tri:al", SPLIT, "names of experiments"),
        (
            "trial",
            ExperimentSettings({"words": 1, "bare": 1, "default": 1}, "interleave"),
            "not more",
        ),
    ],
)
def test_what_cannot_be_run_stops_the_start(
    name: str, experiment: ExperimentSettings, said: str, tmp_path: Path
) -> None:
    settings = small.settings_for(tmp_path)
    wrong = msgspec.structs.replace(settings, experiments={name: experiment})
    with pytest.raises(InvalidSettings, match=said):
        open_engine(wrong)


# Interleaving


def hits(*names: str) -> list[Hit]:
    return [Hit(name, 1.0, {}) for name in names]


def test_team_draft_is_fair() -> None:
    a, b = hits("1", "2", "3", "4"), hits("2", "1", "5", "3")
    firsts: Counter[str] = Counter()
    for n in range(400):
        mixed = list(team_draft({"a": a, "b": b}, str(n)))
        assert sorted(hit.id for _, hit in mixed) == ["1", "2", "3", "4", "5"]
        teams = [team for team, _ in mixed]
        for even in (2, 4):
            assert teams[:even].count("a") == even // 2, "one each in every round"
        firsts[teams[0]] += 1
        assert mixed[0][1].id == {"a": "1", "b": "2"}[teams[0]]
    assert 150 < firsts["a"] < 250
    assert [hit.id for _, hit in team_draft({"a": hits("1"), "b": hits()}, "")] == ["1"]


# What came of it


def events(arms: dict[str, float], shoppers: int, seed: int = 0, **more: Any) -> list[Event]:
    """Two searches of each shopper, of which this share gets a click at place 2."""
    rng = np.random.default_rng(seed)
    found: list[Event] = []
    shown = (EventProduct("p1", 1), EventProduct("p2", 2))
    for n, (arm, share) in ((n, pair) for n in range(shoppers) for pair in arms.items()):
        user = f"{arm}-{n}"
        for search in range(2):
            given: dict[str, Any] = {"time": NOW, "user_id": user, "variant": f"trial:{arm}"}
            given |= {"query": "mug", "search_id": f"{user}-{search}"}
            slow: dict[str, Any] = {"took_ms": 10.0 if arm == "words" else 15.0}
            slow["results"] = int(n % 10 != 0)
            id = f"{user}-{search}"
            found.append(Event(f"i-{id}", "impression", products=shown, **slow, **given, **more))
            if rng.random() < share:
                found.append(Event(f"c-{id}", "click", products=(EventProduct("p2"),), **given))
    return found


def test_a_report_of_a_split() -> None:
    report = analyse([events({"words": 0.3, "bare": 0.6}, 300)], "trial", SPLIT, at_least=10)
    words, bare = report.arms
    assert (words.shoppers, words.searches) == (300, 600)
    ctr = bare.figures["CTR@10"]
    assert ctr.value == pytest.approx(0.6, abs=0.06)
    assert ctr.low < ctr.value < ctr.high
    assert ctr.change is not None
    change, low, high = ctr.change
    assert change == pytest.approx(0.3, abs=0.08)
    assert 0 < low < change < high
    assert bare.figures["MRR of clicks"].value == pytest.approx(ctr.value / 2)
    assert words.figures["zero results"].value == pytest.approx(0.1)
    assert bare.figures["latency ms"].change == pytest.approx((5.0, 5.0, 5.0))
    assert "do not trust" in report.warnings[0], "300 to 300 is not 3 to 1"
    assert words.figures["CTR@10"].change is None


def test_few_shoppers_are_not_shown() -> None:
    few = [*events({"words": 0.5}, 30), *events({"bare": 0.5}, 4)]
    report = analyse([few], "trial", SPLIT, at_least=10)
    assert (report.arms[1].shoppers, report.arms[1].figures) == (0, {})
    assert "fewer than 10" in report.warnings[0]


def test_other_events_do_not_count() -> None:
    mine, others = events({"words": 0.5, "bare": 0.5}, 20), events({"words": 1.0, "bare": 1.0}, 20)
    others = [msgspec.structs.replace(e, variant=e.variant.replace("trial", "tri")) for e in others]
    unassigned = [msgspec.structs.replace(e, id=f"x{e.id}", variant="") for e in mine]
    report = analyse([mine], "trial", SPLIT, 10)
    assert analyse([others, mine, unassigned], "trial", SPLIT, 10) == report


def test_clicks_without_search_ids_join_by_words() -> None:
    plain = [msgspec.structs.replace(e, search_id="") for e in events({"words": 1.0}, 20)]
    report = analyse([plain], "trial", SPLIT, 10)
    assert report.arms[0].figures["CTR@10"].value == 1.0


def test_a_search_made_again_is_another_one() -> None:
    given: dict[str, Any] = {"time": NOW, "user_id": "ada", "variant": "trial:words"}
    given["query"] = "mug"
    product = (EventProduct("p1", 1),)
    found = [
        Event("i1", "impression", products=product, **given),
        Event("c1", "click", products=product, **given),
        Event("i2", "impression", products=product, **given),
    ]
    words, _ = analyse([found], "trial", SPLIT, at_least=1).arms
    assert (words.searches, words.figures["CTR@10"].value) == (2, 0.5)


@pytest.mark.parametrize("ids", [("s1", "s2"), ("s1", "s1"), ("", "")])
def test_a_second_page_is_the_same_search(ids: tuple[str, str]) -> None:
    given: dict[str, Any] = {"time": NOW, "user_id": "ada", "variant": "trial:words"}
    given["query"] = "mug"
    first, second = (EventProduct("p1", 1),), (EventProduct("p11", 11),)
    shown: dict[str, Any] = {"took_ms": 10.0, "results": 12}
    found = [
        Event("i1", "impression", products=first, search_id=ids[0], **shown, **given),
        Event("c1", "click", products=first, search_id=ids[0], **given),
        Event("i2", "impression", products=second, search_id=ids[1], **shown, **given),
        Event("c2", "click", products=(EventProduct("p11"),), search_id=ids[1], **given),
    ]
    words, _ = analyse([found], "trial", SPLIT, at_least=1).arms
    assert (words.searches, words.figures["CTR@10"].value) == (1, 1.0)
    assert words.figures["MRR of clicks"].value == 1.0


def test_clicking_one_product_again_wins_nothing_more() -> None:
    given: dict[str, Any] = {"time": NOW, "session_id": "s", "search_id": "s"}
    found = [Event("i", "impression", variant="trial", **given)]
    for id, team, product in (("1", "bare", "p1"), ("2", "bare", "p1"), ("3", "words", "p2")):
        clicked = (EventProduct(product),)
        found.append(Event(id, "click", products=clicked, variant=f"trial:{team}", **given))
    preference = analyse([found], "trial", MIXED, at_least=1).preference
    assert preference is not None
    assert preference.value == 0, "a tie"


def test_a_report_of_interleaving() -> None:
    found = []
    for n in range(60):
        given: dict[str, Any] = {"time": NOW, "session_id": f"s{n}", "search_id": f"s{n}"}
        found.append(Event(f"i{n}", "impression", variant="trial", **given))
        team = "bare" if n % 3 else "words"
        product = (EventProduct("p1", 1),)
        found.append(Event(f"c{n}", "click", products=product, variant=f"trial:{team}", **given))
    report = analyse([found], "trial", MIXED, at_least=10)
    assert report.preference is not None
    assert report.preference.value == pytest.approx(2 / 3 - 1 / 2)
    assert 0 < report.preference.low < report.preference.high
    assert report.preference.clicked_searches == 60
    few = analyse([found[:10]], "trial", MIXED, at_least=10)
    assert few.preference is None
    assert "fewer than 10" in few.warnings[0]
