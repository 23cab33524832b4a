"""What rankers and arrangers must do, one function per clause.

A clause takes the component and :class:`~engine.conformance.windows.Windows` made for it, and
raises :class:`~engine.conformance.broken.ContractBroken`. Its name and docstring are what
``entrepot plugins check``, the pytest classes and the reference show.

The contract is what the engine refuses, or what would make an answer wrong or different from
one time to the next. Advice is what a pipeline works better with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from engine.profiles import UserProfile
from engine.protocols import Vectors
from engine.ranking import index_check, score_check, take
from engine.window import Arranger, NeedsBehaviour, Ranker, RankingBatch

from .broken import ContractBroken, accepted, called
from .explaining import ADVICE_OF_EXPLAINING, EXPLAINING
from .spoken import said
from .windows import SIZES, Windows, arrays_of

Clause = Callable[[Any, Windows], None]
Order = npt.NDArray[np.intp]

THREADS = 4
SIZE_HINT = "A window may hold a single candidate, and a lane may have found none of it."
NONE_HINT = (
    "batch.columns holds None where a product has no value: replace it before you count. "
    "batch.profile and batch.popularity may be None, too."
)
KIND_HINT = (
    "A keyword may be any text, or a list of texts; a number any finite number, 0 too. If this is "
    "an attribute of another kind, say so: --field NAME=number."
)
PHOTO_HINT = (
    "A photo's query has no words and its window only the lane `photo`: look lanes up with "
    "batch.lane_ranks.get(name), and expect plan.text to be empty."
)
SHAPE_HINT = "Return one float32 per id, in the order of batch.ids, finite: np.nan_to_num() helps."
ARRANGE_HINT = "Return a flat integer array of distinct positions in batch.ids."


def declares_fields_and_vectors(component: Ranker | Arranger, windows: Windows) -> None:
    """`required_fields`, `required_vectors` and, where there is one, `required_behaviour` are
    sequences of names; vectors are "text" or "image", behaviour "profile" or "popularity". One
    that is `for_known_shoppers` asks for the profile."""
    behaviour = ("required_behaviour",) if isinstance(component, NeedsBehaviour) else ()
    for name in ("required_fields", "required_vectors", *behaviour):
        found = getattr(component, name, None)
        if (
            not isinstance(found, Sequence)
            or isinstance(found, str)
            or not all(isinstance(each, str) for each in found)
        ):
            hint = f'Write {name} = ("one", "two"), or () for none; ("one") is a plain string.'
            raise ContractBroken(f"{name} is {found!r}", hint)
    if unknown := set(component.required_vectors) - {"text", "image"}:
        raise ContractBroken(f"required_vectors names {sorted(unknown)}", "There are: text, image.")
    wanted = component.required_behaviour if isinstance(component, NeedsBehaviour) else ()
    if odd := set(wanted) - {"profile", "popularity"}:
        hint = "There are: profile, popularity."
        raise ContractBroken(f"required_behaviour names {sorted(odd)}", hint)
    if getattr(component, "for_known_shoppers", False) and "profile" not in wanted:
        hint = 'Say required_behaviour = ("profile",), or nobody is known and it never runs.'
        raise ContractBroken("for_known_shoppers, but asks for no profile", hint)


def answers_in_every_size(component: Ranker | Arranger, windows: Windows) -> None:
    """A usable answer for windows of 1 to 200 candidates: of a ranker one finite float each, of
    an arranger distinct indices."""
    for n in SIZES:
        _answer(component, windows, windows.plain(n), f"window of {n}", SIZE_HINT)


def copes_with_missing_values(component: Ranker | Arranger, windows: Windows) -> None:
    """The same where some products, or all, lack the declared fields and vectors, and where
    nothing is known of the shopper."""
    _answer(component, windows, windows.gappy(30), "some products lack values", NONE_HINT)
    _answer(component, windows, windows.bare(9), "there is nothing that it declares", NONE_HINT)


def copes_with_odd_values(component: Ranker | Arranger, windows: Windows) -> None:
    """The same for other alphabets, long and several values, very small and large numbers."""
    _answer(component, windows, windows.odd(60), "unusual values", KIND_HINT)


def copes_with_a_plan_that_says_all(component: Ranker | Arranger, windows: Windows) -> None:
    """The same for a plan and a request that say all they can: two values of one field wanted,
    one of another excluded, a reading that names no field, rules."""
    batch = windows.understood(60)
    hint = f"The plan had spans: {said(batch.plan)}."
    _answer(component, windows, batch, "a plan that says all it can", hint)


def copes_with_a_photo_alone(component: Ranker | Arranger, windows: Windows) -> None:
    """The same for a photo's query, which has no words and no lanes of words."""
    _answer(
        component, windows, windows.plain(9, text=""), "a query by photo, without words", PHOTO_HINT
    )


def copes_with_scores_of_another_ranker(component: Ranker | Arranger, windows: Windows) -> None:
    """The same where earlier rankers left scores in no order and many of them equal."""
    hint = "Rankers see one fixed order of rows; only batch.scores changes between them."
    _answer(component, windows, windows.rescored(50), "scores of an earlier ranker", hint)


