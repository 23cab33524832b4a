"""How likely a typing error is: the channel of the noisy-channel model.

Letters missing, added, wrong or swapped (Damerau) are errors of about the same kind; which of
them is likelier follows the keyboard and the ear: a neighbouring key, a letter doubled or not, a
vowel for a vowel. Costs are negated natural logarithms of likelihood, up to a constant.
"""

from __future__ import annotations

ONE_EDIT = 4.0
"""A letter missing, or two swapped."""
EASY, HARD = 3.2, 5.5
"""A double letter typed once or a single one twice; a wrong or added letter that neither the
keyboard nor the ear explains."""
FIRST = 1.5
"""Added where the first letter is concerned: people rarely mistype it (Yannakoudakis and
Fawthrop, 1983)."""
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_VOWELS = frozenset("aeiouy")
_ALIKE = frozenset({"ck", "cs", "sz", "fv", "gj", "mn", "kq", "bp", "dt"})
"""Consonants that sound alike, in alphabetical order."""


def _neighbours() -> frozenset[str]:
    """Pairs of letters whose keys touch, on a QWERTY keyboard."""
    places = {key: (x + 0.5 * y, y) for y, row in enumerate(_ROWS) for x, key in enumerate(row)}
    return frozenset(
        a + b
        for a, (ax, ay) in places.items()
        for b, (bx, by) in places.items()
        if a != b and abs(ax - bx) <= 1 and abs(ay - by) <= 1
    )


NEIGHBOURS = _neighbours()


def typo_cost(typed: str, meant: str) -> float:
    """The cheapest way from ``meant`` to ``typed`` by optimal string alignment: each letter is
    touched once."""
    rows, columns = len(meant) + 1, len(typed) + 1
    before: list[float] = []
    last = [0.0] * columns
    for j in range(1, columns):
        last[j] = last[j - 1] + _added(typed, j - 1)
    for i in range(1, rows):
        now = [last[0] + _missing(meant, i - 1)] + [0.0] * (columns - 1)
        for j in range(1, columns):
            best = min(
                last[j - 1] + _wrong(meant[i - 1], typed[j - 1], i - 1),
                last[j] + _missing(meant, i - 1),
                now[j - 1] + _added(typed, j - 1),
            )
            if i > 1 and j > 1 and meant[i - 1] == typed[j - 2] and meant[i - 2] == typed[j - 1]:
                best = min(best, before[j - 2] + ONE_EDIT + (FIRST if i == 2 else 0))
            now[j] = best
        before, last = last, now
    return last[-1]


def _wrong(meant: str, typed: str, at: int) -> float:
    if meant == typed:
        return 0.0
    first = FIRST if at == 0 else 0
    if meant + typed in NEIGHBOURS or (meant in _VOWELS and typed in _VOWELS):
        return ONE_EDIT + first
    return (ONE_EDIT if "".join(sorted(meant + typed)) in _ALIKE else HARD) + first


def _missing(meant: str, at: int) -> float:
    if at > 0 and meant[at] == meant[at - 1]:
        return EASY
    return ONE_EDIT + (FIRST if at == 0 else 0)


def _added(typed: str, at: int) -> float:
    around = typed[max(0, at - 1) : at] + typed[at + 1 : at + 2]
    if typed[at] in around:
        return EASY
    near = any(typed[at] + other in NEIGHBOURS for other in around)
    return (ONE_EDIT if near else HARD) + (FIRST if at == 0 else 0)
