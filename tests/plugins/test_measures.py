"""Measures by ir-measures: trec_eval's values are the ones computed by hand."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from engine import InvalidRequest, Measures, NoOptions, PluginError, PluginManager, ndcg
from engine.testing import MeasuresContract
from plugins.measures import IrMeasures

pytest.importorskip("ir_measures", reason="needs the extra `eval`")


class TestIrMeasures(MeasuresContract):
    @pytest.fixture
    def measures(self) -> Measures:
        return IrMeasures(NoOptions())


def test_it_is_built_in() -> None:
    assert PluginManager().names("measures") == ["ir-measures"]


def test_without_the_package_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    with pytest.raises(PluginError, match=r"entrepot\[eval\]"):
        PluginManager().create("measures", "ir-measures")


def test_exponential_gains_need_whole_grades() -> None:
    measures = IrMeasures(NoOptions())
    name = "nDCG(dcg='exp-log2')@10"
    with pytest.raises(InvalidRequest, match="whole grades"):
        measures.per_query((name,), {"q": {"p": 0.5}}, {"q": ["p"]}, 1.0)


def test_ndcg_of_arrays_for_training_is_the_same_measure() -> None:
    rng = np.random.default_rng(0)
    grades = {f"p{n}": float(rng.integers(0, 4)) for n in range(30)}
    ranking = [f"p{n}" for n in rng.permutation(40)]
    found = IrMeasures(NoOptions()).per_query(("nDCG@10",), {"q": grades}, {"q": ranking}, 1.0)
    gains = [grades.get(product, 0.0) for product in ranking]
    assert found["nDCG@10"]["q"] == pytest.approx(ndcg(gains, grades.values()), abs=1e-6)
