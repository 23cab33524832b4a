"""A small random query tower, and the served folder of it."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from engine.manifest import Manifest, QueryTower
from models.served import QUERY_FILE, QUERY_TOKENIZER_FILE, QueryPart, write_served
from tests.models.lookup_query import CATEGORIES, LABELS
from tests.models.tiny import DIM, tiny_bert, tiny_tokenizer

LONGEST = 48
TOWER = QueryTower(QUERY_FILE, QUERY_TOKENIZER_FILE, LONGEST, LABELS, CATEGORIES)


class TinyQuery(nn.Module):
    """Two layers of BERT and two heads; probabilities, as a trained one gives them."""

    def __init__(self, categories: int = len(CATEGORIES)) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.bert = tiny_bert()
        self.tags = nn.Linear(DIM, len(LABELS))
        self.categories = nn.Linear(DIM, categories) if categories else None
        self.eval()

    def forward(self, input_ids: Tensor) -> tuple[Tensor, Tensor] | Tensor:
        mask = (input_ids != 0).long()
        states = self.bert(input_ids=input_ids, attention_mask=mask).last_hidden_state
        tags = self.tags(states).softmax(dim=-1)
        if self.categories is None:
            return tags
        weights = mask.unsqueeze(-1).float()
        mean = (states * weights).sum(dim=1) / weights.sum(dim=1)
        return tags, self.categories(mean).softmax(dim=-1)


def write_tiny_query(
    folder: Path, module: nn.Module | None = None, tower: QueryTower = TOWER
) -> Manifest:
    """The served folder of ``module``, by default a :class:`TinyQuery`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    tokenizer = tiny_tokenizer(folder.parent / "tiny-tokenizer.json")
    return write_served(
        folder,
        name="tiny-query",
        version="1",
        licence="CC0-1.0",
        provenance="random",
        spaces={},
        text=None,
        image=None,
        query=QueryPart(module or TinyQuery(), tower, tokenizer),
    )
