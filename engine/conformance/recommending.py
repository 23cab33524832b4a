"""What recommenders must do, one function per clause; see :mod:`engine.conformance.ranking`.

A clause takes a recommender, whatever it has learned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from engine.interactions import Interactions, read_interactions
from engine.recommendations import recommended_check
from engine.recommenders import Learns, Occasion, Recommended, Recommender

from .broken import ContractBroken, accepted, called
from .occasions import NOW, PRODUCTS, occasions, some_interactions

RecommenderClause = Callable[[Recommender], None]

THREADS = 4
COUNTS = (1, 7, 50)
ANSWER_HINT = "Return a list of Recommended: distinct ids, finite scores, no more than asked for."
OCCASION_HINT = "Return [] where there is nothing to go by: other recommenders have an answer."


def answers_on_every_occasion(recommender: Recommender) -> None:
    """A usable answer of no more than `n` products for a product, a cart, a shopper, nobody, and
    in a shop that has nothing; before it has learned anything, and after."""
    for _ in range(2):
        for what, occasion in occasions().items():
            for n in COUNTS:
                _answer(recommender, occasion, n, what)
        _teach(recommender, some_interactions())


def recommends_what_may_be_shown(recommender: Recommender) -> None:
    """What it names belongs to the assortment: of a shop with one other product, that one or
    none; never a seed."""
    _teach(recommender, some_interactions())
    for what, occasion in occasions().items():
        found = [each.id for each in _answer(recommender, occasion, 50, what)]
        if set(found) - set(occasion.assortment.admitted(found, len(found))):
            hint = "Ask occasion.assortment.admitted() which of your products it has."
            raise ContractBroken(f"recommend() named what may not be shown ({what})", hint)


def gives_its_reasons(recommender: Recommender) -> None:
    """Each product comes with a kind and a text; `because` is one of the seeds, or empty."""
    _teach(recommender, some_interactions())
    for what, occasion in occasions().items():
        for each in _answer(recommender, occasion, 50, what):
            if not each.kind or not each.text:
                raise ContractBroken(f"a product without a reason ({what})", "Fill kind and text.")
            if each.because and each.because not in occasion.seeds:
                hint = "because is the id of the seed that the reason is about."
                raise ContractBroken(f"because is {each.because!r}, no seed ({what})", hint)


def recommends_the_same_again(recommender: Recommender) -> None:
    """Equal occasions get equal answers, one by one and from several threads at once."""
    _teach(recommender, some_interactions())
    asked = list(occasions().items())
    first = [_answer(recommender, occasion, 20, what) for what, occasion in asked]
    with ThreadPoolExecutor(THREADS) as threads:
        again = list(
            threads.map(lambda each: _answer(recommender, each[1], 20, each[0]), asked * THREADS)
        )
    if again != first * THREADS:
        hint = "Nothing may depend on chance, the clock or earlier calls."
        raise ContractBroken("the same occasion got another answer the second time", hint)


def copes_with_little_to_learn(recommender: Recommender) -> None:
    """It learns from no interaction at all, and from a single one."""
    if isinstance(recommender, Learns):
        for shoppers in (0, 1):
            seen = some_interactions(shoppers)
            seen = seen.take(np.arange(len(seen)) < 1)
            _teach(recommender, seen)
            for what, occasion in occasions().items():
                _answer(recommender, occasion, 7, f"{what}, {len(seen)} interactions learned")


def forgets_what_is_gone(recommender: Recommender) -> None:
    """What it learns replaces what it learned before: after nothing it answers as after nothing,
    after the same as the first time, whatever came between."""
    if not isinstance(recommender, Learns):
        return
    nothing = read_interactions([], NOW)
    _teach(recommender, nothing)
    before = _all(recommender)
    _teach(recommender, some_interactions())
    learned = _all(recommender)
    _teach(recommender, some_interactions(products=PRODUCTS[30:]))
    _teach(recommender, nothing)
    if _all(recommender) != before:
        hint = "learn() gets everything that is kept: begin anew in it."
        raise ContractBroken("something is left of interactions that are gone", hint)
    _teach(recommender, some_interactions())
    if _all(recommender) != learned:
        raise ContractBroken("the same interactions taught it something else the second time")


def answers_while_it_learns(recommender: Recommender) -> None:
    """Requests go on while it learns: each gets the answer from before or from after."""
    if not isinstance(recommender, Learns):
        return
    _teach(recommender, some_interactions(20))
    older = _all(recommender)
    _teach(recommender, some_interactions())
    newer = _all(recommender)
    with ThreadPoolExecutor(THREADS) as threads:
        busy = [
            threads.submit(_teach, recommender, some_interactions(shoppers))
            for shoppers in (20, 60, 20, 60)
        ]
        for n, (what, occasion) in enumerate(list(occasions().items()) * THREADS):
            place = n % len(older)
            if _answer(recommender, occasion, 20, what) not in (older[place], newer[place]):
                hint = "Make what is learned anew, then put it in place with one assignment."
                raise ContractBroken(f"it answers with something half learned ({what})", hint)
        for each in busy:
            each.result()


RECOMMENDER: tuple[RecommenderClause, ...] = (
    answers_on_every_occasion,
    recommends_what_may_be_shown,
    gives_its_reasons,
    recommends_the_same_again,
    copes_with_little_to_learn,
    forgets_what_is_gone,
    answers_while_it_learns,
)


def _teach(recommender: Recommender, seen: Interactions) -> None:
    component: object = recommender
    if isinstance(component, Learns):
        called(partial(component.learn, seen), "learn()", "Arrays are read-only: work on copies.")


def _answer(
    recommender: Recommender, occasion: Occasion, n: int, what: str
) -> Sequence[Recommended]:
    call = partial(recommender.recommend, occasion, n)
    found = called(call, f"recommend(): {what}", OCCASION_HINT)
    return list(accepted(recommended_check(n), found, what, ANSWER_HINT))


def _all(recommender: Recommender) -> list[Sequence[Recommended]]:
    return [_answer(recommender, occasion, 20, what) for what, occasion in occasions().items()]
