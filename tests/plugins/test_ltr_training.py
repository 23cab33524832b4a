"""Training ``ltr``: it finds a rule, says honestly what it is worth, and clicks are corrected."""

from __future__ import annotations

import math
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import InvalidRequest, bootstrap_interval, dcg, ndcg
from plugins.ltr import booster, clicks, features, judgments, training
from plugins.ltr.examples import Example, logged, score
from plugins.ltr.judgments import Impression
from plugins.ltr.training import Recipe

from . import ltr_data

RECIPE = Recipe(folds=4, condensed=True, parameters=ltr_data.SMALL)


def test_it_learns_the_rule_and_measures_it_on_queries_it_never_saw() -> None:
    outcome = training.cross_validate(ltr_data.examples(), RECIPE)
    figures = outcome.figures()
    assert figures.ndcg > 0.95 > 0.85 > figures.baseline
    assert 0 < figures.low < figures.change < figures.high
    assert (figures.queries, figures.folds) == (40, 4)
    named = list(ltr_data.trees().importances())
    assert named[0] == ltr_data.TELLS


def test_noise_is_not_taken_for_a_rule() -> None:
    """Judgments drawn by chance: what a model learned of them must not look like a gain."""
    rng = np.random.default_rng(5)
    made = []
    for example in ltr_data.examples(60, seed=3):
        gains = rng.permutation(example.gains)
        made.append(msgspec.structs.replace(example, gains=gains))
    figures = training.cross_validate(made, RECIPE).figures()
    assert figures.low < 0 < figures.high


def test_the_same_seed_gives_the_same_model() -> None:
    assert ltr_data.trees().text() == ltr_data.trees().text()
    first, second = ltr_data.trees(seed=0), ltr_data.trees(seed=1)
    values = ltr_data.examples(1)[0].values
    assert not np.array_equal(first.margins(values), second.margins(values))
    one, two = (training.fit(ltr_data.examples(), 10, Recipe(threads=n)) for n in (1, 2))
    np.testing.assert_array_equal(one.margins(values), two.margins(values))


def test_a_model_reads_back_as_it_was() -> None:
    fitted = ltr_data.trees()
    values = ltr_data.examples(1)[0].values
    again = booster.load(fitted.text(), "memory")
    np.testing.assert_array_equal(again.margins(values), fitted.margins(values))
    assert again.count == fitted.count == 30


def test_one_query_is_in_one_fold() -> None:
    made = ltr_data.examples(20)
    twice = [*made, *made]
    fold = training.folds(twice, 4, 0)
    np.testing.assert_array_equal(fold[:20], fold[20:])
    assert sorted(np.bincount(fold).tolist()) == [10] * 4


def test_what_nobody_judged_is_drawn_as_irrelevant() -> None:
    values = np.zeros((100, len(features.NAMES)), np.float32)
    gains = np.full(100, np.nan)
    gains[[3, 5]] = 2, 0
    rows = training.training_rows([Example("q", values, gains, (2.0, 0.0))], RECIPE)
    assert rows.sizes.tolist() == [2 + training.UNJUDGED]
    assert sorted(rows.gains.tolist())[-2:] == [0, 2]


def test_queries_that_say_nothing_about_an_order_are_left_out() -> None:
    values = np.zeros((3, len(features.NAMES)), np.float32)
    same = Example("same", values, np.asarray([1.0, 1.0, 1.0]), (1.0,))
    told = Example("told", values, np.asarray([1.0, 0.0, np.nan]), (1.0, 0.0))
    assert training.training_rows([same, told], RECIPE).sizes.tolist() == [3]
    with pytest.raises(InvalidRequest, match="no query finds"):
        training.training_rows([same], RECIPE)


def test_too_few_queries_are_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"9 queries have.*10 are the least"):
        training.measurable(ltr_data.examples(9), RECIPE)


