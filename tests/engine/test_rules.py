"""What a rule may be, and what a mistake in the file is told."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import FieldKind, IndexSchema, InvalidRules, Rule, unfit
from engine.book import MAX_TOLD
from engine.rules import MAX_PINS, RULES

SCHEMA = IndexSchema({"color": FieldKind.KEYWORD, "margin": FieldKind.NUMBER})
WHOLE = {
    "id": "spring",
    "when": {
        "query": {"phrase": ["bag", "purse"], "exact": "handbag", "words": ["leather"]},
        "category": "Wear > Bags",
        "locale": ["es", "pt-BR"],
        "market": "mx",
        "filters": {"color": ["red", "blue"], "margin": 3},
    },
    "from": "2027-03-01T00:00:00-06:00",
    "until": "2027-04-01T00:00:00-06:00",
    "then": {
        "pins": {"bag-7": 1, "bag-9": 2},
        "boost": [{"filters": {"color": "red"}, "factor": 1.5}],
        "bury": [{"filters": {"margin": {"lt": 0.1}}}, {"ids": ["bag-1"], "factor": 0.1}],
        "hide": [{"filters": {"color": {"not": ["red", "blue"]}, "in_stock": False}}],
    },
    "priority": 10,
    "enabled": False,
    "note": "Spring campaign",
}
WORKS = {"hide": [{"ids": ["x"]}]}


def rule(**changes: Any) -> dict[str, Any]:
    return {"id": "r", "then": WORKS, **changes}


def decode(*rules: Any) -> tuple[Rule, ...]:
    return RULES.decode(json.dumps({"rules": rules}).encode())


def test_a_rule_survives_the_file() -> None:
    (read,) = decode(WHOLE)
    assert RULES.decode(RULES.encode([read])) == (read,)
    assert read.starts is not None
    assert read.starts.isoformat() == WHOLE["from"]
    assert [b.factor for b in read.then.boosts()] == [1.5, 0.5, 0.1]
    assert unfit(read, SCHEMA) == ""


def test_the_file_is_laid_out_for_people_and_says_only_what_was_said() -> None:
    text = RULES.encode(decode(rule(note="why"))).decode()
    assert json.loads(text) == {"rules": [rule(note="why")]}
    assert text.startswith('{\n  "rules": [\n    {\n      "id": "r",\n')
    assert text.endswith("\n}\n")


@given(st.lists(st.integers(0, 9), unique=True), st.randoms())
def test_an_etag_changes_with_the_rule_alone(priorities: list[int], random: Any) -> None:
    rules = decode(*(rule(id=f"r{n}", priority=n) for n in priorities))
    assert len({r.etag for r in rules}) == len(rules)
    turned = list(rules)
    random.shuffle(turned)
    assert {r.id: r.etag for r in RULES.decode(RULES.encode(turned))} == {
        r.id: r.etag for r in rules
    }


@pytest.mark.parametrize("data", [b"", b"{}", b'{"rules": []}'])
def test_no_rules(data: bytes) -> None:
    if data:
        assert RULES.decode(data) == ()
    else:
        with pytest.raises(InvalidRules, match="not JSON: line 1"):
            RULES.decode(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"rules": [\n  {"id": "a",}\n]}', "not JSON: line 2, column 14: "),
        (b'{"rules": [\xff]}', "not JSON"),
        (b"[]", r'Expected `object`, got `array`; the file is \{"rules": '),
        (b'{"rule": []}', "unknown field `rule`"),
    ],
)
def test_a_broken_file_is_told_where(data: bytes, message: str) -> None:
    with pytest.raises(InvalidRules, match=message):
        RULES.decode(data)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (rule(wen={}), "rule 'r': Object contains unknown field `wen`"),
        (rule(when={"querry": 1}), "rule 'r': when: Object contains unknown field `querry`"),
        ({"then": WORKS}, "rule number 1: Object missing required field `id`"),
        (7, "rule number 1: Expected `object`"),
        (rule(id="no/slash"), "rule 'no/slash': id: Expected `str` matching"),
        (rule(id="test"), "id: 'test' is the name of the dry run"),
        (rule(then={}), "then: give pins, boost, bury or hide"),
        (rule(then={"hide": [{}]}), r"then: hide\[0\]: selects nothing; give filters or ids"),
        (
            rule(then={"boost": [{"ids": ["a"], "factor": 1}]}),
            r"boost\[0\].factor: Expected .* > 1",
        ),
        (rule(then={"bury": [{"ids": ["a"], "factor": 2}]}), r"bury\[0\].factor: Expected .* < 1"),
        (rule(then={"pins": {"a": 0}}), "pins: 'a': place 0 is outside 1…1000"),
        (rule(then={"pins": {"a": 1, "b": 1}}), "two products on one place"),
        (rule(then={"pins": {str(n): n + 1 for n in range(MAX_PINS + 1)}}), "101 products"),
        (rule(when={"query": {}}), "when.query: give words as exact, phrase or words"),
        (rule(when={"query": {"phrase": ["bag", " ?"]}}), "none may be blank"),
        ({**rule(), "from": "2027-03-01T00:00:00"}, "from: Expected `datetime` with a timezone"),
        ({**rule(), "until": "soon"}, "until: Invalid RFC3339"),
        (
            {**rule(), "from": "2027-03-01T00:00:00Z", "until": "2027-03-01T00:00:00+00:00"},
            "until: is not after from",
        ),
    ],
)
def test_a_wrong_rule_is_told_by_name_field_and_remedy(wrong: Any, message: str) -> None:
    with pytest.raises(InvalidRules, match=message):
        decode(wrong)


def test_all_wrong_rules_are_told_at_once() -> None:
    with pytest.raises(InvalidRules) as caught:
        decode(rule(id="a", then={}), rule(), rule(), rule(id="b", note=1))
    told = str(caught.value).split("; ")
    assert [text.split(":")[0] for text in told] == [
        "rule 'a'",
        "rule 'r'",
        "rename one",
        "rule 'b'",
    ]
    with pytest.raises(InvalidRules, match=f"and {MAX_TOLD} more$"):
        decode(*(rule(id=f"r{n}", then={}) for n in range(2 * MAX_TOLD)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"when": {"filters": {"colour": "red"}}}, "when.filters: unknown field 'colour'; did you"),
        ({"then": {"hide": [{"filters": {"color": 3}}]}}, r"then.hide\[0\].filters.color: "),
        ({"then": {"boost": [{"ids": ["a"]}, {"filters": {"size": 1}}]}}, r"then.boost\[1\].filt"),
    ],
)
def test_a_rule_that_does_not_fit_the_shop_is_told(changes: Any, message: str) -> None:
    wrong = msgspec.convert(rule(**changes), Rule)
    assert unfit(wrong, SCHEMA).startswith(message.replace("\\", ""))


def test_the_examples_of_the_documentation_work() -> None:
    page = (Path(__file__).parents[2] / "docs" / "rules.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"^```json\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    read = RULES.decode(example.encode())
    assert [unfit(rule, SCHEMA) for rule in read] == ["", ""]
    bodies = [json.loads(body) for body in re.findall(r"-d '(.*?)'", page, re.DOTALL)]
    tried, put = bodies
    assert msgspec.convert(put, Rule).id == "house-brand"
    assert set(tried) == {"text", "market", "at"}
