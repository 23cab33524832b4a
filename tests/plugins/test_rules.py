"""Which searches a rule is for, and the contracts of processor and ranker."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import AppliedRule, Boost, QueryPlan, Rule, RuleSet, ShopView
from engine.testing import QueryProcessorContract, RankerContract, make_batch
from engine.testing.query_processor_contract import a_shop
from plugins.rule_matching import words_in
from plugins.rules import ApplyRules, RuleBoosts


def rule(name: str = "r", *, priority: int = 0, **when: Any) -> Rule:
    given = {"id": name, "when": when, "then": {"pins": {name: 1}}, "priority": priority}
    return msgspec.convert(given, Rule)


def shop_with(*rules: Rule) -> ShopView:
    return msgspec.structs.replace(a_shop(), rules=RuleSet(rules))


def matching(plan: QueryPlan, *rules: Rule) -> list[str]:
    return [r.id for r in ApplyRules().process(plan, shop_with(*rules)).rules]


def matches(rule: Rule, text: str = "", **asked: Any) -> bool:
    plan = QueryPlan(original=text, text=asked.pop("read_as", text), **asked)
    return matching(plan, rule) == [rule.id]


class TestProcessor(QueryProcessorContract):
    @pytest.fixture
    def processor(self) -> ApplyRules:
        return ApplyRules()


class TestRanker(RankerContract):
    @pytest.fixture
    def ranker(self) -> RuleBoosts:
        return RuleBoosts()


@pytest.mark.parametrize(
    ("query", "text", "wanted"),
    [
        ({"exact": "red shoes"}, "Red  SHOES!", True),
        ({"exact": "red shoes"}, "red shoes cheap", False),
        ({"exact": ["boots", "red shoes"]}, "red shoes", True),
        ({"exact": "café crème"}, "CAFE CREME", True),
        ({"exact": "women's bags"}, "womens bags", True),
        ({"phrase": "red shoes"}, "cheap red shoes 42", True),
        ({"phrase": "red shoes"}, "red running shoes", False),
        ({"phrase": "shoe"}, "shoehorn", False),
        ({"phrase": "501"}, "levi's 501 jeans", True),
        ({"words": "shoes red"}, "red running shoes", True),
        ({"words": ["sofa", "couch"]}, "a big couch", True),
        ({"words": "shoes red"}, "red boots", False),
        ({"exact": "x", "words": "red"}, "red boots", True),
        ({"phrase": "登山靴"}, "防水登山靴", True),
        ({"phrase": "登山靴"}, "登山", False),
        ({"phrase": "Größe"}, "grosse schuhe", True),
        ({"phrase": "Groesse"}, "Größe", False),
        ({"phrase": "Größe"}, "GRÖSSE 42", True),
        ({"words": "red"}, "", False),
    ],
)
def test_words(query: dict[str, Any], text: str, wanted: bool) -> None:
    assert matches(rule(query=query), text) is wanted


def test_words_as_understood_count_too() -> None:
    assert matches(rule(query={"exact": "red shoes"}), "red shoees", read_as="red shoes")
    assert matches(rule(query={"exact": "red shoees"}), "red shoees", read_as="red shoes")


@given(st.text(max_size=30))
def test_a_text_matches_itself(text: str) -> None:
    words = words_in(text)
    assert words_in(text.upper().casefold()) == words_in(text.casefold())
    if any(c.isalnum() for c in text) and words:
        for kind in ("exact", "phrase", "words"):
            assert matches(rule(query={kind: text}), text)


@pytest.mark.parametrize(
    ("when", "asked", "wanted"),
    [
        ({}, {}, True),
        ({"locale": "es"}, {"locale": "es-MX"}, True),
        ({"locale": "es"}, {"locale": "est"}, False),
        ({"locale": "es"}, {}, False),
        ({"locale": ["pt_BR", "es"]}, {"locale": "pt-br"}, True),
        ({"market": ["MX", "AR"]}, {"market": "mx"}, True),
        ({"market": "mx"}, {}, False),
        ({"category": "Shoes"}, {"selected": {"category": "Shoes > Boots"}}, True),
        ({"category": "Shoes > Boots"}, {"selected": {"category": "Shoes"}}, False),
        ({"category": "Shoe"}, {"selected": {"category": "Shoes"}}, False),
        ({"category": "Shoes"}, {"selected": {"category": ["Bags", "Shoes"]}}, True),
        ({"category": "Shoes"}, {"selected": {"category": {"not": "Shoes"}}}, False),
        ({"filters": {"brand": "Nike"}}, {"selected": {"brand": ["Nike", "Acme"]}}, True),
        ({"filters": {"brand": ["Nike", "Acme"]}}, {"selected": {"brand": "Acme"}}, True),
        ({"filters": {"brand": "Nike"}}, {"selected": {"price": {"lt": 9}}}, False),
        ({"filters": {"price": 9}}, {"selected": {"price": 9.0}}, True),
        ({"filters": {"brand": "Nike", "in_stock": True}}, {"selected": {"brand": "Nike"}}, False),
    ],
)
def test_conditions(when: dict[str, Any], asked: dict[str, Any], wanted: bool) -> None:
    assert matches(rule(**when), "any words", **asked) is wanted
    assert matches(rule(query={"words": "any"}, **when), "any words", **asked) is wanted
    assert not matches(rule(query={"words": "other"}, **when), "any words", **asked)


def test_a_rule_that_is_not_enabled_does_nothing() -> None:
    off = msgspec.structs.replace(rule(), enabled=False)
    assert not matches(off)
    plan = ApplyRules().process(QueryPlan(at=datetime.now(UTC)), shop_with(off))
    assert plan.rules == (AppliedRule("r", skipped="it is not enabled"),)


def test_a_rule_holds_from_its_first_moment_to_just_before_its_last() -> None:
    first, last = datetime(2027, 3, 1, tzinfo=UTC), datetime(2027, 4, 1, tzinfo=UTC)
    spring = msgspec.structs.replace(rule(), starts=first, until=last)
    moment = timedelta(microseconds=1)
    times = {first - moment: False, first: True, last - moment: True, last: False}
    for at, wanted in times.items():
        (told,) = ApplyRules().process(QueryPlan(at=at), shop_with(spring)).rules
        assert (told.skipped == "") is wanted


def test_the_stronger_rule_comes_first() -> None:
    """Priority, then the closer hold on the words, then more conditions, then the id."""
    rules = [
        rule("first", priority=1),
        rule("exact", query={"exact": "red shoes"}),
        rule("phrase-es", query={"phrase": "red"}, locale="es"),
        rule("phrase", query={"phrase": "red"}),
        rule("words", query={"words": "red"}),
        rule("es", locale="es"),
        rule("a"),
        rule("b"),
        rule("last", priority=-1, query={"exact": "red shoes"}),
    ]
    plan = QueryPlan(original="red shoes", text="red shoes", locale="es")
    assert matching(plan, *reversed(rules)) == [r.id for r in rules]


def test_rules_of_other_processors_stay() -> None:
    plan = QueryPlan(rules=(AppliedRule("theirs", {"x": 1}),))
    assert matching(plan, rule("ours")) == ["theirs", "ours"]


def test_new_rules_are_taken_up() -> None:
    processor, plan = ApplyRules(), QueryPlan()
    view = shop_with(rule("a"))
    for name in ("b", "c"):
        assert [r.id for r in processor.process(plan, view).rules] != [name]
        view = msgspec.structs.replace(view, rules=RuleSet((rule(name),)))
        assert [r.id for r in processor.process(plan, view).rules] == [name]
    assert processor.process(plan, shop_with()) is plan


def test_a_thousand_rules_are_found_by_their_words() -> None:
    """Compared one by one they would be ten times as slow: counted, not timed."""
    rules = [rule(f"r{n}", query={"phrase": f"word{n} shoes"}) for n in range(1000)]
    processor, view = ApplyRules(), shop_with(*rules)
    matchers = processor._matchers(view)
    looked_at = {place for word in ("word7", "shoes") for place in matchers._by_word.get(word, ())}
    assert len(looked_at) == 1
    plan = QueryPlan(original="word7 shoes", text="word7 shoes")
    assert [r.id for r in processor.process(plan, view).rules] == ["r7"]


def test_scores_are_multiplied_and_bounded() -> None:
    boosts = (Boost({"brand": "Acme"}, (), 3.0), Boost({}, ("p0001",), 0.5))
    plan = QueryPlan(rules=(AppliedRule("a", boosts=boosts), AppliedRule("b", boosts=boosts[:1])))
    batch = make_batch(4, {"brand": ["Acme", "Acme", "Bolt", None]})
    batch = msgspec.structs.replace(batch, plan=plan)
    ranker = RuleBoosts()
    expected = batch.scores * np.asarray([9, 4.5, 1, 1], np.float32)
    np.testing.assert_allclose(ranker.rank(batch), expected, rtol=1e-6)
    told = ranker.explain(batch, np.asarray([1, 3]))
    assert list(told[0]) == ["a", "b"]
    assert told[1] == {}
    many = QueryPlan(rules=(AppliedRule("a", boosts=(Boost({}, ("p0000",), 100.0),) * 40),))
    scores = ranker.rank(msgspec.structs.replace(batch, plan=many))
    assert np.isfinite(scores).all()
    assert scores[0] == pytest.approx(batch.scores[0] * 1e4)
