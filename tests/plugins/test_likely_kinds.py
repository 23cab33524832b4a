"""How likely products are of the kind that is meant."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.likely_kinds import NAMED, likely_kinds

KINDS = ["Hook", "Mug", ["Home", "Home > Rack"], None]


def chances(kinds: list[Any], scores: list[float], named: dict[str, float]) -> list[float]:
    found: list[float] = likely_kinds(kinds, np.asarray(scores, np.float32), named).tolist()
    return found


def test_the_best_of_the_window_tell_the_kind() -> None:
    hook, other, mug = chances(["Hook", "Hook", "Mug"], [0.6, 0.3, 0.3], {})
    assert hook == other > 10 * mug > 0


def test_names_tell_it_as_well() -> None:
    without = chances(["Hook", "Mug"], [0.5, 0.5], {})
    hook, mug = chances(["Hook", "Mug"], [0.5, 0.5], {"Mug": 0.8, "Sofa": 0.1})
    assert (hook, mug) == pytest.approx((without[0], without[1] + NAMED * 0.8))


def test_of_a_path_its_end_counts() -> None:
    rack, mug = chances([["Home", "Home > Rack"], ["Home", "Home > Mug"]], [1, 1], {"Home": 0.9})
    assert rack == mug == pytest.approx((1 - NAMED) / 2)


@given(
    st.lists(st.tuples(st.sampled_from(KINDS), st.floats(0, 2, width=32)), max_size=9),
    st.dictionaries(st.sampled_from(["Hook", "Mug", "Home > Rack"]), st.floats(0, 1), max_size=1),
)
def test_they_are_probabilities_of_kinds(
    window: list[tuple[Any, float]], named: dict[str, float]
) -> None:
    kinds = [kind for kind, _ in window]
    found = chances(kinds, [score for _, score in window], named)
    by_kind = {str(kind): chance for kind, chance in zip(kinds, found, strict=True)}
    assert all(by_kind[str(kind)] == chance for kind, chance in zip(kinds, found, strict=True))
    assert all(chance >= 0 for chance in found)
    assert sum(by_kind.values()) <= 1 + 1e-9
    assert by_kind.get("None", 0.0) == 0
