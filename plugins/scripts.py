"""Which script a text is written in, and which languages are written so."""

from __future__ import annotations

import unicodedata
from collections import Counter
from typing import Final

LATIN: Final = "latin"
SCRIPTS: Final[dict[str, tuple[str, ...]]] = {
    "han": ("zh", "ja"),
    "kana": ("ja",),
    "hangul": ("ko",),
    "cyrillic": ("ru", "uk", "bg", "sr", "mk", "be", "kk", "mn"),
    "arabic": ("ar", "fa", "ur"),
    "hebrew": ("he", "yi"),
    "greek": ("el",),
    "thai": ("th",),
    "devanagari": ("hi", "mr", "ne"),
    "armenian": ("hy",),
    "georgian": ("ka",),
}
"""Languages of a script, the commonest first; a language that is in none is written in Latin."""
_NAMES: Final = {
    **{"CJK": "han", "HIRAGANA": "kana", "KATAKANA": "kana", "HANGUL": "hangul"},
    **{script.upper(): script for script in SCRIPTS if script not in ("han", "kana")},
    "LATIN": LATIN,
}
_WORDS: Final = {"han": 2.0, "kana": 1.0, "hangul": 1.5}
"""What a character of these says, in letters."""


def script_of(text: str) -> str:
    """The script that most of the letters are of; empty where there are none, or unknown ones.

    Kana decide for Japanese, whatever stands beside them.
    """
    counts: Counter[str] = Counter()
    for char in text:
        if char.isalpha():
            name = unicodedata.name(char, "").partition(" ")[0].partition("-")[0]
            script = _NAMES.get(name, "")
            counts[script] += _WORDS.get(script, 1.0)  # type: ignore[assignment]
    if counts.get("kana") and counts["kana"] + counts["han"] >= counts[LATIN]:
        return "kana"
    return max(counts, key=lambda script: counts[script], default="")


def languages_of(script: str) -> tuple[str, ...]:
    """The languages written in a script that is not Latin."""
    return SCRIPTS.get(script, ())


def can_be(language: str, script: str) -> bool:
    """Whether ``language`` may be written in ``script``."""
    own = {name for name, languages in SCRIPTS.items() if language in languages}
    return not script or (script in own if own else script == LATIN)
