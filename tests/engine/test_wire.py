"""What a child may say: decoded by type, bounded, never unpickled."""

from __future__ import annotations

import pickle
import socket
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest

from engine import QueryPlan, Span
from engine.wire import (
    HEADER,
    Because,
    Channel,
    Done,
    Garbage,
    Numbers,
    Planned,
    Raised,
    Ready,
    Refused,
    decoded,
    encoded,
)

GENEROUS_S = 30.0


@pytest.fixture
def pair() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield Channel(ours), theirs
    ours.close()
    theirs.close()


@pytest.mark.parametrize(
    "answer",
    [
        Ready(("price",), ("image", "text"), True, ("profile", "popularity")),
        Refused("no such option", settings=True),
        Raised("MemoryError: ", memory=True),
        Planned(None),
        Planned(QueryPlan(text="x", spans=(Span(0, 1, "color", "x"),), filters={"a": [1, "b"]})),
        Because([{"price": 1.5, "why": "cheap"}, {}]),
        Done(),
    ],
    ids=lambda answer: type(answer).__name__,
)
def test_answers_arrive_as_they_were(answer: Any) -> None:
    assert decoded(encoded(answer)) == answer


@pytest.mark.parametrize(
    "values",
    [
        np.linspace(0, 1, 7, dtype=np.float32),
        np.arange(6)[::-2],
        np.ones((2, 3)),
        np.asarray([True, False]),
        np.zeros(0),
        np.asarray([1, 2], dtype=">i4"),
        [0.5, 1],
        3,
    ],
    ids=repr,
)
def test_numbers_arrive_as_they_were(values: Any) -> None:
    answer = decoded(encoded(Numbers.of(values)))
    assert isinstance(answer, Numbers)
    np.testing.assert_array_equal(answer.array, np.asarray(values))
    assert answer.array.dtype.kind == np.asarray(values).dtype.kind
    assert not answer.array.flags.writeable


@pytest.mark.parametrize("values", [["high"], [None], [object()], [1j], "text", {}], ids=repr)
def test_what_are_no_numbers(values: Any) -> None:
    with pytest.raises(ValueError, match="expected numbers, not"):
        Numbers.of(values)


@pytest.mark.parametrize("shape", [(3,), (1, 2), (1 << 62, 4)])
def test_numbers_that_do_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="reshape"):
        _ = Numbers("<f4", shape, b"1234").array


def numbers(dtype: str, shape: list[int]) -> bytes:
    answer = {"type": "Numbers", "dtype": dtype, "shape": shape, "data": b"12345678"}
    return msgspec.msgpack.encode(answer)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff" * 20,
        pickle.dumps(Done()),
        msgspec.msgpack.encode({"type": "Nonsense"}),
        msgspec.msgpack.encode({"type": "Ready", "required_vectors": ["pixels"]}),
        msgspec.msgpack.encode({"type": "Ready", "required_behaviour": ["orders"]}),
        numbers("|O", [1]),
        numbers("<f8", [-1]),
        msgspec.msgpack.encode({"type": "Planned", "plan": {"text": 5}}),
        b"\x91" * 100_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_garbage(body: bytes) -> None:
    with pytest.raises(Garbage, match="cannot be read"):
        decoded(body)


def test_a_frame_arrives_whole(pair: tuple[Channel, socket.socket]) -> None:
    ours, theirs = pair
    body = bytes(range(256)) * 100
    theirs.sendall(HEADER.pack(7, len(body)) + body)
    assert ours.receive(GENEROUS_S) == (7, body)


def test_an_endless_frame_is_refused_before_it_is_read(pair: tuple[Channel, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(HEADER.pack(1, 1 << 60))
    with pytest.raises(Garbage, match="1,152,921,504,606,846,976 bytes"):
        ours.receive(GENEROUS_S, limit=1 << 20)


def test_half_a_frame_is_an_end(pair: tuple[Channel, socket.socket]) -> None:
    ours, theirs = pair
    theirs.sendall(HEADER.pack(1, 10) + b"12345")
    theirs.close()
    with pytest.raises(EOFError):
        ours.receive(GENEROUS_S)


def test_what_drips_is_late(pair: tuple[Channel, socket.socket]) -> None:
    """The deadline is for the whole frame, not for each piece of it."""
    ours, theirs = pair
    theirs.sendall(HEADER.pack(1, 10) + b"12345")
    with pytest.raises(TimeoutError):
        ours.receive(0.01)


def test_what_has_arrived_is_not_late(pair: tuple[Channel, socket.socket]) -> None:
    ours, theirs = pair
    with pytest.raises(TimeoutError):
        ours.receive(0.0)
    theirs.sendall(HEADER.pack(3, 5) + b"12345")
    assert ours.receive(0.0) == (3, b"12345")


def test_dripping_does_not_stretch_the_deadline() -> None:
    class Drips:
        """Always has one byte more."""

        reads = 0

        def settimeout(self, seconds: float | None) -> None:
            assert seconds == 0

        def recv_into(self, view: memoryview) -> int:
            self.reads += 1
            return 1

    drips: Any = Drips()
    with pytest.raises(TimeoutError):
        Channel(drips).receive(0.0)
    assert drips.reads == 1


def test_what_nobody_takes_is_late(pair: tuple[Channel, socket.socket]) -> None:
    ours, _theirs = pair
    with pytest.raises(TimeoutError):
        ours.send(1, bytes(64 << 20), 0.01)
