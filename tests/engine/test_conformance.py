"""Each clause of the contracts notices who breaks it; and good components break none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import PluginManager, QueryPlan, Span, conformance
from engine.conformance import ContractAdvice, ContractBroken, Finding, Windows, make_batch
from engine.schema import FieldKind
from engine.settings import PluginSettings
from engine.testing import RankerContract
from tests.engine import broken_plugins as broken
from tests.engine.broken_plugins import Broken


def found(kind: str, component: Any) -> dict[str, Finding]:
    return {finding.clause: finding for finding in conformance.examine(kind, component)}


def cases(kind: str, table: dict[str, list[Any]]) -> list[Any]:
    return [
        pytest.param(kind, clause, component, id=f"{kind}-{clause}-{i}")
        for clause, components in table.items()
        for i, component in enumerate(components)
    ]


@pytest.mark.parametrize(
    ("kind", "clause", "component"),
    [
        *cases("rankers", broken.RANKERS),
        *cases("arrangers", broken.ARRANGERS),
        *cases("query_processors", broken.PROCESSORS),
    ],
)
def test_who_breaks_a_clause_is_told(kind: str, clause: str, component: Any) -> None:
    finding = found(kind, component)[clause]
    assert finding.broken is not None
    assert finding.broken.message
    assert finding.broken.hint
    assert not finding.advice


@pytest.mark.parametrize(
    ("kind", "clause", "component"),
    [
        *cases("rankers", broken.RANKERS_AGAINST_ADVICE),
        *cases("arrangers", broken.ARRANGERS_AGAINST_ADVICE),
    ],
)
def test_who_leaves_advice_keeps_the_contract(kind: str, clause: str, component: Any) -> None:
    findings = found(kind, component)
    assert findings[clause].broken is not None
    assert [f.clause for f in findings.values() if f.broken and not f.advice] == []


def test_every_clause_has_somebody_who_breaks_it() -> None:
    by_kind = (
        (
            (conformance.RANKER, conformance.RANKER_ADVICE),
            (broken.RANKERS, broken.RANKERS_AGAINST_ADVICE),
        ),
        ((conformance.QUERY_PROCESSOR,), (broken.PROCESSORS,)),
    )
    for groups, tables in by_kind:
        names = {clause.__name__ for group in groups for clause in group}
        assert names == {name for table in tables for name in table}


NEED_A_MODEL = {"cross-encoder", "ltr"}
"""Their own tests give them one, and try them on the contract."""
OF_AN_EXTRA = {"language": "py3langid"}
"""Component → the package of an extra that it needs."""
BUILT_IN = [
    (kind, name)
    for kind in conformance.EXAMINED
    for name in PluginManager(PluginSettings()).names(kind)
    if name not in NEED_A_MODEL
]


@pytest.mark.parametrize(("kind", "name"), BUILT_IN)
def test_built_in_components_keep_contract_and_advice(kind: str, name: str, tmp_path: Path) -> None:
    if name in OF_AN_EXTRA:
        pytest.importorskip(OF_AN_EXTRA[name])
    manager = PluginManager()
    known = manager.options_of(kind, name).__struct_encode_fields__
    options = {"data_dir": str(tmp_path)} if "data_dir" in known else {}
    component = manager.create(kind, name, options)
    assert [finding for finding in conformance.examine(kind, component) if finding.broken] == []


class Margins:
    """A good ranker of an attribute that is a number, and of one that may be anything."""

    required_fields = ("margin", "badge")
    required_vectors = ()

    def rank(self, batch: Any) -> Any:
        margins = [float(margin or 0) for margin in batch.columns["margin"]]
        badges = [bool(badge) for badge in batch.columns["badge"]]
        return batch.scores * (1 + np.tanh(np.array(margins))) * np.where(badges, 2.0, 1.0)


def test_an_attributes_kind_is_what_the_component_can_read() -> None:
    kinds = conformance.kinds_that_work("rankers", Margins(), {})
    assert kinds == {"margin": FieldKind.NUMBER, "badge": FieldKind.KEYWORD}
    findings = list(conformance.examine("rankers", Margins(), conformance.values_of(kinds)))
    assert [finding for finding in findings if finding.broken] == []
    known = {"margin": FieldKind.KEYWORD}
    assert conformance.kinds_that_work("rankers", Margins(), known)["margin"] == "keyword"


def test_windows_are_as_the_engine_makes_them() -> None:
    batch = make_batch(50, {"price": [1.0] * 50})
    assert (np.diff(batch.scores) <= 0).all()
    assert (batch.scores > 0).all()
    for ranks, scores in zip(batch.lane_ranks.values(), batch.lane_scores.values(), strict=True):
        np.testing.assert_array_equal(ranks == 0, np.isnan(scores))
        assert not ranks.flags.writeable
    photo = make_batch(5, text="")
    assert list(photo.lane_ranks) == ["photo"]
    assert photo.request.query is not None
    assert photo.request.query.image is not None


def test_a_plan_with_spans_can_be_given() -> None:
    span = Span(0, 4, "creator", "acme", field="brand", values=("Acme",), effect="boost")
    plan = QueryPlan(original="acme shoe", text="acme shoe", read="acme shoe", spans=(span,))
    batch = make_batch(2, {"brand": ["Acme", None]}, plan=plan)
    assert batch.plan is plan
    assert batch.request.query is not None
    assert batch.request.query.text == "acme shoe"
    assert make_batch(2, plan=QueryPlan(spans=(span,))).plan.spans == (span,)


def test_the_full_plan_is_one_that_a_search_could_have() -> None:
    batch = Windows(Margins(), "rank").understood(30)
    plan, columns = batch.plan, batch.columns
    assert [plan.read[s.start : s.end] for s in plan.spans] == [s.value for s in plan.spans]
    assert set(plan.fields) | {"margin", "badge"} == set(columns)
    boosted = [span for span in plan.spans if span.effect == "boost"]
    assert [span.field for span in boosted].count("brand") == 2
    for span in boosted:
        held = [each for v in columns[span.field] for each in (v if isinstance(v, list) else [v])]
        assert set(span.values) <= set(held), span
    assert {"boost", "filter", "exclude", "note"} == {span.effect for span in plan.spans}


@pytest.mark.parametrize(
    ("ranker", "told"),
    [
        (Broken(lambda self, batch: batch.scores * np.nan), "answers_in_every_size"),
        (Broken(lambda self, batch: batch.scores[:-1]), "answers_in_every_size"),
        (
            Broken(lambda self, batch: batch.scores / (0 if batch.plan.spans else 1)),
            "copes_with_a_plan_that_says_all",
        ),
    ],
)
def test_one_mistake_is_told_once(ranker: Any, told: str) -> None:
    findings = [each for each in conformance.examine("rankers", ranker) if each.broken]
    assert len(findings) > 1
    assert [each.clause for each in findings if not each.told] == [told]
    assert {each.told for each in findings[1:]} == {told}


def test_two_mistakes_are_told_apart() -> None:
    def both(self: Any, batch: Any) -> Any:
        if not batch.plan.text:
            raise LookupError("no words")
        return batch.scores / (0 if batch.plan.spans else 1)

    findings = conformance.examine("rankers", Broken(both))
    assert [each.clause for each in findings if each.broken and not each.told] == [
        "copes_with_a_plan_that_says_all",
        "copes_with_a_photo_alone",
    ]


def test_the_hint_about_a_plan_names_its_spans() -> None:
    finding = found("rankers", broken.RANKERS["copes_with_a_plan_that_says_all"][1])[
        "copes_with_a_plan_that_says_all"
    ]
    assert finding.broken is not None
    assert "brand boost 'brand 0', brand boost 'brand 1'" in finding.broken.hint
    assert "--field" not in finding.broken.hint


def test_answers_of_nan_are_alike() -> None:
    ranker = Broken(lambda self, batch: batch.scores * np.nan)
    conformance.answers_alike("rankers", ranker, ranker)


class Clock:
    """Time that passes only in calls."""

    def __init__(self, *takes: float) -> None:
        self.now = 0.0
        self._takes = iter(takes)

    def __call__(self) -> float:
        return self.now

    def call(self) -> None:
        self.now += next(self._takes)


@pytest.mark.parametrize(
    ("takes", "wrong", "advice"),
    [
        ((0.01, 0.01, 0.01), "", False),
        ((9.0, 0.01, 0.01), "", False),  # the first call loaded something
        ((0.03, 0.04, 0.05), "30.0 ms, its deadline is 20 ms", True),
        ((0.24, 0.24, 0.24), "240.0 ms", True),  # five deadlines, but not 250 ms
        ((9.0, 0.3, 0.4), "300.0 ms, its deadline is 20 ms", False),
        ((31.0, 0.01, 0.01), "", False),  # no other thread could see that it was late
    ],
)
def test_late_is_advice_and_a_gross_overrun_is_broken(
    takes: tuple[float, ...], wrong: str, advice: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock(*takes)
    monkeypatch.setattr("engine.conformance.deadlines.perf_counter", clock)
    finding = conformance.answers_within_its_deadline("mine", clock.call, 0.02, 30.0)
    assert finding is not None
    assert finding.advice is advice
    assert bool(finding.broken) is bool(wrong)
    assert finding.broken is None or wrong in finding.broken.message


def test_a_call_that_raises_is_for_other_clauses() -> None:
    def fails() -> None:
        raise ValueError("wrong")

    assert conformance.answers_within_its_deadline("mine", fails, 0.02, 30.0) is None


def test_advice_becomes_a_warning_of_the_pytest_class() -> None:
    (sour,) = broken.RANKERS_AGAINST_ADVICE["keeps_scores_positive"]
    clause = conformance.RANKER_ADVICE[0]
    with pytest.warns(ContractAdvice, match="negative"):
        RankerContract().test_advice(sour, clause)
    with pytest.raises(ContractBroken):
        clause(sour, Windows(sour, "rank"))
