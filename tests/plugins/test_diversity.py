"""Arranger ``mmr``."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import (
    Explains,
    InvalidSettings,
    PluginManager,
    RankingBatch,
    Settings,
    Vectors,
)
from engine.testing.arranger_contract import ArrangerContract
from engine.testing.ranker_contract import make_batch

SEEDS = st.integers(0, 10_000)
MANAGER = PluginManager()


def make(trade_off: float = 0.7, **options: object) -> Any:
    return MANAGER.create("arrangers", "mmr", {"lambda": trade_off, **options})


def window(scores: Any, text: Any, image: Any = None) -> RankingBatch:
    """Vectors as lists of rows; without ``image``, no product has a photo."""
    rows = np.asarray(text, dtype=np.float32)
    photos = np.zeros_like(rows) if image is None else np.asarray(image, dtype=np.float32)
    batch = make_batch(len(rows), vectors={"text": rows, "image": photos})
    return msgspec.structs.replace(batch, scores=np.asarray(scores, dtype=np.float32))


def random_window(seed: int, n: int = 24, dim: int = 4) -> RankingBatch:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((2, n, dim)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=2, keepdims=True)
    rows[rng.random((2, n)) < 0.3] = 0
    return window(np.sort(rng.uniform(0.01, 0.05, n))[::-1], rows[0], rows[1])


def by_the_paper(batch: RankingBatch, trade_off: float, depth: int) -> list[int]:
    """Product by product, pair by pair, as the formula reads."""
    scores = batch.scores.astype(float)
    relevance = (scores - scores[-1]) / (scores[0] - scores[-1])
    rest, placed = list(range(len(scores))), []
    for _ in range(min(depth, len(scores))):
        best = max(
            rest,
            key=lambda i: round(
                trade_off * relevance[i]
                - (1 - trade_off)
                * max((pair(batch, i, j) for j in placed if known(batch, j)), default=0.0),
                5,
            ),
        )
        placed.append(best)
        rest.remove(best)
    return placed + rest


def pair(batch: RankingBatch, i: int, j: int) -> float:
    """The similarity of a product ``i`` to one that is placed, ``j``."""
    return float(np.mean([similar(rows, i, j) for rows in batch.vectors.values() if rows[j].any()]))


def known(batch: RankingBatch, j: int) -> bool:
    return any(rows[j].any() for rows in batch.vectors.values())


def similar(rows: npt.NDArray[np.float32], i: int, j: int) -> float:
    if rows[i].any():
        return float(rows[i] @ rows[j])
    others = [float(row @ rows[j]) for k, row in enumerate(rows) if row.any() and k != j]
    return float(np.mean(others)) if others else 0.0


class TestContract(ArrangerContract):
    @pytest.fixture(params=[0.0, 0.7, 1.0])
    def arranger(self, request: pytest.FixtureRequest) -> Any:
        return make(request.param)


def test_a_twin_waits_for_something_else() -> None:
    batch = window([3, 2.9, 2.8, 0], [[1, 0], [1, 0], [0, 1], [0, 1]])
    assert make(0.5).arrange(batch).tolist() == [0, 2, 1, 3]


@settings(max_examples=25)
@given(SEEDS, st.sampled_from([0.3, 0.7]), st.integers(1, 30))
def test_it_is_maximal_marginal_relevance(seed: int, trade_off: float, depth: int) -> None:
    batch = random_window(seed)
    found = make(trade_off, depth=depth).arrange(batch).tolist()
    assert found == by_the_paper(batch, trade_off, depth)


@given(SEEDS, st.integers(1, 60))
def test_all_for_relevance_changes_nothing(seed: int, depth: int) -> None:
    batch = random_window(seed)
    assert make(1.0, depth=depth).arrange(batch).tolist() == list(range(24))
    assert make(1.0).required_vectors == ()
    ties = msgspec.structs.replace(batch, scores=np.full(24, 0.02, dtype=np.float32))
    assert make(1.0, depth=depth).arrange(ties).tolist() == list(range(24))


@given(SEEDS, st.sampled_from([0.0, 0.3, 0.7]), st.integers(1, 30))
def test_nothing_is_lost_and_the_best_stays_first(seed: int, trade_off: float, depth: int) -> None:
    found = make(trade_off, depth=depth).arrange(random_window(seed)).tolist()
    assert sorted(found) == list(range(24))
    assert found[0] == 0
    assert found[depth:] == sorted(found[depth:]), "below the depth the order stays"


@given(SEEDS)
def test_the_scale_of_the_scores_does_not_matter(seed: int) -> None:
    batch = random_window(seed)
    tenfold = msgspec.structs.replace(batch, scores=batch.scores * 10 + 1)
    assert make(0.5).arrange(batch).tolist() == make(0.5).arrange(tenfold).tolist()


@pytest.mark.parametrize("using", ["text", "image"])
def test_a_space_that_weighs_nothing_is_not_fetched(using: str) -> None:
    arranger = make(0.5, **{using: 0})
    (other,) = {"text", "image"} - {using}
    assert tuple(arranger.required_vectors) == (other,)
    whole = window([3, 2.9, 2.8], [[1, 0], [1, 0], [0, 1]], [[1, 0], [0, 1], [1, 0]])
    batch = msgspec.structs.replace(whole, vectors={other: whole.vectors[other]})
    assert arranger.arrange(batch).tolist() == ([0, 2, 1] if other == "text" else [0, 1, 2])


def test_without_vectors_the_ranking_stands() -> None:
    batch = window([3, 2, 1], np.zeros((3, 2)))
    assert make(0.1).arrange(batch).tolist() == [0, 1, 2]


def test_no_photo_is_neither_an_advantage_nor_a_fault() -> None:
    """Of three products as good as each other, one like the first, one unlike, one unknown."""
    photos: Vectors = np.asarray([[1, 0], [1, 0], [0, 0], [0, 1]], dtype=np.float32)
    batch = window([3, 1, 1, 1], photos, photos)
    assert make(0.5).arrange(batch).tolist() == [0, 3, 2, 1]


def test_several_photos_count_by_their_direction() -> None:
    """Their mean is shorter than a unit vector."""
    whole = window([3, 2.9, 2.8, 0], [[1, 0], [1, 0], [0.6, 0.8], [0.8, 0.6]])
    short = window([3, 2.9, 2.8, 0], [[0.2, 0], [1, 0], [0.06, 0.08], [0.8, 0.6]])
    orders = [make(0.5).arrange(batch).tolist() for batch in (whole, short)]
    assert orders == [[0, 2, 1, 3]] * 2


def test_what_was_put_back_before_stays_back() -> None:
    """An earlier arranger put the best product last: its score must not bring it forward."""
    rows = np.eye(4, dtype=np.float32)
    assert make(0.5).arrange(window([2, 1.9, 1, 9], rows)).tolist() == [0, 1, 2, 3]


def test_it_says_what_similarity_to_what_cost_a_product() -> None:
    arranger = make(0.5)
    assert isinstance(arranger, Explains)
    batch = window([3, 2, 0, 0], [[1, 0], [0.6, 0.8], [1, 0], [0, 0]])
    first, second, third = arranger.explain(batch, np.asarray([0, 1, 2]))
    assert first == {"relevance": 0.5}
    assert second["most like"] == "p0000"
    assert second["similarity"] == pytest.approx(-0.3)
    assert second["relevance"] == pytest.approx(1 / 3)
    assert third["similarity"] == pytest.approx(-0.5)


def test_it_says_nothing_of_what_it_did_not_weigh() -> None:
    batch = window([3, 2, 1], np.eye(3))
    rows = np.arange(3)
    assert make(0.5, depth=1).explain(batch, rows) == [{"relevance": 0.5}, {}, {}]
    assert make(1.0).explain(batch, rows) == [{}, {}, {}]


@pytest.mark.parametrize("options", [{"lambda": 1.1}, {"depth": 0}, {"text": -1}, {"image": "x"}])
def test_wrong_options(options: dict[str, object]) -> None:
    with pytest.raises(InvalidSettings, match="mmr"):
        PluginManager().create("arrangers", "mmr", options)


def test_the_documented_settings_are_settings(root: Path) -> None:
    text = (root / "docs" / "diversity.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    settings = msgspec.convert(tomllib.loads("\n".join(blocks)), Settings)
    manager = PluginManager(settings.plugins)
    names = settings.profiles["default"].arrangers
    assert sorted(names) == ["caps", "mmr", "variants"]
    for name in names:
        manager.create("arrangers", name)
    options = msgspec.structs.asdict(msgspec.convert({}, manager.options_of("arrangers", "mmr")))
    rows = re.findall(r"^\| `(lambda|depth)` \| ([\d.]+) \|", text, re.MULTILINE)
    assert {name: float(value) for name, value in rows} == {
        "lambda": options["trade_off"],
        "depth": options["depth"],
    }