@pytest.mark.parametrize(
    ("condensed", "cut", "expected"),
    [
        (False, None, (1 / math.log2(3) + 3 / math.log2(5)) / (3 + 1 / math.log2(3) + 0.5)),
        (True, None, (1 + 3 / math.log2(3)) / (3 + 1 / math.log2(3) + 0.5)),
        (True, 2, 1 / (3 + 1 / math.log2(3) + 0.5)),
    ],
)
def test_ndcg_with_and_without_what_nobody_judged(
    condensed: bool, cut: int | None, expected: float
) -> None:
    values = np.zeros((4, len(features.NAMES)), np.float32)
    example = Example("q", values, np.asarray([np.nan, 1, np.nan, 3]), (1.0, 3.0, 1.0))
    before = np.asarray([4.0, 3, 2, 1])
    assert score(example, before, condensed=condensed, cut=cut) == pytest.approx(expected)


@given(st.lists(st.floats(0, 3), min_size=1, max_size=15))
def test_ndcg_is_at_most_one_and_one_for_the_best_order(gains: list[float]) -> None:
    value = ndcg(gains, gains)
    if max(gains) < 1e-300:
        return
    assert 0 <= value <= 1 + 1e-9
    assert ndcg(sorted(gains, reverse=True), gains) == pytest.approx(1)
    assert dcg(gains) <= sum(gains) + 1e-9


def test_nothing_relevant_is_no_figure() -> None:
    assert math.isnan(ndcg([0, 0], [0, 0]))


def test_the_interval_of_one_value_is_that_value() -> None:
    assert bootstrap_interval(np.full(9, 0.25)) == (0.25, 0.25)
    low, high = bootstrap_interval(np.random.default_rng(0).normal(size=400))
    assert -0.15 < low < 0 < high < 0.15


# Clicks.


def sessions(
    queries: int = 40, each: int = 60, *, bias: float = 1.0, seed: int = 0
) -> tuple[list[Impression], list[np.ndarray]]:
    """Shoppers who look at place k with probability 1/k^bias and click what attracts them. The
    lists they see follow a score that says nothing about it; also returned is what attracts."""
    rng = np.random.default_rng(seed)
    seen, attraction = [], []
    for q in range(queries):
        attracts, usual = rng.uniform(0.05, 0.9, 10), rng.normal(size=10)
        attraction.append(attracts)
        for _ in range(each):
            order = np.argsort(-(usual + rng.normal(size=10) * 0.5))
            looked = rng.random(10) < 1 / np.arange(1, 11) ** bias
            clicked = order[looked & (rng.random(10) < attracts[order])]
            seen.append(Impression(f"q{q}", [str(i) for i in order], [str(i) for i in clicked]))
    return seen, attraction


def orders_well(counted: clicks.Clicks, model: clicks.ClickModel, truth: list[np.ndarray]) -> float:
    """Mean nDCG@10 of the products in the order of their fitted attraction."""
    found = dict(zip(counted.pairs, model.attraction.tolist(), strict=True))
    values = []
    for q, attracts in enumerate(truth):
        order = sorted(range(10), key=lambda i: -found.get((f"q{q}", str(i)), 0.0))
        values.append(ndcg(attracts[order], attracts))
    return float(np.mean(values))


def test_position_bias_is_corrected() -> None:
    """Known bias 1/k: what was seen more is not taken for better, and the bias is found."""
    seen, truth = sessions(each=200)
    counted = clicks.count(seen)
    corrected, naive = clicks.fit(counted), clicks.fit(counted, positions=False)
    right, wrong = (orders_well(counted, model, truth) for model in (corrected, naive))
    assert right > 0.97 > wrong + 0.02
    np.testing.assert_allclose(corrected.examination, 1 / np.arange(1, 11), atol=0.12)
    held_out = clicks.count(sessions(seed=0, each=80)[0][-400:])
    assert clicks.log_loss(counted, held_out, corrected) < clicks.log_loss(counted, held_out, naive)


