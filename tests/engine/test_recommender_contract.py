"""The contract of recommenders notices what breaks it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from api.cli import main
from engine import Interactions, Occasion, Recommended
from engine.conformance import RECOMMENDER, examine

Answer = Callable[["Learner", Occasion, int], Any]
_COUNT = itertools.count()


class Plain:
    """Recommends what ``answer`` says; learns nothing."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def recommend(self, occasion: Occasion, n: int) -> Any:
        return self._answer(self, occasion, n)


class Learner(Plain):
    """And keeps what it is told, as ``keep`` does."""

    def __init__(self, answer: Answer, keep: Callable[[Learner, Interactions], None]) -> None:
        super().__init__(answer)
        self.known: tuple[str, ...] = ()
        self._keep = keep

    def learn(self, seen: Interactions) -> None:
        self._keep(self, seen)


def named(ids: Any, kind: str = "kind", because: str = "") -> list[Recommended]:
    return [Recommended(id, 1.0, kind, "text", because) for id in ids]


def known(self: Learner, occasion: Occasion, n: int) -> list[Recommended]:
    return named(occasion.assortment.admitted(self.known, n))


def keep(self: Learner, seen: Interactions) -> None:
    self.known = seen.products


def pile_up(self: Learner, seen: Interactions) -> None:
    self.known = tuple(dict.fromkeys((*self.known, *seen.products)))


def overwrite(self: Learner, seen: Interactions) -> None:
    seen.time[:] = 0


def newest_first(self: Learner, seen: Interactions) -> None:
    self.known = (seen.products[seen.product[-1]],)


def by_chance(self: Plain, occasion: Occasion, n: int) -> list[Recommended]:
    ids = occasion.assortment.browse(50)
    turn = next(_COUNT) % max(len(ids), 1)
    return named((ids[turn:] + ids[:turn])[:n])


def all_of_it(self: Plain, occasion: Occasion, n: int) -> list[Recommended]:
    return named(occasion.assortment.browse(n))


BROKEN: dict[str, tuple[Any, str]] = {
    "more than asked for": (
        Plain(lambda self, o, n: named(o.assortment.browse(n + 1))),
        "answers_on_every_occasion",
    ),
    "no list": (Plain(lambda self, o, n: None), "answers_on_every_occasion"),
    "wants a seed": (
        Plain(lambda self, o, n: named([o.seeds[0]][:0])),
        "answers_on_every_occasion",
    ),
    "names the seed": (
        Plain(lambda self, o, n: named(o.seeds[:n])),
        "recommends_what_may_be_shown",
    ),
    "gives no reason": (
        Plain(lambda self, o, n: named(o.assortment.browse(n), kind="")),
        "gives_its_reasons",
    ),
    "a reason about another product": (
        Plain(lambda self, o, n: named(o.assortment.browse(n), because="p039")),
        "gives_its_reasons",
    ),
    "by chance": (Plain(by_chance), "recommends_the_same_again"),
    "wants something to learn from": (Learner(known, newest_first), "copes_with_little_to_learn"),
    "writes into what it learns from": (Learner(known, overwrite), "answers_on_every_occasion"),
    "forgets nothing": (Learner(known, pile_up), "forgets_what_is_gone"),
}


@pytest.mark.parametrize("wrong", BROKEN)
def test_what_is_wrong_is_told(wrong: str) -> None:
    recommender, clause = BROKEN[wrong]
    broken = [each.clause for each in examine("recommenders", recommender) if each.broken]
    assert clause in broken


@pytest.mark.parametrize(
    "good", [Plain(all_of_it), Plain(lambda self, o, n: []), Learner(known, keep)]
)
def test_good_ones_pass(good: Any) -> None:
    findings = list(examine("recommenders", good))
    assert [each.clause for each in findings] == [clause.__name__ for clause in RECOMMENDER]
    assert [each.clause for each in findings if each.broken] == []


def test_the_command_checks_recommenders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "entrepot.toml").write_text('data_dir = "data"\n[plugins]\ndeadline_ms = 60000\n')
    checked = CliRunner().invoke(main, ["plugins", "check", "popularity"])
    assert checked.exit_code == 0, checked.output
    assert "✓ forgets what is gone" in checked.output
