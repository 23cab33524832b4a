"""The query tower that tests read with: a lookup of each token's tag, a few kilobytes.

``tests/plugins/golden/query-lookup`` holds it, for those tests run without the package onnx.
To make that folder again: ``python -m tests.models.lookup_query FOLDER``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from string import ascii_lowercase, digits

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from engine.manifest import FORMAT, Manifest, QueryTower, save_manifest

LABELS = (
    "O",
    *(
        f"{place}-{name}"
        for name in ("color", "creator", "core_product_type", "department")
        for place in "BI"
    ),
)
CATEGORIES = ("Shoes > Running", "Clothing > Dresses", "other")
LIKELY: dict[str, dict[str, float]] = {
    "red": {"B-color": 0.9},
    "navy": {"B-color": 0.8},
    "blue": {"B-color": 0.4, "I-color": 0.5},
    "nike": {"B-creator": 0.9},
    "new": {"B-creator": 0.6, "O": 0.3},
    "balance": {"I-creator": 0.8},
    "running": {"B-core_product_type": 0.7},
    "shoe": {"B-core_product_type": 0.3, "I-core_product_type": 0.6},
    "##s": {"O": 0.9},
    "dress": {"B-core_product_type": 0.9},
    "women": {"B-department": 0.9},
}
"""Probabilities of tags by token; the others share what is left, and other tokens are O."""
KINDS = {"running": 0, "shoe": 0, "dress": 1}
"""The category that a token speaks for."""
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
PIECES = 100
"""As many as any vocabulary has; see :data:`engine.compiled.PROBE_TOKENS`."""


def write_lookup(folder: Path) -> Manifest:
    """The served folder, in a folder that exists."""
    pieces = [*SPECIAL, *LIKELY, "for", *digits, *ascii_lowercase]
    pieces += [f"[unused{i}]" for i in range(PIECES - len(pieces))]
    tower = QueryTower("query.onnx", "tokenizer.json", 16, LABELS, CATEGORIES)
    onnx.save(_graph(pieces), folder / tower.file)
    _tokenizer(pieces).save(str(folder / tower.tokenizer))
    manifest = Manifest(
        format=FORMAT,
        name="query-lookup",
        version="1",
        licence="Apache-2.0",
        provenance="made up for tests",
        spaces={},
        files=dict.fromkeys((tower.file, tower.tokenizer), ""),
        query=tower,
    )
    return save_manifest(folder, manifest)


def _graph(pieces: list[str]) -> onnx.ModelProto:
    """The probabilities of each token; of categories those of the mean of tokens that are not
    padding."""
    ints, floats = TensorProto.INT64, TensorProto.FLOAT
    weights = {
        "tag_table": np.stack([_tags(piece) for piece in pieces]),
        "kind_table": np.stack([_kinds(piece) for piece in pieces]),
        "pad": np.int64(0),
        "axis": np.int64([1]),
        "last": np.int64([2]),
    }
    nodes = [
        helper.make_node("Gather", ["tag_table", "input_ids"], ["tag_logits"]),
        helper.make_node("Softmax", ["tag_logits"], ["tags"], axis=-1),
        helper.make_node("Equal", ["input_ids", "pad"], ["padding"]),
        helper.make_node("Not", ["padding"], ["real"]),
        helper.make_node("Cast", ["real"], ["mask"], to=floats),
        helper.make_node("Unsqueeze", ["mask", "last"], ["weights"]),
        helper.make_node("Gather", ["kind_table", "input_ids"], ["kind_logits"]),
        helper.make_node("Mul", ["kind_logits", "weights"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "axis"], ["sums"], keepdims=0),
        helper.make_node("ReduceSum", ["weights", "axis"], ["count"], keepdims=0),
        helper.make_node("Div", ["sums", "count"], ["means"]),
        helper.make_node("Softmax", ["means"], ["categories"], axis=-1),
    ]
    graph = helper.make_graph(
        nodes,
        "query-lookup",
        [helper.make_tensor_value_info("input_ids", ints, ["n", "t"])],
        [
            helper.make_tensor_value_info("tags", floats, ["n", "t", len(LABELS)]),
            helper.make_tensor_value_info("categories", floats, ["n", len(CATEGORIES)]),
        ],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    return model


def _tags(piece: str) -> np.ndarray:
    likely = LIKELY.get(piece, {"O": 0.9})
    rest = (1.0 - sum(likely.values())) / (len(LABELS) - len(likely))
    return np.log([likely.get(label, rest) for label in LABELS]).astype(np.float32)


def _kinds(piece: str) -> np.ndarray:
    row = np.zeros(len(CATEGORIES), dtype=np.float32)
    if piece in KINDS:
        row[KINDS[piece]] = 6.0
    return row


def _tokenizer(pieces: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(
        models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    write_lookup(target)
