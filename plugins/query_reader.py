"""The query tower of a served model at work: what the words of a query are.

No plugin of its own: query processors use it. Any text can be read. What is beyond the model's
length is left unread, and so are words that the tokenizer sees nothing in (control characters).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
from msgspec import Struct

from engine import InvalidModel, Span, TagDecoder, load_manifest, word_offsets

from .onnx_encoder import OpenSession, Session, load_tokenizer, onnx_session, token_batches

LONGEST = 2000
"""Characters that are read of a text: as many as a search takes."""
CATEGORIES = 5
"""How many of the likeliest categories are told."""
WARM_UP = ("red shoes", "a red shoe for a small red dog")

Floats = npt.NDArray[np.float32]


class Reading(Struct, frozen=True):
    """``spans`` in the text's order; ``categories``, the likeliest first, with probabilities."""

    spans: list[Span]
    categories: dict[str, float]


class Tagged(Struct, frozen=True):
    """What the model says of a text: the words that it saw (where they begin and end), the
    probabilities of their tags ``[words, labels]``, and those of the categories."""

    words: list[tuple[int, int]]
    tags: Floats
    categories: Floats


class QueryReader:
    """The query tower in ``folder``; thread-safe.

    ``open_session`` decides what runs the graph: ONNX Runtime with ``threads`` unless said
    otherwise. The model is run once, so that the first query finds it warm.

    Raises:
        InvalidModel: the folder is missing, damaged or newer, has no query tower, or its graph
            does not give what its manifest says.
    """

    def __init__(
        self, folder: Path, threads: int = 2, open_session: OpenSession | None = None
    ) -> None:
        manifest = load_manifest(folder)
        tower = manifest.query
        if tower is None:
            raise InvalidModel(
                f"{folder}: {manifest.name} has no query tower: name a folder that has one"
            )
        self.tower = tower
        self.decoder = TagDecoder(tower.labels)
        self._tokenizer = load_tokenizer(folder / tower.tokenizer, tower.max_tokens)
        path = folder / tower.file
        self._session = (open_session or partial(onnx_session, threads=threads))(path)
        try:
            self.read_many(WARM_UP)
        except Exception as error:  # ONNX Runtime's errors share no base of their own
            raise InvalidModel(f"{path}: not a query tower: {error}: export it again") from error

    @property
    def fallback(self) -> str:
        """Why something slower than asked for reads; empty where that is not so."""
        return ""

    def over(self, session: Session) -> Self:
        """This reader with another runtime of the same tower."""
        other = copy.copy(self)
        other._session = session
        return other

    def read(self, text: str) -> Reading:
        """What the words of ``text`` are; nothing of a text that has none."""
        (reading,) = self.read_many([text])
        return reading

    def read_many(self, texts: Sequence[str]) -> list[Reading]:
        """As :meth:`read`, several in a run."""
        return [self._reading(*pair) for pair in zip(texts, self.tagged(texts), strict=True)]

    def tagged(self, texts: Sequence[str]) -> list[Tagged]:
        """The model's probabilities, which readings are made of.

        Raises:
            InvalidModel: some are no numbers, or not as many as there are labels.
        """
        safe = [_encodable(text[:LONGEST]) for text in texts]
        words = [word_offsets(text) for text in safe]
        split = [[text[a:b] for a, b in found] for text, found in zip(safe, words, strict=True)]
        # The fast kind does not tell which word a token is of.
        encoded = self._tokenizer.encode_batch(split, is_pretokenized=True)
        firsts = [_first_tokens(e.word_ids) for e in encoded]
        found = [self._nothing] * len(texts)
        seen = [i for i, first in enumerate(firsts) if first]
        for batch, ids in token_batches([encoded[i].ids for i in seen], self.tower.pad_id):
            tags, categories = self._run(ids)
            for row, i in enumerate(seen[j] for j in batch):
                chosen = [words[i][word] for word in firsts[i]]
                found[i] = Tagged(chosen, tags[row, [*firsts[i].values()]], categories[row])
        return found

    @property
    def _nothing(self) -> Tagged:
        shapes = (0, len(self.tower.labels)), len(self.tower.categories)
        return Tagged([], *(np.zeros(shape, dtype=np.float32) for shape in shapes))

    def _run(self, ids: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
        """``tags [n, t, labels]`` and ``categories [n, categories]``."""
        tower, outputs = self.tower, list(self.tower.outputs)
        found = self._session.run(outputs, {"input_ids": ids})
        if not tower.categories:
            found = [*found, np.zeros((len(ids), 0), dtype=np.float32)]
        wanted = [(*ids.shape, len(tower.labels)), (len(ids), len(tower.categories))]
        if [part.shape for part in found] != wanted:
            shapes = " and ".join(str(part.shape) for part in found)
            raise InvalidModel(f"{tower.file} gives {shapes} for {ids.shape} tokens")
        if not all(np.isfinite(part).all() for part in found):
            raise InvalidModel(f"{tower.file} gives probabilities that are no numbers")
        return found[0], found[1]

    def _reading(self, text: str, tagged: Tagged) -> Reading:
        likeliest = np.argsort(-tagged.categories, kind="stable")[:CATEGORIES]
        named = self.tower.categories if tagged.words else ()
        return Reading(
            self.decoder.spans(text, tagged.words, tagged.tags),
            {named[i]: float(tagged.categories[i]) for i in likeliest} if named else {},
        )


def _encodable(text: str) -> str:
    """As long as ``text``, with "?" for halves of surrogate pairs, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _first_tokens(word_ids: Sequence[int | None]) -> dict[int, int]:
    """The first token of each word that has one."""
    firsts: dict[int, int] = {}
    for token, word in enumerate(word_ids):
        if word is not None:
            firsts.setdefault(word, token)
    return firsts
