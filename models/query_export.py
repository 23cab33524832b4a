"""The query BERT's own served form: names, provenance, tokenizer."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from engine.manifest import Manifest, QueryTower

from .query_model import MAX_TOKENS, QueryBert
from .served import QUERY_FILE, QUERY_TOKENIZER_FILE, QueryPart, write_served

PROVENANCE = (
    "all-MiniLM-L6-v2, its vocabulary cut, trained on QueryNER, AE-110k, OA-Mine, Fashion Product "
    "Images and demo catalogues with labels of a fine-tuned all-mpnet-base-v2"
)


def export_query_bert(model: QueryBert, folder: Path, *, version: str) -> Manifest:
    """Write the served directory, in float32; see :func:`models.served.write_served`."""
    tower = QueryTower(
        QUERY_FILE,
        QUERY_TOKENIZER_FILE,
        MAX_TOKENS,
        model.names.labels,
        model.names.categories,
        model.pad_id,
    )
    with tempfile.TemporaryDirectory(prefix="entrepot-query-") as scratch:
        tokenizer = Path(scratch) / "tokenizer.json"
        tokenizer.write_text(json.dumps(model.spec, ensure_ascii=False), encoding="utf-8")
        return write_served(
            folder,
            name="query-bert",
            version=version,
            licence="Apache-2.0",
            provenance=PROVENANCE,
            spaces={},
            text=None,
            image=None,
            query=QueryPart(model, tower, tokenizer),
        )
