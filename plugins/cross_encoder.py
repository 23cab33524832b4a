"""Ranker ``cross-encoder``: a model reads the query and each of the best products together.

What retrieves compares two vectors that were made apart; a cross-encoder sees both texts at
once, which is better and too slow for more than a few products (Nogueira and Cho, 2019,
arXiv:1901.04085). So the ``top`` products of the ranking so far are read, and the scores that
they have are dealt out again in the model's order. Everything else stays: scores keep their
scale, so that later rankers may multiply them, and products below keep their places.

A query without words is left as it is, and so is one with a picture or with products to be like:
its words tell only part of what is wanted.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from msgspec import Meta, Struct

from engine import InvalidModel, Ranker, RankingBatch, Register, Vectors, hookimpl, load_manifest

from .onnx_encoder import load_tokenizer, model_folder, onnx_session, shared_model, token_batches

OUTPUT = "relevance"
TOGETHER = 8
"""Pairs of similar length in one run: more of them gain nothing on a CPU, and padding costs."""
REMEMBERED = 256
"""Searches whose relevances are kept: the pages of a search, and its explanation, read once."""
SEPARATOR = ", "


class CrossEncoderOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``model`` is a folder that ``entrepot models import-cross-encoder`` wrote. ``top`` products
    are read, of each the ``fields`` in this order; a pair longer than ``max_tokens`` is cut.
    ``threads`` share the work of one query.
    """

    model: str
    top: Annotated[int, Meta(ge=2, le=200)] = 20
    fields: Annotated[tuple[str, ...], Meta(min_length=1)] = ("title",)
    max_tokens: Annotated[int, Meta(ge=8, le=512)] = 128
    threads: Annotated[int, Meta(ge=1, le=64)] = 2


class PairReader:
    """The pair tower in ``folder``, on ONNX Runtime; thread-safe.

    Raises:
        InvalidModel: the folder is missing, damaged or newer, has no pair tower, or its graph
            does not give what its manifest says.
    """

    def __init__(self, folder: Path, threads: int, max_tokens: int) -> None:
        manifest = load_manifest(folder)
        tower = manifest.pair
        if tower is None:
            raise InvalidModel(
                f"{folder}: {manifest.name} has no pair tower: write one with "
                "`entrepot models import-cross-encoder`",
                field="model",
            )
        self._pad_id, path = tower.pad_id, folder / tower.file
        self._tokenizer = load_tokenizer(
            folder / tower.tokenizer, min(max_tokens, tower.max_tokens)
        )
        self._session = onnx_session(path, threads)
        try:
            self.read("shoes", ["red shoes", "a"])
        except Exception as error:  # ONNX Runtime's errors share no base of their own
            raise InvalidModel(f"{path}: not a pair tower: {error}: import it again") from error

    def read(self, query: str, texts: Sequence[str]) -> Vectors:
        """How well each of ``texts`` answers ``query``: a logit, float32 ``[len(texts)]``.

        Raises:
            InvalidModel: some are no numbers, or not as many as there are texts.
        """
        pairs = [(_encodable(query), _encodable(text)) for text in texts]
        encoded = [pair.ids for pair in self._tokenizer.encode_batch(pairs)]
        order = sorted(range(len(encoded)), key=lambda i: len(encoded[i]))
        found = np.empty(len(texts), dtype=np.float32)
        for start in range(0, len(order), TOGETHER):
            rows = order[start : start + TOGETHER]
            for batch, ids in token_batches([encoded[i] for i in rows], self._pad_id):
                (relevance,) = self._session.run([OUTPUT], {"input_ids": ids})
                found[[rows[i] for i in batch]] = _checked(relevance, len(batch))
        return found


