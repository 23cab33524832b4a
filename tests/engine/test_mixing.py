"""Several lists as one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Recommended
from engine.mixing import fill, mix

IDS = st.lists(st.sampled_from("abcdefghij"), unique=True, max_size=10)
LISTS = st.dictionaries(st.sampled_from(["one", "two", "three"]), IDS)
WEIGHTS = st.dictionaries(
    st.sampled_from(["one", "two", "three"]), st.sampled_from([0.0, 0.25, 0.5, 1.0, 2.0])
)


def named(ids: list[str]) -> list[Recommended]:
    return [Recommended(id, 1.0, "kind", "text") for id in ids]


def test_what_two_name_comes_first() -> None:
    mixed = mix({"one": named(["a", "b"]), "two": named(["c", "b"])}, {}, 60)
    assert [each.id for each in mixed] == ["b", "a", "c"]
    assert mixed[0].score == pytest.approx(2 / 62)
    assert {name: rank for name, (rank, _) in mixed[0].named.items()} == {"one": 2, "two": 2}


@given(LISTS, WEIGHTS, st.integers(0, 100))
def test_scores_are_the_sum_of_what_each_brings(
    lists: dict[str, list[str]], weights: dict[str, float], k: int
) -> None:
    mixed = mix({name: named(ids) for name, ids in lists.items()}, weights, k)
    heard = {name for name in lists if weights.get(name, 1.0) > 0}
    assert {each.id for each in mixed} == {id for name in heard for id in lists[name]}
    assert len({each.id for each in mixed}) == len(mixed)
    assert [(-each.score, each.id) for each in mixed] == sorted(
        (-each.score, each.id) for each in mixed
    )
    for each in mixed:
        assert set(each.named) == {name for name in heard if each.id in lists[name]}
        parts = [
            weights.get(name, 1.0) / (k + lists[name].index(each.id) + 1) for name in each.named
        ]
        assert each.score == pytest.approx(math.fsum(parts))
        assert each.score > 0


@given(LISTS, st.integers(0, 100))
def test_the_order_of_the_recommenders_does_not_matter(lists: dict[str, list[str]], k: int) -> None:
    turned = dict(reversed(lists.items()))
    one = mix({name: named(ids) for name, ids in lists.items()}, {}, k)
    other = mix({name: named(ids) for name, ids in turned.items()}, {}, k)
    assert [(each.id, each.score) for each in one] == [(each.id, each.score) for each in other]


@given(IDS, st.floats(0.1, 9), st.integers(0, 100))
def test_one_list_alone_keeps_its_order(ids: list[str], weight: float, k: int) -> None:
    assert [each.id for each in mix({"one": named(ids)}, {"one": weight}, k)] == ids


@given(LISTS, LISTS)
def test_fallbacks_stand_behind(
    lists: dict[str, list[str]], fallbacks: dict[str, list[str]]
) -> None:
    mixed = mix({name: named(ids) for name, ids in lists.items()}, {}, 60)
    whole = fill(mixed, {name: named(ids) for name, ids in fallbacks.items()})
    assert whole[: len(mixed)] == mixed
    rest = [id for ids in fallbacks.values() for id in ids]
    first = {each.id for each in mixed}
    assert [each.id for each in whole[len(mixed) :]] == list(
        dict.fromkeys(id for id in rest if id not in first)
    )
    assert all(each.score == 0 and len(each.named) == 1 for each in whole[len(mixed) :])
