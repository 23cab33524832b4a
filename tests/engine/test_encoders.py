"""The encoders' wrappers change no embedding, whoever calls beside whom."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine import EncoderError, EncoderInfo, Role, Vectors
from engine.encoders import BatchingEncoder, CachingEncoder

DIM = 8
TIMEOUT_S = 30.0


class Toy:
    """Embeds by character codes or mean colour; records its batches; refuses ``bad``."""

    info = EncoderInfo("toy", "1", DIM, ("text", "image"), "toy-1")

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.closed = 0
        self.before: Callable[[list[Any]], None] = lambda items: None

    def encode_texts(self, texts: Sequence[str], role: Role) -> Vectors:
        return self._rows(list(texts), [f"{role} {text}".encode() for text in texts])

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        return self._rows(list(images), [image.tobytes() for image in images])

    def close(self) -> None:
        self.closed += 1

    def _rows(self, items: list[Any], keys: list[bytes]) -> Vectors:
        self.batches.append(items)
        self.before(items)
        if "bad" in items:
            raise ValueError("bad text")
        seeds = [int.from_bytes(key, "big") % 2**32 for key in keys]
        rows = [np.random.default_rng(seed).normal(size=DIM) for seed in seeds]
        unit = [row / np.linalg.norm(row) for row in rows]
        return np.asarray(unit, dtype=np.float32).reshape(len(items), DIM)


def picture(shade: int) -> Image.Image:
    return Image.new("RGB", (2, 2), (shade, shade, shade))


texts_strategy = st.lists(st.text(max_size=5).filter(lambda t: t != "bad"), max_size=3)
calls_strategy = st.lists(
    st.one_of(
        st.tuples(st.just("query"), texts_strategy),
        st.tuples(st.just("document"), texts_strategy),
        st.tuples(st.just("image"), st.lists(st.integers(0, 255), max_size=3)),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=40)
@given(calls_strategy)
def test_batching_gives_what_the_bare_encoder_gives(calls: list[tuple[Any, list[Any]]]) -> None:
    batching, bare = BatchingEncoder(Toy()), Toy()
    together = threading.Barrier(len(calls))

    def ask(encoder: Any, kind: Any, items: list[Any]) -> Vectors:
        if kind == "image":
            return encoder.encode_images([picture(shade) for shade in items])
        return encoder.encode_texts(items, kind)

    def run(call: tuple[Any, list[Any]]) -> Vectors:
        together.wait(TIMEOUT_S)
        return ask(batching, *call)

    with ThreadPoolExecutor(len(calls)) as threads:
        answers = list(threads.map(run, calls))
    for call, rows in zip(calls, answers, strict=True):
        np.testing.assert_array_equal(rows, ask(bare, *call))


class Watched(threading.Condition):
    """Says when ``full`` threads wait."""

    def __init__(self, full: int) -> None:
        super().__init__()
        self._missing = full
        self.all_wait = threading.Event()

    def wait(self, timeout: float | None = None) -> bool:
        self._missing -= 1
        if self._missing == 0:
            self.all_wait.set()
        return super().wait(timeout)


class Crowd:
    """Callers that all wait while the first one's batch is in the model; ``then`` runs in
    the model before every later batch."""

    def __init__(
        self, texts: Sequence[str], then: Callable[[Crowd], None] = lambda crowd: None
    ) -> None:
        self.toy = Toy()
        self.encoder = BatchingEncoder(self.toy)
        self.encoder._turn = turn = Watched(len(texts))
        inside, go = threading.Event(), threading.Event()

        def before(items: list[Any]) -> None:
            if items == ["first"]:
                inside.set()
                go.wait(TIMEOUT_S)
            else:
                then(self)

        self.toy.before = before
        self.threads = ThreadPoolExecutor(len(texts) + 1)
        self.first = self.threads.submit(self.encoder.encode_texts, ["first"], "query")
        inside.wait(TIMEOUT_S)
        self.futures = [
            self.threads.submit(self.encoder.encode_texts, [text], "query") for text in texts
        ]
        turn.all_wait.wait(TIMEOUT_S)
        go.set()

    def results(self) -> list[Any]:
        self.first.result(TIMEOUT_S)
        done = [f.exception(TIMEOUT_S) or f.result() for f in self.futures]
        self.threads.shutdown()
        return done


def test_who_waits_is_served_as_one_batch() -> None:
    crowd = Crowd(["a", "b", "c"])
    for text, rows in zip("abc", crowd.results(), strict=True):
        np.testing.assert_array_equal(rows, Toy().encode_texts([text], "query"))
    first, rest = crowd.toy.batches
    assert first == ["first"]
    assert sorted(rest) == ["a", "b", "c"]


def test_only_the_guilty_call_fails() -> None:
    crowd = Crowd(["a", "bad", "c"])
    a, bad, c = crowd.results()
    assert isinstance(bad, ValueError)
    for text, rows in (("a", a), ("c", c)):
        np.testing.assert_array_equal(rows, Toy().encode_texts([text], "query"))
    np.testing.assert_array_equal(
        crowd.encoder.encode_texts(["after"], "query"), Toy().encode_texts(["after"], "query")
    )


def test_nobody_serves_others_longer_than_himself() -> None:
    """Before the second batch may end, the caller of the first has its answer."""
    answers: list[Any] = []
    crowd = Crowd(["a", "b"], lambda crowd: answers.append(crowd.first.result(TIMEOUT_S)))
    crowd.results()
    assert len(answers) == 1


def test_a_wrong_number_of_rows_is_an_error() -> None:
    class Short(Toy):
        def encode_texts(self, texts: Sequence[str], role: Role) -> Vectors:
            return super().encode_texts(texts[1:], role)

    with pytest.raises(EncoderError, match="1 embeddings for 2 items"):
        BatchingEncoder(Short()).encode_texts(["a", "b"], "query")


def test_an_interrupted_leader_leaves_its_followers_served() -> None:
    toy = Toy()
    encoder = BatchingEncoder(toy)

    def interrupt(items: list[Any]) -> None:
        raise KeyboardInterrupt

    toy.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        encoder.encode_texts(["a"], "query")
    toy.before = lambda items: None
    assert encoder.encode_texts(["b"], "query").shape == (1, DIM)


def test_wrappers_pass_the_rest_through() -> None:
    toy = Toy()
    encoder = CachingEncoder(BatchingEncoder(toy), 3)
    assert encoder.info is toy.info
    assert encoder.encode_images([picture(3), picture(4)]).shape == (2, DIM)
    assert encoder.encode_texts([], "query").shape == (0, DIM)
    encoder.close()
    assert toy.closed == 1


def test_the_cache_spares_the_model() -> None:
    toy = Toy()
    encoder = CachingEncoder(toy, 10)
    first = encoder.encode_texts(["a", "b", "a"], "query")
    again = encoder.encode_texts(["b", "c", "a"], "query")
    assert toy.batches == [["a", "b"], ["c"]]
    np.testing.assert_array_equal(first, Toy().encode_texts(["a", "b", "a"], "query"))
    np.testing.assert_array_equal(again, Toy().encode_texts(["b", "c", "a"], "query"))


def test_the_cache_forgets_the_longest_unused() -> None:
    toy = Toy()
    encoder = CachingEncoder(toy, 2)
    for text in ("a", "b", "a", "c", "a", "b"):
        encoder.encode_texts([text], "query")
    assert toy.batches == [["a"], ["b"], ["c"], ["b"]]


def test_an_answer_can_be_written_to_without_harm() -> None:
    encoder = CachingEncoder(Toy(), 2)
    encoder.encode_texts(["a"], "query")[:] = 0
    np.testing.assert_array_equal(
        encoder.encode_texts(["a"], "query"), Toy().encode_texts(["a"], "query")
    )


@pytest.mark.parametrize(("size", "role"), [(0, "query"), (5, "document")])
def test_documents_and_a_cache_of_nothing_pass_through(size: int, role: Role) -> None:
    toy = Toy()
    encoder = CachingEncoder(toy, size)
    for _ in range(2):
        encoder.encode_texts(["a", "a"], role)
    assert toy.batches == [["a", "a"], ["a", "a"]]
