"""The pair tower that tests read with: how many words a query and a text share, in a kilobyte.

``tests/plugins/golden/pair-overlap`` holds it, for those tests run without the package onnx.
To make that folder again: ``python -m tests.models.lookup_pair FOLDER``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from engine.manifest import FORMAT, Manifest, PairTower, save_manifest

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WORDS = ("red", "leather", "purse", "blue", "shoes", "shirt", "for", "women", "nike", "bags", "a")


def write_overlap(folder: Path) -> Manifest:
    """The served folder, in a folder that exists."""
    pieces = [*SPECIAL, *WORDS]
    tower = PairTower("pair.onnx", "tokenizer.json", 24)
    onnx.save(_graph(), folder / tower.file)
    _tokenizer(pieces).save(str(folder / tower.tokenizer))
    manifest = Manifest(
        format=FORMAT,
        name="pair-overlap",
        version="1",
        licence="Apache-2.0",
        provenance="made up for tests",
        spaces={},
        files=dict.fromkeys((tower.file, tower.tokenizer), ""),
        pair=tower,
    )
    return save_manifest(folder, manifest)


def _graph() -> onnx.ModelProto:
    """Pairs of equal tokens at different places, of words alone, halved."""
    weights = {
        "words_from": np.int64(len(SPECIAL) - 1),
        "columns": np.int64([1]),
        "rows": np.int64([2]),
        "both": np.int64([1, 2]),
        "one": np.int64([1]),
        "half": np.float32(0.5),
    }
    nodes = [
        helper.make_node("Unsqueeze", ["input_ids", "columns"], ["across"]),
        helper.make_node("Unsqueeze", ["input_ids", "rows"], ["down"]),
        helper.make_node("Equal", ["across", "down"], ["equal"]),
        helper.make_node("Greater", ["down", "words_from"], ["word"]),
        helper.make_node("And", ["equal", "word"], ["shared"]),
        helper.make_node("Cast", ["shared"], ["counts"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["counts", "both"], ["total"], keepdims=0),
        helper.make_node("Greater", ["input_ids", "words_from"], ["words"]),
        helper.make_node("Cast", ["words"], ["each"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["each", "one"], ["alone"], keepdims=0),
        helper.make_node("Sub", ["total", "alone"], ["twice"]),
        helper.make_node("Mul", ["twice", "half"], ["relevance"]),
    ]
    graph = helper.make_graph(
        nodes,
        "pair-overlap",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["n", "t"])],
        [helper.make_tensor_value_info("relevance", TensorProto.FLOAT, ["n"])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    return model


def _tokenizer(pieces: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(
        models.WordLevel({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    return tokenizer


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    write_overlap(target)
