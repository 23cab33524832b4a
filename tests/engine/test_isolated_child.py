"""The child's side, run here: what it answers to each question. Its limits are tested where it is
a process (test_fault_table.py, test_isolation.py)."""

from __future__ import annotations

import os
import pickle
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from engine import IndexSchema, QueryPlan, isolated_child
from engine.wire import (
    Because,
    Channel,
    Done,
    Numbers,
    Offer,
    Offers,
    Planned,
    Raised,
    Ready,
    Recipe,
    Refused,
    decoded,
)

from .installed import FAULTY, install
from .test_isolation import batch

Talk = Callable[..., Any]
SHOP = {"schema": IndexSchema(), "vocabulary": {"color": {"red": 1}}}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        modules = {"faulty": FAULTY, "broken": "1 / 0"}
        install(tmp_path_factory.mktemp("plugins"), patch, "child", modules)
        yield


@pytest.fixture
def talk(installed: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Talk]:
    """Ask a child for a component, and then each question; its answers."""
    ours, theirs = socket.socketpair()
    monkeypatch.setattr(sys, "argv", ["child", str(theirs.detach())])
    monkeypatch.setattr(isolated_child, "_limit_memory", lambda megabytes: None)
    monkeypatch.setattr(isolated_child, "_die_with", lambda parent: None)
    channel, thread = Channel(ours), threading.Thread(target=isolated_child.main)
    thread.start()

    def talk(kind: str, name: str, *questions: Any, plugin: str = "faulty", **options: Any) -> Any:
        recipe = Recipe(plugin, kind, name, options, 64, os.getpid(), 30)
        answers = []
        for number, said in enumerate((recipe, *questions)):
            channel.send(number, pickle.dumps(said))
            again, body = channel.receive()
            assert again == number
            answers.append(decoded(body))
        return answers

    yield talk
    channel.close()
    thread.join(60)
    assert not thread.is_alive(), "it ends when its server is done with it"


def test_a_ranker(talk: Talk) -> None:
    given, rows = batch(), np.asarray([0])
    ready, scores, why = talk("rankers", "sound", ("rank", given), ("explain", given, rows))
    assert ready == Ready(("price",), ("image",), explains=True)
    assert isinstance(scores, Numbers)
    np.testing.assert_array_equal(scores.array, given.scores)
    assert why == Because([{"price": 1.0}])


def test_an_arranger(talk: Talk) -> None:
    ready, order = talk("arrangers", "turns", ("arrange", batch()))
    assert ready == Ready()
    assert order.array.tolist() == [3, 2, 1, 0]


def test_a_processor(talk: Talk) -> None:
    plan = ("process", QueryPlan(text="red"))
    ready, done, planned = talk("query_processors", "shouts", ("shop", SHOP), plan)
    assert (ready, done) == (Ready(), Done())
    assert planned == Planned(QueryPlan(text="RED"))


def test_a_processor_that_changes_nothing(talk: Talk) -> None:
    plan = ("process", QueryPlan(text="red"))
    assert talk("query_processors", "p-same", ("shop", SHOP), plan)[-1] == Planned(None)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("p-no-plan", "ValueError: process() must return a QueryPlan, not str"),
        ("p-encodes", "UnsupportedModality: the shop's text encoder is not there"),
    ],
)
def test_a_processor_that_fails(talk: Talk, name: str, words: str) -> None:
    plan = ("process", QueryPlan(text="red"))
    _, done, raised = talk("query_processors", name, ("shop", SHOP), plan)
    assert done == Done()  # it need not cope with an empty query
    assert raised.words.startswith(words)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("raises", "LookupError: the price list is gone"),
        ("exits", "SystemExit: 3"),
        ("words", "ValueError: expected numbers, not <U4"),
    ],
)
def test_a_call_that_fails_leaves_it_answering(talk: Talk, name: str, words: str) -> None:
    _, *answers = talk("rankers", name, ("rank", batch()), ("rank", batch()))
    assert answers == [Raised(words)] * 2


def test_want_of_memory_is_told_apart(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(answers: Any, given: Any) -> Any:
        raise MemoryError("64 bytes")

    monkeypatch.setattr(isolated_child.Answers, "rank", exhausted)
    raised = talk("rankers", "sound", ("rank", batch()))[-1]
    assert raised == Raised("MemoryError: 64 bytes", memory=True)


@pytest.mark.parametrize(
    ("name", "options", "refused"),
    [
        ("unbuilt", {}, Refused("'unbuilt' cannot be built: OSError: no such price list")),
        (
            "sound",
            {"strong": 1},
            Refused(
                "options of 'sound': no option 'strong'; it knows: strength", settings=True
            ),
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_built(
    talk: Talk, name: str, options: dict[str, Any], refused: Refused
) -> None:
    assert talk("rankers", name, **options) == [refused]


def test_a_plugin_that_cannot_be_loaded(talk: Talk) -> None:
    (refused,) = talk("rankers", "any", plugin="broken")
    assert refused == Refused("plugin 'broken': ZeroDivisionError: division by zero")


def test_what_a_plugin_offers(talk: Talk) -> None:
    (offers,) = talk("", "")
    assert isinstance(offers, Offers)
    assert offers.components["rankers"]["sound"] == Offer(("strength",))
    assert offers.components["arrangers"]["turns"] == Offer(())
    assert offers.components["encoders"] == {}
