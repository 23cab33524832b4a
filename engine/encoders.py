"""Wrappers that are encoders themselves: a cache of query embeddings, and batching of
concurrent calls. Both leave every embedding as the wrapped encoder gives it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from PIL.Image import Image

from .errors import EncoderError
from .protocols import Encoder, Role, Vectors
from .types import EncoderInfo


def fallback_of(encoder: Encoder) -> str:
    """Why an encoder runs on something slower than it was asked to; empty where it does not.

    An encoder that can says so in an attribute ``fallback``; most have no second way.
    """
    reason: str = getattr(encoder, "fallback", "")
    return reason


def bridge_of(encoder: Encoder) -> Encoder | None:
    """The encoder that reads other languages and answers in this one's space, where there is
    one (``[encoders.bridge]``)."""
    bridge: Encoder | None = getattr(encoder, "bridge", None)
    return bridge


class CachingEncoder:
    """Remembers the embeddings of the last ``size`` query texts; documents pass through.

    Images are not cached: hashing their pixels costs a good part of embedding them. ``bridge``
    is for :func:`bridge_of`.
    """

    def __init__(self, encoder: Encoder, size: int, bridge: Encoder | None = None) -> None:
        self._encoder = encoder
        self._size = size
        self.bridge = bridge
        self._lock = threading.Lock()
        self._rows: OrderedDict[str, Vectors] = OrderedDict()

    @property
    def info(self) -> EncoderInfo:
        return self._encoder.info

    @property
    def fallback(self) -> str:
        return fallback_of(self._encoder)

    def encode_texts(self, texts: Sequence[str], role: Role) -> Vectors:
        if role != "query" or not self._size or not texts:
            return self._encoder.encode_texts(texts, role)
        with self._lock:
            rows = {text: self._rows[text] for text in texts if text in self._rows}
            for text in rows:
                self._rows.move_to_end(text)
        missing = [text for text in dict.fromkeys(texts) if text not in rows]
        if missing:
            rows.update(zip(missing, self._encoder.encode_texts(missing, role), strict=True))
            self._remember({text: rows[text] for text in missing})
        return np.stack([rows[text] for text in texts])

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        return self._encoder.encode_images(images)

    def close(self) -> None:
        if self.bridge is not None:
            self.bridge.close()
        self._encoder.close()

    def _remember(self, rows: dict[str, Vectors]) -> None:
        with self._lock:
            # Copies: a row of a batch would keep the whole batch in memory.
            self._rows.update((text, row.copy()) for text, row in rows.items())
            while len(self._rows) > self._size:
                self._rows.popitem(last=False)


class _Call(Struct, eq=False):
    kind: Role | None  # None: images
    items: Sequence[str] | Sequence[Image]
    rows: Vectors | None = None
    error: Exception | None = None

    @property
    def done(self) -> bool:
        return self.rows is not None or self.error is not None


class BatchingEncoder:
    """Joins calls that arrive while the model is busy into one batch.

    An idle encoder runs a call at once. Those who come meanwhile wait; then one of them runs
    all that wait as the next batch, so nobody serves others longer than himself. A failed
    batch is run again call by call: only the guilty call fails.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._turn = threading.Condition()
        self._waiting: list[_Call] = []
        self._busy = False

    @property
    def info(self) -> EncoderInfo:
        return self._encoder.info

    @property
    def fallback(self) -> str:
        return fallback_of(self._encoder)

    def encode_texts(self, texts: Sequence[str], role: Role) -> Vectors:
        return self._submit(_Call(role, texts))

    def encode_images(self, images: Sequence[Image]) -> Vectors:
        return self._submit(_Call(None, images))

    def close(self) -> None:
        self._encoder.close()

    def _submit(self, call: _Call) -> Vectors:
        with self._turn:
            self._waiting.append(call)
            while self._busy and not call.done:
                self._turn.wait()
            if not call.done:
                self._busy = True
                batch, self._waiting = self._waiting, []
        if not call.done:
            try:
                self._run_all(batch)
            finally:
                with self._turn:
                    self._busy = False
                    # Left undone only where this thread was interrupted: for the next one.
                    self._waiting += [c for c in batch if not c.done and c is not call]
                    self._turn.notify_all()
        if call.error is not None:
            raise call.error
        assert call.rows is not None
        return call.rows

    def _run_all(self, calls: list[_Call]) -> None:
        kinds: tuple[Role | None, ...] = ("query", "document", None)
        for kind in kinds:
            if group := [call for call in calls if call.kind == kind]:
                self._run(kind, group)

    def _run(self, kind: Role | None, calls: list[_Call]) -> None:
        items = [item for call in calls for item in call.items]
        try:
            rows = self._encode(kind, items)
            if len(rows) != len(items):
                raise EncoderError(f"{len(rows)} embeddings for {len(items)} items")
        # Whatever the model raises belongs to the caller that caused it.
        except Exception as error:
            if len(calls) == 1:
                calls[0].error = error
                return
            for call in calls:
                self._run(kind, [call])
            return
        start = 0
        for call in calls:
            call.rows = rows[start : start + len(call.items)]
            start += len(call.items)

    def _encode(self, kind: Role | None, items: list[Any]) -> Vectors:
        if kind is None:
            return self._encoder.encode_images(items)
        return self._encoder.encode_texts(items, kind)
