"""What the server and the process of an isolated component say to each other.

A frame is a header (number of the question, length) and a body. Questions are pickled: the child
trusts the server. Answers are MessagePack, decoded by type into :data:`Answer`: the server does
not trust the child, and unpickling would run what it likes.
"""

from __future__ import annotations

import socket
import struct
import time
from contextlib import suppress
from typing import Annotated, Any, Literal, cast, get_args

import msgspec
import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from .plan import QueryPlan
from .settings import PluginSettings
from .types import Reasons

HEADER = struct.Struct("!QQ")
MAX_ANSWER = 16 << 20
"""Bytes; a plan with many spans has some kilobytes, a window of scores four a product."""
LATE_PIECE = 4096
"""Bytes; what drips in by less after the deadline had not arrived by then."""
MAX_WORDS = 1000
"""Characters of an error message."""


DType = Literal["|b1", "|i1", "|u1", "<i2", "<i4", "<i8", "<u2", "<u4", "<u8", "<f2", "<f4", "<f8"]
"""What arrays may hold, as NumPy writes it."""


class Garbage(Exception):
    """What came is no answer to what was asked."""


class Recipe(Struct, frozen=True):
    """What a child is to build: a component of one plugin, with the options that the settings
    give it, in ``memory_mb`` more than a bare interpreter takes. Without a ``name`` it only says
    what the plugin offers. ``registry`` is by what a component that is made of others' finds them;
    without it, nothing but its plugin is imported."""

    plugin: str
    kind: str
    name: str
    options: dict[str, Any]
    memory_mb: int
    parent: int
    log_level: int
    registry: PluginSettings | None = None


class Ready(Struct, frozen=True, tag=True):
    """The component is built and declares this."""

    required_fields: tuple[str, ...] = ()
    required_vectors: tuple[Literal["text", "image"], ...] = ()
    explains: bool = False
    required_behaviour: tuple[Literal["profile", "popularity"], ...] = ()
    for_known_shoppers: bool = False


class Offer(Struct, frozen=True):
    """A component: the names of its options, and whether it is made of others'."""

    options: tuple[str, ...]
    composed: bool = False


class Offers(Struct, frozen=True, tag=True):
    """What the plugin registers: kind → component."""

    components: dict[str, dict[str, Offer]]


class Refused(Struct, frozen=True, tag=True):
    """The component cannot be built; whether that is for its settings."""

    words: str
    settings: bool = False


class Raised(Struct, frozen=True, tag=True):
    """The call raised; whether for want of memory."""

    words: str
    memory: bool = False


class Numbers(Struct, frozen=True, tag=True):
    """An array of numbers or flags, C order."""

    dtype: DType
    shape: tuple[Annotated[int, Meta(ge=0)], ...]
    data: bytes

    @classmethod
    def of(cls, values: Any) -> Numbers:
        """Raises ValueError where ``values`` are not numbers."""
        array = np.asarray(values)
        array = array.astype(array.dtype.newbyteorder("<"), copy=False)
        if array.dtype.str not in get_args(DType):
            raise ValueError(f"expected numbers, not {array.dtype}")
        return cls(cast(DType, array.dtype.str), array.shape, array.tobytes())

    @property
    def array(self) -> npt.NDArray[Any]:
        """Read-only. Raises ValueError where bytes and shape do not fit."""
        return np.frombuffer(self.data, np.dtype(self.dtype)).reshape(self.shape)


class Planned(Struct, frozen=True, tag=True):
    """What a processor made of the plan; None where it left it as it was."""

    plan: QueryPlan | None


class Because(Struct, frozen=True, tag=True):
    """What a ranker or arranger says about each product."""

    rows: list[Reasons]


class Done(Struct, frozen=True, tag=True):
    """Nothing to say."""


Answer = Ready | Offers | Refused | Raised | Numbers | Planned | Because | Done
_decoder: msgspec.msgpack.Decoder[Answer] = msgspec.msgpack.Decoder(Answer)


class Channel:
    """One end of a stream socket between the two. Not thread-safe."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock

    def send(self, number: int, body: bytes, within_s: float | None = None) -> None:
        """Raises TimeoutError where the other end does not take it in time, OSError where it is
        gone."""
        self._socket.settimeout(within_s)
        self._socket.sendall(HEADER.pack(number, len(body)) + body)

    def receive(self, within_s: float | None = None, limit: int | None = None) -> tuple[int, bytes]:
        """The next frame's number and body.

        The time counts from now on. What has arrived by the time that this thread looks is not
        late: others may have held the GIL meanwhile.

        Raises:
            TimeoutError: it is not here in time. EOFError: the other end is gone.
            Garbage: it says that it is longer than ``limit``.
        """
        until = None if within_s is None else time.monotonic() + within_s
        number, length = HEADER.unpack(self._exactly(HEADER.size, until))
        if limit is not None and length > limit:
            raise Garbage(f"an answer of {length:,} bytes")
        return number, self._exactly(length, until)

    def close(self) -> None:
        """Also wakes who is waiting for it."""
        with suppress(OSError):  # the other end is gone already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _exactly(self, size: int, until: float | None) -> bytes:
        body = bytearray(size)
        view, have = memoryview(body), 0
        while have < size:
            left = None if until is None else max(0.0, until - time.monotonic())
            self._socket.settimeout(left)
            try:
                got = self._socket.recv_into(view[have:])
            except BlockingIOError:  # how a socket with a timeout of 0 says so
                raise TimeoutError from None
            if not got:
                raise EOFError
            have += got
            if left == 0 and got < LATE_PIECE and have < size:
                raise TimeoutError
        return bytes(body)


def encoded(answer: Answer) -> bytes:
    return msgspec.msgpack.encode(answer)


def decoded(body: bytes) -> Answer:
    """Raises Garbage."""
    try:
        return _decoder.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Garbage(f"an answer that cannot be read: {error}") from error
