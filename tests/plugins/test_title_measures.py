"""Measures that texts state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plugins.title_measures import Measures, contradict, measures_of


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Perfume 100 ml", "perfume 0.1 litre"),
        ("Perfume 100ml", "10 cl"),
        ('32" screen', "32-Inch Monitor"),
        ("10 inch", "25.4 cm"),
        ("Shorts 7in", "7 inches"),
        ("1 kg", "1000 g"),
        ("1 lb", "453.592 g"),
        ("Backpack 16 Ltr", "16 l bag"),
        ("1,5 l", "1500 ml"),
        ("1,500 ml", "1.5 l"),
        ("1,000.5 ml", "1000.5 ml"),
        ("Pack of 3 socks", "socks 3 pack"),
        ("Pack of Three", "set of 3"),
        ("Pack of Five Socks", "five pairs of socks"),
        ("2 years", "24 months"),
        ("1 tb", "1000 gb"),
    ],
)
def test_the_same_measure(one: str, other: str) -> None:
    assert measures_of(one) == measures_of(other) != frozenset()


@pytest.mark.parametrize(
    "text", ["", "Lunarswift +3 Grey Shoes", "3/4 Length Pants", "a 5g phone case of", "iPhone 6"]
)
def test_no_measure(text: str) -> None:
    assert {m for m in measures_of(text) if m[0] != "mass"} == set()


def test_conversions_are_exact() -> None:
    assert measures_of("10 inch") != measures_of("25 cm")
    assert not measures_of("8 oz") & measures_of("226.8 g")  # an ounce may be fluid


@pytest.mark.parametrize(
    ("asked", "held", "contradicts"),
    [
        ("100 ml", "75 ml", True),
        ("100 ml", "100 ml or 75 ml", False),
        ("100 ml", "10 cm", False),
        ("100 ml", "", False),
        ("", "100 ml", False),
    ],
)
def test_contradictions(asked: str, held: str, contradicts: bool) -> None:
    assert contradict(measures_of(asked), measures_of(held)) is contradicts


@given(st.text(alphabet="0123456789., -\"'mlcgkoz inchpackof", max_size=40))
def test_any_text_is_read(text: str) -> None:
    found: Measures = measures_of(text)
    assert all(amount >= 0 for _, amount in found)