def test_without_bias_none_is_found() -> None:
    seen, truth = sessions(bias=0.0)
    counted = clicks.count(seen)
    model = clicks.fit(counted)
    assert model.examination.min() > 0.85
    assert orders_well(counted, model, truth) > 0.98


def test_clicks_become_judgments() -> None:
    seen = [Impression(" Red  Shoe", ["a", "b", "c"], ["b"])] * 4
    seen += [Impression("red shoe", ["b", "a", "a"], ["b"]), Impression("mug", ["x"], [])]
    counted = clicks.count(seen)
    assert counted.moved == 2
    (judged,) = clicks.judged(counted, clicks.fit(counted))
    assert (judged.text, judged.gains) == ("red shoe", {"a": 0.0, "b": 1.0, "c": 0.0})


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_judgments_are_read(tmp_path: Path) -> None:
    queries = write(tmp_path / "q", '{"id": "1", "text": "red"}\n\n{"id": "2", "text": "b"}\n')
    qrels = write(tmp_path / "r", "1 0 a 3\n1\t0\tb\t0.5\n9 0 c 1\n")
    (found,) = judgments.read_judgments(queries, qrels)
    assert (found.text, found.gains) == ("red", {"a": 3.0, "b": 0.5})


@pytest.mark.parametrize(
    ("queries", "qrels", "complaint"),
    [
        ('{"id": "1"}', "1 0 a 1", r"q:1: .*text"),
        ('{"id": "1", "text": "x"}', "1 0 a", r"r:1: not `query 0 product grade`"),
        ('{"id": "1", "text": "x"}', "1 0 a 1\n1 0 b -1", r"r:2: grade -1: 0 or more"),
        ('{"id": "1", "text": "x"}', "1 0 a nan", r"r:1: grade nan"),
        ('{"id": "1", "text": "x"}', "2 0 a 1", "judges no query"),
    ],
)
def test_wrong_judgments_are_named_by_line(
    tmp_path: Path, queries: str, qrels: str, complaint: str
) -> None:
    with pytest.raises(InvalidRequest, match=complaint):
        judgments.read_judgments(write(tmp_path / "q", queries), write(tmp_path / "r", qrels))


@pytest.mark.parametrize(
    ("events", "complaint"),
    [
        ('{"query": "x", "shown": ["a"], "clicked": ["b"]}', "no product was clicked"),
        ('{"query": "", "shown": ["a"], "clicked": ["a"]}', "e:1"),
        ('{"query": "x", "shown": "a"}', "e:1"),
        ("", "no product was clicked"),
    ],
)
def test_wrong_events_are_named_by_line(tmp_path: Path, events: str, complaint: str) -> None:
    with pytest.raises(InvalidRequest, match=complaint):
        judgments.read_events(write(tmp_path / "e", events))


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"features_version": 0}, r"log:2: features of version 0.*begin a new log"),
        ({"rows": [[1.0, 2.0]]}, r"log:2: .*shape \(1, 2\)"),
        ({"rows": [[1.0], [1.0, 2.0]]}, "log:2: rows of several lengths"),
        ({"rows": "x"}, "log:2"),
    ],
)
def test_a_log_of_other_features_is_refused(
    tmp_path: Path, changes: dict[str, object], complaint: str
) -> None:
    row = [None] * len(features.NAMES)
    line = {
        **{"at": "", "model": "v1", "features_version": features.VERSION, "query": "Red shoe"},
        **{"locale": None, "ids": ["a"], "rows": [row]},
    }
    lines = [msgspec.json.encode(found).decode() for found in (line, {**line, **changes})]
    asked = [judgments.JudgedQuery("1", "red  shoe", {"a": 1.0})]
    (found,) = logged(write(tmp_path / "log", lines[0] + "\n"), asked)
    assert (found.gains.tolist(), found.values.shape) == ([1.0], (1, len(features.NAMES)))
    with pytest.raises(InvalidRequest, match=complaint):
        list(logged(write(tmp_path / "log", "\n".join(lines)), asked))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="cannot read"):
        judgments.read_events(tmp_path / "none")
