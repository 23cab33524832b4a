"""A small model of characters for Chinese requests: the same outputs, no trunk.

MiniLM's vocabulary has hardly any Chinese, and no Chinese encoder is at hand, so this one is
trained from nothing on the 1,097 requests of dsner_zh: dilated convolutions over characters
(Strubell et al. 2017). Every character is a word.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor, nn

from .evaluation import Figure
from .query_data import Example, Query, one_hot
from .query_evaluation import f1
from .query_fit import Fit, Report, fit, read
from .query_pieces import WordPieces
from .query_reading import softmax
from .query_tags import LABELS, best_path, spans_of, tag_index

KINDS = {
    "cp": "core_product_type",
    "pp": "creator",
    "yl": "material",
    "gg": "UoM",
    "xh": "product_name",
}
"""dsner_zh's types (product, brand, raw material, specification, model) as QueryNER's."""
WIDTH = 192
DILATIONS = (1, 2, 4, 1, 2)
MAX_CHARACTERS = 128
DROPOUT = 0.35
EXCHANGED = 2000
"""Requests with exchanged spans that are added to the training file's."""
RECIPE = Fit(10, batch=32, lr=2e-3, head_lr=2e-3, decay=1.0, noise=0.0, average=0.99)
"""Chosen on the last 150 training requests. No typos or lost spaces: these are of Latin script."""


def requests(file: Path) -> list[Query]:
    """Requests of a CoNLL file, a character and its tag a line; white space is left out."""
    found = []
    for block in file.read_text(encoding="utf-8").split("\n\n"):
        pairs = [line.rsplit("\t", 1) for line in block.splitlines() if line.strip()]
        pairs = [pair for pair in pairs if len(pair) == 2 and pair[0].strip()]
        if pairs:
            tags = tuple(_tag(tag) for _, tag in pairs)
            found.append(Query(tuple(character for character, _ in pairs), _lawful(tags)))
    return found


def _tag(label: str) -> int:
    return 0 if label == "O" else tag_index(f"{label[0]}-{KINDS[label[2:]]}")


def _lawful(tags: Sequence[int]) -> tuple[int, ...]:
    """An I that continues nothing begins a span."""
    out: list[int] = []
    for tag in tags:
        stray = tag and tag % 2 == 0 and (not out or out[-1] not in (tag, tag - 1))
        out.append(tag - 1 if stray else tag)
    return tuple(out)


class CharacterTagger(nn.Module):
    """``input_ids`` int64 ``[n, t]``, a character each → ``tags [n, t, labels]``."""

    pad_id = 0

    def __init__(self, characters: Sequence[str], seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.characters = ["[PAD]", "[UNK]", *characters]
        self.embeddings = nn.Embedding(len(self.characters), WIDTH)
        self.layers = nn.ModuleList(
            nn.Conv1d(WIDTH, WIDTH, 3, padding=step, dilation=step) for step in DILATIONS
        )
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in DILATIONS)
        self.tags = nn.Linear(WIDTH, len(LABELS))
        self.dropout = nn.Dropout(DROPOUT)
        self.register_buffer("tag_temperature", torch.ones(()))

    def forward(self, input_ids: Tensor) -> Tensor:
        """The served form: calibrated probabilities."""
        return (self.logits(input_ids)[0] / self.tag_temperature).softmax(dim=-1)

    def logits(self, input_ids: Tensor) -> tuple[Tensor, None]:
        """Padding is zero before every convolution, as what is beyond an edge is."""
        mask = (input_ids != self.pad_id).unsqueeze(-1).to(self.tags.weight.dtype)
        states = self.dropout(self.embeddings(input_ids)) * mask
        for layer, norm in zip(self.layers, self.norms, strict=True):
            out = layer(states.transpose(1, 2)).transpose(1, 2)
            states = (states + self.dropout(torch.relu(norm(out)))) * mask
        return self.tags(states), None

    def stack(self) -> list[nn.Module]:
        return [self.embeddings, *self.layers, *self.norms]

    def heads(self) -> list[nn.Module]:
        return [self.tags]

    def word_pieces(self) -> WordPieces:
        return WordPieces(self.tokenizer(), MAX_CHARACTERS)

    def tokenizer(self) -> Tokenizer:
        """Characters to numbers; those never seen are one."""
        vocabulary = {character: i for i, character in enumerate(self.characters)}
        tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
        tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
        return tokenizer


def characters_of(queries: Sequence[Query], least: int = 2) -> list[str]:
    """Those that stand in ``queries`` at least so often; the others train the unknown one."""
    counts = Counter(word for query in queries for word in query.words)
    return sorted(character for character, count in counts.items() if count >= least)


def exchanged(queries: Sequence[Query], count: int, seed: int = 0) -> list[Query]:
    """``count`` new requests on the pattern of ``queries``: half of the spans exchanged for
    others of their type, with their tags."""
    rng = np.random.default_rng(seed)
    known: dict[str, list[tuple[str, ...]]] = defaultdict(list)
    for query in queries:
        for span in spans_of(query.tags):
            known[span.kind].append(query.words[span.start : span.end])
    found = []
    for _ in range(count):
        query = queries[int(rng.integers(len(queries)))]
        words: list[str] = []
        tags: list[int] = []
        at = 0
        for span in spans_of(query.tags):
            words += query.words[at : span.start]
            tags += query.tags[at : span.start]
            new = query.words[span.start : span.end]
            if rng.random() < 0.5:
                new = known[span.kind][int(rng.integers(len(known[span.kind])))]
            begin = tag_index(f"B-{span.kind}")
            words += new
            tags += [begin, *([begin + 1] * (len(new) - 1))]
            at = span.end
        found.append(Query((*words, *query.words[at:]), (*tags, *query.tags[at:])))
    return found


def train_chinese(data: Path, recipe: Fit, report: Report) -> tuple[CharacterTagger, Figure]:
    """The model, and its entity F1 on the development requests, which only report."""
    folder = data / "dsner_zh"
    own, held = requests(folder / "train.conll"), requests(folder / "dev.conll")
    model = CharacterTagger(characters_of(own))
    learned = [*own, *exchanged(own, EXCHANGED)]
    fit(model, [Example(q.words, one_hot(q.tags)) for q in learned], recipe, report)
    found = read(model, [query.words for query in held])[0]
    paths = [best_path(softmax(row)) for row in found]
    return model, f1([query.tags for query in held], paths)
