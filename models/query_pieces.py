"""Queries as word pieces, and a WordPiece vocabulary cut to what shoppers write.

Half of a small BERT's weights are its vocabulary. Pieces that are left out are written with
shorter ones, as WordPiece does with any word it does not know; all single characters stay.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")


@dataclass(frozen=True, slots=True)
class Pieces:
    """``ids`` of a query with its special pieces; ``firsts``: the place of each word's first
    piece, -1 for a word without any."""

    ids: list[int]
    firsts: list[int]


class WordPieces:
    """Words to pieces."""

    def __init__(self, tokenizer: Tokenizer, longest: int, pad: str = "[PAD]") -> None:
        tokenizer.no_padding()
        tokenizer.enable_truncation(longest)
        self.tokenizer = tokenizer
        self.pad_id: int = tokenizer.get_vocab()[pad]

    def encode(self, queries: Sequence[Sequence[str]]) -> list[Pieces]:
        encoded = self.tokenizer.encode_batch(list(map(list, queries)), is_pretokenized=True)
        found = []
        for words, e in zip(queries, encoded, strict=True):
            firsts = [-1] * len(words)
            for place, word in reversed(list(enumerate(e.word_ids))):
                if word is not None:
                    firsts[word] = place
            found.append(Pieces(e.ids, firsts))
        return found

    def batch(self, pieces: Sequence[Pieces]) -> tuple[Tensor, Tensor]:
        """``input_ids [n, t]`` and the places of words' first pieces ``[n, w]``, padded with
        the pad piece and with -1."""
        longest = max(len(p.ids) for p in pieces)
        words = max(1, *(len(p.firsts) for p in pieces))
        ids = np.full((len(pieces), longest), self.pad_id, np.int64)
        firsts = np.full((len(pieces), words), -1, np.int64)
        for row, p in enumerate(pieces):
            ids[row, : len(p.ids)] = p.ids
            firsts[row, : len(p.firsts)] = p.firsts
        return torch.from_numpy(ids), torch.from_numpy(firsts)


def first_pieces(values: Tensor, firsts: Tensor) -> Tensor:
    """What ``values [n, t, k]`` says of each word's first piece: ``[n, w, k]``; words without
    any get the first piece's."""
    places = firsts.clamp(min=0).unsqueeze(-1).expand(-1, -1, values.shape[-1])
    return values.gather(1, places)


def read_tokenizer(file: Path) -> dict[str, Any]:
    """A ``tokenizer.json``."""
    return json.loads(file.read_text(encoding="utf-8"))


def chosen_pieces(spec: dict[str, Any], texts: Iterable[str], frequent: int) -> list[str]:
    """The pieces to keep, in the vocabulary's order: special ones, single characters of Latin
    script, the ``frequent`` first (the vocabulary is sorted by frequency), and all that
    ``texts`` are written with."""
    tokenizer = Tokenizer.from_str(json.dumps(spec))
    tokenizer.no_truncation()
    vocabulary: dict[str, int] = spec["model"]["vocab"]
    seen = {piece for e in tokenizer.encode_batch(list(texts)) for piece in e.tokens}
    kept = [
        piece
        for piece, i in sorted(vocabulary.items(), key=lambda item: item[1])
        if piece in SPECIAL or piece in seen or _is_latin(piece, i < frequent)
    ]
    return kept


def _is_latin(piece: str, frequent: bool) -> bool:
    """A single character up to Latin Extended-A, or a frequent piece of such."""
    plain = piece.removeprefix("##")
    if piece.startswith("[unused") or any(ord(c) > 0x17F for c in plain):
        return False
    return frequent or len(plain) == 1


def cut(spec: dict[str, Any], kept: Sequence[str]) -> dict[str, Any]:
    """The tokenizer of the pieces ``kept``, numbered in that order."""
    ids = {piece: i for i, piece in enumerate(kept)}
    out: dict[str, Any] = json.loads(json.dumps(spec))
    out["model"]["vocab"] = ids
    out["truncation"] = out["padding"] = None
    out["added_tokens"] = [
        {**token, "id": ids[token["content"]]}
        for token in out["added_tokens"]
        if token["content"] in ids
    ]
    for token in out["post_processor"]["special_tokens"].values():
        token["ids"] = [ids[piece] for piece in token["tokens"]]
    return out
