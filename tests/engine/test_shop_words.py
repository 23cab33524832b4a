"""Reading the catalogue's words in the background."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, Product, StoreError
from engine.plan import Selection
from engine.rules import QueryIs, Rule, Then, When
from engine.shop_words import ShopWords
from tests.api.harness import build, make_photos, make_settings

SOON_S = 30.0


class Leases:
    """Counts what is asked of the live generation; there is none, or asking fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: queue.Queue[None] = queue.Queue()
        self.error = error

    @contextmanager
    def __call__(self) -> Iterator[None]:
        self.asked.put(None)
        if self.error:
            raise self.error
        yield None


@pytest.mark.parametrize("error", [None, StoreError("the store is gone")])
def test_another_generation_is_read_at_once_though_the_last_reading_failed(
    error: Exception | None, caplog: pytest.LogCaptureFixture
) -> None:
    leases = Leases(error)
    behaviour: Any = None  # asked only where there is a generation
    others = set(threading.enumerate())
    words = ShopWords(leases, behaviour)
    with caplog.at_level(logging.CRITICAL):
        for _ in range(3):
            words.changed(now=True)
            leases.asked.get(timeout=SOON_S)
        words.close()
    assert set(threading.enumerate()) <= others
    assert words.suggest("a", 5) == []


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    settings = make_settings(tmp_path / "data")
    build(settings, make_photos(tmp_path / "shop"))
    with Engine(settings) as engine:
        yield engine


def lexicon_of(engine: Engine) -> Any:
    with engine._live() as live:
        return live.shop.current.lexicon


def test_processors_learn_the_words_and_lose_those_that_are_gone(engine: Engine) -> None:
    engine.words.read()
    assert lexicon_of(engine).words["shoe"] == 5
    assert lexicon_of(engine).words["acme"] == 10  # a brand
    assert lexicon_of(engine).together("red", "shoe") == 0  # one title alone
    engine.put([(Product(id="z", title="Zebra rug"), [])])
    assert lexicon_of(engine).knows("zebra")
    engine.words.read()
    engine.delete("z")
    engine.words.read()
    assert not lexicon_of(engine).knows("zebra")


def test_what_rules_hide_from_everybody_is_not_suggested(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.put([(Product(id="z", title="Zebra rug"), []), (Product(id="y", title="Zebra rug"), [])])
    engine.words.read()
    assert [s.text for s in engine.suggest("zeb")] == ["zebra rug", "Zebra rug"]
    told: list[bool] = []
    monkeypatch.setattr(engine.words, "changed", lambda **_: told.append(True))
    then = Then(hide=(Selection(ids=("z",)), Selection(filters={"price": {"gt": 1e6}}, ids=("y",))))
    somewhere = Rule("some", then, When(query=QueryIs(words="rug")))
    for rule, suggested in ((somewhere, 2), (Rule("all", then), 0)):
        engine.rules.put(rule)
        told.clear()
        engine.suggest("zeb")
        assert told, "other rules, another reading"
        engine.words.read()
        assert len(engine.suggest("zeb")) == suggested
    assert lexicon_of(engine).knows("zebra"), "it is spelt as before"
    told.clear()
    engine.suggest("zeb")
    assert not told
    engine.erase_user("ada")
    engine.suggest("zeb")
    assert told, "her searches no longer count"


def test_a_trial_knows_the_words_of_its_generation(engine: Engine) -> None:
    with engine.trial() as trial:
        assert trial.live.shop.current.lexicon.knows("shoe")


def test_a_broken_file_of_synonyms_is_a_problem_of_the_shop(engine: Engine) -> None:
    assert not any("synonyms" in problem for problem in engine.health().problems)
    engine.synonyms.path.write_text("[")
    assert any("synonyms.json" in problem for problem in engine.health().problems)
