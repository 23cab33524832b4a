"""What a ranker or arranger must do that offers ``explain`` (:class:`engine.window.Explains`).

Components without it pass every clause.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.ranking import reason_check
from engine.types import Reasons
from engine.window import Arranger, Explains, Ranker, RankingBatch

from .broken import ContractBroken, accepted, called
from .windows import Method, Windows

REASON_HINT = (
    "Return one dict per row: its keys are words for a shopkeeper, its values finite floats or "
    "words. float(x) makes a plain float of NumPy's."
)


def explains_each_row_asked_for(component: Ranker | Arranger, windows: Windows) -> None:
    """`explain` gives one mapping per row asked for, in that order, of words to finite numbers
    or words, whatever the products lack."""
    if not isinstance(component, Explains):
        return
    windows_of: Sequence[tuple[RankingBatch, str]]
    windows_of = ((windows.plain(50), "window of 50"), (windows.gappy(9), "values missing"))
    windows_of += (windows.odd(20), "unusual values"), (windows.understood(20), "a full plan")
    for batch, what in windows_of:
        if not _called_first(component, windows.method, batch):
            continue
        every = _reasons(component, batch, range(len(batch.ids)), what)
        if not all(np.isfinite(value) for row in every for value in numbers_of(row)):
            raise ContractBroken(
                f"explain() gave a number that is not finite ({what})", REASON_HINT
            )
        some = [5, 2, 0]
        if _reasons(component, batch, some, "three rows") != [every[row] for row in some]:
            hint = "rows are indices into batch.ids; answer in their order."
            raise ContractBroken("explain() of some rows says other than of all", hint)
        _reasons(component, batch, [], "no rows")


def explains_from_the_batch_alone(component: Ranker | Arranger, windows: Windows) -> None:
    """`explain` says the same of a batch however many others were ranked since."""
    if not isinstance(component, Explains):
        return
    batch, rows = windows.plain(50), range(50)
    if not _called_first(component, windows.method, batch):
        return
    first = _reasons(component, batch, rows, "window of 50")
    _called_first(component, windows.method, windows.rescored(30))
    if _reasons(component, batch, rows, "after another search") != first:
        hint = "Searches run side by side: compute from batch, keep nothing of rank() on self."
        raise ContractBroken("explain() told of another search", hint)


def numbers_add_up_to_the_change(ranker: Ranker, windows: Windows) -> None:
    """The numbers given for a product add up to what the ranker changed of its score."""
    if not isinstance(ranker, Explains):
        return
    batch = windows.plain(50)
    scores = called(lambda: np.asarray(ranker.rank(batch), np.float64), "rank(): window of 50")
    change = scores - batch.scores
    found = _reasons(ranker, batch, range(50), "window of 50")
    for row, (reasons, delta) in enumerate(zip(found, change, strict=True)):
        if (numbers := numbers_of(reasons)) and not np.isclose(sum(numbers), delta, 0.02, 1e-5):
            hint = "Numbers are in the unit of the scores; say other quantities in words."
            told = f"explain() accounts for {sum(numbers):.5f} of {delta:.5f}"
            raise ContractBroken(f"{told} that product {batch.ids[row]} gained", hint)


EXPLAINING: tuple[Callable[[Any, Windows], None], ...] = (
    explains_each_row_asked_for,
    explains_from_the_batch_alone,
)
ADVICE_OF_EXPLAINING = (numbers_add_up_to_the_change,)
ABOUT_EXPLAINING = frozenset((*EXPLAINING, *ADVICE_OF_EXPLAINING))


def numbers_of(reasons: Reasons) -> list[float]:
    """The reasons that are numbers."""
    return [float(value) for value in reasons.values() if not isinstance(value, str)]


def _called_first(component: object, method: Method, batch: RankingBatch) -> bool:
    """As in a search, where reasons are asked for after an answer. Who has none for ``batch``
    breaks another clause, and is asked for no reasons."""
    try:
        getattr(component, method)(batch)
    except Exception:
        return False
    return True


def _reasons(
    component: Explains, batch: RankingBatch, rows: Sequence[int], what: str
) -> list[Reasons]:
    asked = np.asarray(rows, dtype=np.intp)
    found = called(lambda: component.explain(batch, asked), f"explain(): {what}", REASON_HINT)
    accepted(reason_check(len(asked)), found, what, REASON_HINT)
    return [dict(reasons) for reasons in found]