class CrossEncoder:
    required_vectors: Sequence[str] = ()

    def __init__(self, options: CrossEncoderOptions) -> None:
        folder = model_folder(options.model)
        key = ("pair", folder, options.threads, options.max_tokens)
        load = partial(PairReader, folder, options.threads, options.max_tokens)
        self.reader: PairReader = shared_model(key, load)
        self.required_fields: Sequence[str] = options.fields
        self._top = options.top
        self._read: OrderedDict[tuple[str, tuple[str, ...]], Vectors] = OrderedDict()
        self._lock = threading.Lock()

    def rank(self, batch: RankingBatch) -> Vectors:
        if not _of_words_alone(batch):
            return batch.scores
        top = self._best(batch)
        order = np.argsort(-self._relevance(batch, top), kind="stable")
        scores = batch.scores.copy()
        below = np.delete(scores, top)
        scores[top[order]] = _distinct(scores[top], below.max() if below.size else None)
        return scores

    def explain(
        self, batch: RankingBatch, rows: npt.NDArray[np.intp]
    ) -> list[Mapping[str, float | str]]:
        """How relevant the model finds a product that it read, and the places it had and got
        among those, in words."""
        if not _of_words_alone(batch):
            return [{} for _ in rows]
        top = self._best(batch)
        relevance = self._relevance(batch, top)
        places = np.empty(len(top), dtype=np.intp)
        places[np.argsort(-relevance, kind="stable")] = np.arange(1, len(top) + 1)
        words: dict[int, Mapping[str, float | str]] = {
            int(row): {
                "relevance": f"{1 / (1 + np.exp(-float(logit))):.0%}",
                "place": f"{before} → {after} of {len(top)}",
            }
            for before, (row, logit, after) in enumerate(
                zip(top, relevance, places, strict=True), start=1
            )
        }
        return [words.get(int(row), {}) for row in rows]

    def _best(self, batch: RankingBatch) -> npt.NDArray[np.intp]:
        """The rows that are read, best first."""
        return np.argsort(-batch.scores, kind="stable")[: self._top]

    def _relevance(self, batch: RankingBatch, rows: npt.NDArray[np.intp]) -> Vectors:
        """Of ``rows``; the same search is read once."""
        columns = [(field, batch.columns[field]) for field in self.required_fields]
        texts = tuple(_text([(name, column[row]) for name, column in columns]) for row in rows)
        key = batch.plan.text, texts
        with self._lock:
            if (known := self._read.get(key)) is not None:
                self._read.move_to_end(key)
                return known
        found = self.reader.read(*key)
        with self._lock:
            self._read[key] = found
            if len(self._read) > REMEMBERED:
                self._read.popitem(last=False)
        return found


def _of_words_alone(batch: RankingBatch) -> bool:
    query = batch.request.query
    other = query is not None and (query.image is not None or bool(query.like))
    return bool(batch.plan.text.strip()) and not other and len(batch.ids) > 1


def _text(values: Sequence[tuple[str, Any]]) -> str:
    """What the model is shown of a product; of a category, which is a path, the last."""
    parts: list[Any] = []
    for field, value in values:
        several: list[Any] = value if isinstance(value, list) else [value]
        parts += several[-1:] if field == "category" else several
    return SEPARATOR.join(str(part) for part in parts if part is not None)


def _distinct(scores: Vectors, below: np.float32 | None) -> Vectors:
    """``scores``, best first, all of them apart and above ``below``: products that had one score
    must not fall back to the order they had. Each is raised by no more than it must be."""
    made = scores.copy()
    least = below
    for i in range(len(made) - 1, -1, -1):
        if least is not None and made[i] <= least:
            made[i] = np.nextafter(least, np.float32(np.inf))
        least = made[i]
    return made


def _checked(relevance: Vectors, n: int) -> Vectors:
    if relevance.shape != (n,):
        raise InvalidModel(f"the graph gives {relevance.shape} for {n} pairs")
    if not np.isfinite(relevance).all():
        raise InvalidModel("the graph gives relevances that are no numbers")
    return relevance


def _encodable(text: str) -> str:
    """With "?" for halves of surrogate pairs, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


@hookimpl
def register_rankers(register: Register[Ranker]) -> None:
    register("cross-encoder", CrossEncoder, CrossEncoderOptions)