def leaves_the_batch_alone(component: Ranker | Arranger, windows: Windows) -> None:
    """Nothing in the batch is changed: arrays are read-only, and its lists are the next
    component's, too."""
    batch = windows.plain(30)
    before = msgspec.json.encode(_builtins(batch))
    _answer(component, windows, batch, "window of 30", "Work on a copy: batch.scores.copy().")
    if msgspec.json.encode(_builtins(batch)) != before:
        raise ContractBroken("the batch is another one afterwards", "Copy a list before you sort.")


def gives_the_same_again(component: Ranker | Arranger, windows: Windows) -> None:
    """Equal windows get equal answers, whatever came between."""
    first = _answer(component, windows, windows.plain(50), "window of 50")
    _answer(component, windows, windows.odd(20), "unusual values", KIND_HINT)
    if not np.array_equal(first, _answer(component, windows, windows.plain(50), "window of 50")):
        hint = "Nothing may depend on chance, the clock or earlier calls: seed a generator per call"
        raise ContractBroken("the same window got another answer the second time", f"{hint}.")


def gives_the_same_from_any_thread(component: Ranker | Arranger, windows: Windows) -> None:
    """Several windows at once get the answers that they get one by one."""
    batches = [windows.plain(50), windows.odd(40), windows.rescored(30), windows.understood(20)]
    expected = [_answer(component, windows, batch, "one by one", KIND_HINT) for batch in batches]
    with ThreadPoolExecutor(THREADS) as threads:
        found = threads.map(
            lambda batch: _answer(component, windows, batch, "four threads at once"),
            batches * THREADS,
        )
        for answer, alone in zip(found, expected * THREADS, strict=True):
            if not np.array_equal(answer, alone):
                hint = "Keep what a call works with in local variables, not on self."
                raise ContractBroken("calls on several threads disturb one another", hint)


def keeps_scores_positive(ranker: Ranker, windows: Windows) -> None:
    """Positive scores stay above zero: other rankers multiply scores, and half of a negative
    score is a better one."""
    for n in SIZES:
        if np.min(_scores(ranker, windows.plain(n), f"window of {n}")) < 0:
            hint = "Multiply by a factor, or squash a model's output with 1 / (1 + exp(-x))."
            raise ContractBroken("rank() made positive scores negative", hint)


def scores_go_with_their_products(ranker: Ranker, windows: Windows) -> None:
    """Given the rows in another order, each product gets the score it had."""
    batch = windows.plain(50)
    order = np.random.default_rng(3).permutation(50)
    turned = take(batch, order)
    scores = _scores(ranker, batch, "window of 50")[order]
    if not np.allclose(_scores(ranker, turned, "rows in another order"), scores, 1e-3, 1e-7):
        hint = "Are the scores sorted, or in the order of another list than batch.ids?"
        raise ContractBroken("scores depend on the order of the rows", hint)


def keeps_something(arranger: Arranger, windows: Windows) -> None:
    """Of a window of products that have all it needs, something is left."""
    if not len(_order(arranger, windows.plain(50), "window of 50")):
        raise ContractBroken("arrange() dropped everything", "Left-out indices are dropped.")


COMMON: tuple[Clause, ...] = (
    declares_fields_and_vectors,
    answers_in_every_size,
    copes_with_missing_values,
    copes_with_odd_values,
    copes_with_a_plan_that_says_all,
    copes_with_a_photo_alone,
    copes_with_scores_of_another_ranker,
    leaves_the_batch_alone,
    gives_the_same_again,
    gives_the_same_from_any_thread,
)
RANKER: tuple[Clause, ...] = (*COMMON, *EXPLAINING)
RANKER_ADVICE: tuple[Clause, ...] = (
    keeps_scores_positive,
    scores_go_with_their_products,
    *ADVICE_OF_EXPLAINING,
)
ARRANGER: tuple[Clause, ...] = (*COMMON, *EXPLAINING)
ARRANGER_ADVICE: tuple[Clause, ...] = (keeps_something,)


def _answer(
    component: Any, windows: Windows, batch: RankingBatch, what: str, hint: str = ""
) -> npt.NDArray[Any]:
    if windows.method == "rank":
        return _scores(component, batch, what, hint)
    return _order(component, batch, what, hint)


def _scores(ranker: Ranker, batch: RankingBatch, what: str, hint: str = "") -> Vectors:
    found = called(lambda: np.asarray(ranker.rank(batch)), f"rank(): {what}", hint)
    if found.dtype.kind != "f":
        told = f"rank() returned no floats but {found.dtype}"
        raise ContractBroken(f"{told} ({what})", SHAPE_HINT, told)
    return np.array(accepted(score_check(len(batch.ids)), found, what, SHAPE_HINT), np.float32)


def _order(arranger: Arranger, batch: RankingBatch, what: str, hint: str = "") -> Order:
    found = called(lambda: np.asarray(arranger.arrange(batch)), f"arrange(): {what}", hint)
    return np.array(accepted(index_check(len(batch.ids)), found, what, ARRANGE_HINT), np.intp)


def _builtins(batch: RankingBatch) -> Any:
    """All that a component could have changed, as JSON can hold it."""
    arrays = [np.nan_to_num(array, nan=-1.0).tolist() for array in arrays_of(batch)]
    profile = batch.profile or UserProfile()
    tastes = [profile.session.affinities, profile.long_term.affinities]
    return [arrays, batch.ids, batch.columns, msgspec.to_builtins(batch.plan), tastes]
