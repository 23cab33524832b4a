"""Each clause of the contracts notices who breaks it; and good components break none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import EntrepotError, PluginManager, conformance
from engine.conformance import ContractAdvice, ContractBroken, Finding, Windows, make_batch
from engine.schema import FieldKind
from engine.settings import PluginSettings
from engine.testing import RankerContract
from tests.engine import broken_plugins as broken


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


BUILT_IN = [
    (kind, name)
    for kind in conformance.EXAMINED
    for name in PluginManager(PluginSettings()).names(kind)
]


@pytest.mark.parametrize(("kind", "name"), BUILT_IN)
def test_built_in_components_keep_contract_and_advice(kind: str, name: str, tmp_path: Path) -> None:
    manager = PluginManager()
    known = manager.options_of(kind, name).__struct_encode_fields__
    try:
        component = manager.create(
            kind, name, {"data_dir": str(tmp_path)} if "data_dir" in known else {}
        )
    except EntrepotError as error:
        pytest.skip(f"it needs what its own tests give it: {error}")
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


def test_advice_becomes_a_warning_of_the_pytest_class() -> None:
    (sour,) = broken.RANKERS_AGAINST_ADVICE["keeps_scores_positive"]
    clause = conformance.RANKER_ADVICE[0]
    with pytest.warns(ContractAdvice, match="negative"):
        RankerContract().test_advice(sour, clause)
    with pytest.raises(ContractBroken):
        clause(sour, Windows(sour, "rank"))
