"""What rankers, arrangers, query processors and recommenders must do, as functions that anyone can
call.

``entrepot plugins check`` calls them on what is installed, the pytest classes of
:mod:`engine.testing` on what a test builds; :func:`examine` runs them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from msgspec import structs

from engine.schema import CORE_FIELDS, FieldKind
from engine.window import Explains

from .broken import ContractAdvice, ContractBroken, Finding
from .deadlines import answers_within_its_deadline
from .explaining import ABOUT_EXPLAINING, ADVICE_OF_EXPLAINING, EXPLAINING
from .occasions import an_occasion, some_events, some_interactions
from .queries import QUERY_PROCESSOR, PlanClause, a_shop, empty_shop, full_plan, planned
from .ranking import ARRANGER, ARRANGER_ADVICE, RANKER, RANKER_ADVICE, Clause
from .recommending import RECOMMENDER, RecommenderClause
from .twins import answers_alike
from .windows import LANES, SIZES, VECTOR_DIM, Method, Values, Windows, make_batch, values_of

__all__ = [
    "ADVICE_OF_EXPLAINING",
    "ARRANGER",
    "ARRANGER_ADVICE",
    "EXAMINED",
    "EXPLAINING",
    "LANES",
    "PLAIN",
    "QUERY_PROCESSOR",
    "RANKER",
    "RANKER_ADVICE",
    "RECOMMENDER",
    "SIZES",
    "VECTOR_DIM",
    "Clause",
    "ContractAdvice",
    "ContractBroken",
    "Finding",
    "PlanClause",
    "RecommenderClause",
    "Values",
    "Windows",
    "a_shop",
    "an_occasion",
    "answers_alike",
    "answers_within_its_deadline",
    "empty_shop",
    "examine",
    "full_plan",
    "kinds_that_work",
    "make_batch",
    "method_of",
    "planned",
    "some_events",
    "some_interactions",
    "title_of",
    "values_of",
]

EXAMINED = ("rankers", "arrangers", "query_processors")
"""The kinds of components that take part in searches; :func:`examine` also knows
"recommenders"."""


PlainClause = PlanClause | RecommenderClause
PLAIN: Mapping[str, Sequence[PlainClause]] = {
    "query_processors": QUERY_PROCESSOR,
    "recommenders": RECOMMENDER,
}
"""The contracts whose clauses take a component alone."""


def examine(kind: str, component: Any, values: Values | None = None) -> Iterator[Finding]:
    """Try ``component`` on every clause of its kind (:data:`EXAMINED`), in order; those
    about ``explain`` where it has it. ``values`` makes the columns of its windows. A clause
    broken by a cause that broke another before says so (:attr:`Finding.told`)."""
    first: dict[str, str] = {}
    for finding in _examined(kind, component, values):
        if finding.broken is None:
            yield finding
            continue
        told = first.setdefault(finding.broken.cause, finding.clause)
        yield structs.replace(finding, told="" if told == finding.clause else told)


def _examined(kind: str, component: Any, values: Values | None) -> Iterator[Finding]:
    plain = PLAIN.get(kind)
    if plain is not None:
        for clause in plain:
            yield _finding(clause, partial(clause, component))
        return
    contract, advice = (RANKER, RANKER_ADVICE) if kind == "rankers" else (ARRANGER, ARRANGER_ADVICE)
    windows = Windows(component, method_of(kind), values)
    for about_windows in (*contract, *advice):
        if about_windows in ABOUT_EXPLAINING and not isinstance(component, Explains):
            continue
        call = partial(about_windows, component, windows)
        yield (found := _finding(about_windows, call, advice=about_windows in advice))
        if found.broken and about_windows is contract[0]:
            return  # what declares nothing usable has no windows


def method_of(kind: str) -> Method:
    """What answers windows in a component of this kind."""
    return "rank" if kind == "rankers" else "arrange"


def title_of(name: str) -> str:
    """A clause's name as words."""
    return name.replace("_", " ")


def kinds_that_work(
    kind: str, component: Any, known: Mapping[str, FieldKind]
) -> Mapping[str, FieldKind]:
    """``known``, and for each other attribute that a ranker or arranger requires the first kind
    of keyword, number and boolean that it can read; keyword where it can read none."""
    found = dict(known)
    declared = getattr(component, "required_fields", ())
    told = {"title", *CORE_FIELDS, *known}
    for name in (name for name in declared if name not in told):
        for guess in FieldKind:
            windows = Windows(component, method_of(kind), partial(_only, name, guess))
            try:
                getattr(component, windows.method)(windows.plain(SIZES[-1]))
            except Exception:  # whatever it raises, it cannot read this kind
                continue
            found[name] = guess
            break
        found.setdefault(name, FieldKind.KEYWORD)
    return found


def _only(name: str, kind: FieldKind, field: str, n: int) -> list[Any]:
    """Values of one attribute, none of the others: one unknown is tried at a time."""
    if field == name or field in CORE_FIELDS or field == "title":
        return values_of({name: kind})(field, n)
    return [None] * n


def _finding(
    clause: Clause | PlanClause | RecommenderClause,
    call: Callable[[], None],
    *,
    advice: bool = False,
) -> Finding:
    try:
        call()
    except ContractBroken as broken:
        return Finding(clause.__name__, broken, advice)
    except Exception as error:  # of a component so odd that the clause itself stumbled
        return Finding(clause.__name__, ContractBroken(f"{type(error).__name__}: {error}"), advice)
    return Finding(clause.__name__, None, advice)
