"""Judgments are read, answers measured and compared, and the gate decides by the evidence."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Engine, InvalidRequest, InvalidSettings, SearchRequest, SearchResponse
from engine.evaluation.comparison import Report, evaluate
from engine.evaluation.gate import LIVE, NEW, Guardrails, Rules, decide, load_gate
from engine.evaluation.judgments import (
    JudgedSearch,
    measurable,
    read_qrels,
    read_queries,
    write_qrels,
)
from engine.evaluation.running import Answers, answer, answers_by_turns, together
from engine.evaluation.statistics import (
    bootstrap_interval,
    ndcg,
    randomization_p,
    ratio_interval,
)
from engine.evaluation.sweep import grid, halves


class FirstIsRight:
    """A measure that is 1 where the first product has a grade of at least ``relevant``."""

    def per_query(
        self,
        names: Sequence[str],
        qrels: Mapping[str, Mapping[str, float]],
        rankings: Mapping[str, Sequence[str]],
        relevant: float,
    ) -> dict[str, dict[str, float]]:
        def right(query: str) -> float:
            first = (rankings.get(query) or [""])[0]
            return float(qrels[query].get(first, 0) >= relevant)

        return {name: {query: right(query) for query in qrels} for name in names}


def made(right: int, *, queries: int = 100, judged: bool = True, ms: float = 10.0) -> Answers:
    """Answers of which the first ``right`` begin with the one relevant product."""
    rankings = {}
    for n in range(queries):
        wrong = "bad" if judged else "unheard-of"
        rankings[f"q{n}"] = ["good", "bad"] if n < right else [wrong, wrong]
    return Answers(rankings, dict.fromkeys(rankings, ms))


def compared(live: Answers, new: Answers) -> Report:
    queries = [JudgedSearch(id, f"words {id}") for id in live.rankings]
    qrels = {query.id: {"good": 3.0, "bad": 0.0} for query in queries}
    return evaluate(FirstIsRight(), ["P@1"], queries, qrels, {LIVE: live, NEW: new}, relevant=1.0)


# Files


def test_queries_and_judgments_of_either_format(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text(
        '{"id": "a", "text": "red mug", "filters": {"price": {"lte": 5}}, "note": "ours"}\n\n'
        '{"id": "b", "like": ["mug-1"], "locale": "es"}\n'
    )
    (tmp_path / "q.tsv").write_text("a\tred mug\nb\tblue\u2028 mug\n")
    (tmp_path / "qrels.tsv").write_text("a 0 mug-1 3\na\t0\tmug-2\t0.5\n")
    (tmp_path / "qrels.jsonl").write_text('{"query": "a", "product": "mug 1", "grade": 2}\n')
    a, b = read_queries(tmp_path / "q.jsonl")
    assert a.request("default", 10).filters == {"price": {"lte": 5}}
    assert b.request("default", 10).query is not None
    assert [q.text for q in read_queries(tmp_path / "q.tsv")] == ["red mug", "blue\u2028 mug"]
    assert read_qrels(tmp_path / "qrels.tsv") == {"a": {"mug-1": 3.0, "mug-2": 0.5}}
    spaced = read_qrels(tmp_path / "qrels.jsonl")
    assert spaced == {"a": {"mug 1": 2.0}}
    with pytest.raises(InvalidRequest, match="white space"):
        write_qrels(spaced)
    assert [q.id for q in measurable([a, b], {"a": {"x": 1.0}, "b": {"x": 0.0}})] == ["a"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("just words\n", "q.txt:1: neither"),
        ('{"id": "a"}\n{"id": ""}\n', "q.txt:2"),
        ("a\tone\na\ttwo\n", "a second 'a'"),
        ('{"id": "a", "image_weight": 2}\n', "image_weight"),
    ],
)
def test_broken_queries_are_named_by_line(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_text(text)
    with pytest.raises(InvalidRequest, match=said):
        read_queries(tmp_path / "q.txt")


@pytest.mark.parametrize("text", ["", "a 0 p\n", "a 0 p -1\n", "a 0 p nan\n", '{"query": "a"}\n'])
def test_broken_judgments_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "qrels").write_text(text)
    with pytest.raises(InvalidRequest):
        read_qrels(tmp_path / "qrels")


@given(st.dictionaries(st.from_regex(r"\A[\w-]{1,9}\Z"), st.integers(0, 1000), min_size=1))
def test_trec_comes_back_as_it_was_written(grades: dict[str, int]) -> None:
    qrels = {"q": {product: grade / 4 for product, grade in grades.items()}}
    lines = [line.split() for line in write_qrels(qrels).splitlines()]
    assert {line[2]: float(line[3]) for line in lines} == qrels["q"]


# Statistics


def test_an_interval_covers_what_it_should() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for seed in range(200):
        low, high = bootstrap_interval(rng.normal(0.3, 1.0, 60), 0.9, seed, resamples=400)
        covered += low <= 0.3 <= high
    assert 165 <= covered <= 195, "about 90 % of 200"


def test_the_test_of_randomization() -> None:
    assert randomization_p(np.zeros(50)) == 1.0
    # Of 2^4 ways to throw four signs, two give a sum of 4: p is an eighth.
    assert randomization_p([1.0, 1.0, 1.0, 1.0, 0.0]) == pytest.approx(1 / 8, abs=0.02)
    assert randomization_p([0.5] * 30) < 0.001
    assert randomization_p([0.5, -0.5] * 15) > 0.9


def test_an_interval_of_a_ratio_is_by_shopper() -> None:
    """One shopper with all the clicks makes the interval wide, however many searches there are."""
    even = ratio_interval([5.0] * 20, [50.0] * 20)
    assert even == (0.1, 0.1)
    low, high = ratio_interval([100.0, *[0.0] * 19], [50.0] * 20)
    assert low == 0.0
    assert high > 0.2
    assert all(np.isnan(end) for end in ratio_interval([], []))


def test_ndcg_by_hand() -> None:
    assert ndcg([0, 1], [1], 10) == pytest.approx(1 / np.log2(3))
    assert np.isnan(ndcg([0.0], [0.0]))


# Answers


def test_answers_of_a_shop(shop: Engine) -> None:
    queries = [JudgedSearch("a", "red mug"), JudgedSearch("b", "blue mug", {"color": "blue"})]
    found = answer(shop.search, queries, "words", 5)
    assert found.rankings["a"][0] == "mug-red"
    assert all(id.endswith("blue") for id in found.rankings["b"])
    assert all(len(ranking) <= 5 for ranking in found.rankings.values())
    parts = [answer(shop.search, [query], "words", 5) for query in queries]
    assert together(parts).rankings == found.rankings
    assert found.zero_results == 0.0


def test_who_is_asked_first_changes_from_query_to_query(shop: Engine) -> None:
    asked: list[tuple[str, str | None]] = []

    def side(name: str) -> Callable[[SearchRequest], SearchResponse]:
        def search(request: SearchRequest) -> SearchResponse:
            asked.append((name, request.query and request.query.text))
            return shop.search(request)

        return search

    queries = [JudgedSearch(str(n), text) for n, text in enumerate(("red", "shoe", "white"))]
    one, other = answers_by_turns((side("a"), side("b")), queries, "default", 5)
    assert asked == [
        *(("a", "red"), ("b", "red"), ("b", "shoe"), ("a", "shoe"), ("a", "white"), ("b", "white")),
    ]
    assert one.rankings == other.rankings == answer(shop.search, queries, "default", 5).rankings
    assert answers_by_turns((side("a"),), [], "default") == [Answers({}, {})]


def test_a_report_counts_wins_and_losses() -> None:
    report = compared(made(50), made(60))
    (found,) = report.measures
    assert found.change is not None
    assert (found.change.wins, found.change.losses, found.change.ties) == (10, 0, 90)
    assert found.change.value == pytest.approx(0.1)
    assert found.change.low > 0
    assert [query.id for change, query in report.differences("P@1") if change > 0] == [
        f"q{n}" for n in range(50, 60)
    ]
    assert compared(made(50), made(60)) == report, "the same seed gives the same report"


# Sweeps


def test_halves_hang_on_the_words_alone() -> None:
    queries = [JudgedSearch(f"q{n}", f"words {n // 2}") for n in range(400)]
    development, held_out = halves(queries, 0)
    assert len(development) + len(held_out) == 400
    assert 150 < len(development) < 250
    assert {q.text for q in development}.isdisjoint(q.text for q in held_out)
    assert halves(queries[::-1], 0)[0] == development[::-1]
    assert halves(queries, 1)[0] != development
    assert list(grid({"a": [1, 2], "b": [3]})) == [{"a": 1, "b": 3}, {"a": 2, "b": 3}]


# The gate


@pytest.mark.parametrize(
    ("live", "new", "rules", "verdict"),
    [
        (made(50), made(50), Rules(), "passed"),
        (made(50), made(60), Rules(), "passed"),
        (made(60), made(30), Rules(), "worse"),
        (made(50), made(49), Rules(tolerance=0.001), "unproven"),
        (made(50), made(49), Rules(tolerance=0.05), "passed"),
        (made(5, queries=9), made(5, queries=9), Rules(), "unproven"),
        (made(5, queries=9), made(5, queries=9), Rules(min_queries=9), "passed"),
        (made(10), made(10, judged=False), Rules(), "unproven"),
        (made(10, judged=False), made(60), Rules(), "passed"),
        (made(50), made(50, ms=50), Rules(), "passed"),
        (made(50), made(50, ms=50), Rules(guardrails=Guardrails(latency=2)), "guardrail"),
    ],
)
def test_verdicts(live: Answers, new: Answers, rules: Rules, verdict: str) -> None:
    found, reasons = decide(compared(live, new), rules)
    assert found == verdict
    assert bool(reasons) == (found != "passed")


def test_queries_without_results_are_a_guardrail() -> None:
    new = made(50)
    for query in range(90, 100):
        new.rankings[f"q{query}"].clear()
    rules = Rules(guardrails=Guardrails(zero_results=0.05))
    verdict, reasons = decide(compared(made(50), new), rules)
    assert verdict == "guardrail"
    assert "from 0.0% to 10.0%" in reasons[0]


def test_a_gate_file(tmp_path: Path) -> None:
    (tmp_path / "q.tsv").write_text("a\tred mug\n")
    (tmp_path / "r.tsv").write_text("a 0 mug-1 3\n")
    gate = tmp_path / "judgments.toml"
    gate.write_text(
        'queries = "q.tsv"\nqrels = "r.tsv"\ntolerance = 0.02\n[guardrails]\nlatency = 1.5\n'
    )
    found = load_gate(gate)
    assert found.rules == Rules(tolerance=0.02, guardrails=Guardrails(latency=1.5))
    assert found.queries == [JudgedSearch("a", "red mug")]
    for wrong in ('queries = "q.tsv"\n', 'queries = "q.tsv"\nqrels = "r.tsv"\nloss = 1\n', "=", ""):
        gate.write_text(wrong)
        with pytest.raises(InvalidSettings, match=r"judgments\.toml"):
            load_gate(gate)
    with pytest.raises(InvalidSettings, match="cannot read"):
        load_gate(tmp_path / "none.toml")
