"""``entrepot models import-cross-encoder``: what is served is what torch gives."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from click.testing import CliRunner
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from engine import InvalidModel, PluginManager
from engine.manifest import load_manifest
from models.bench import speeds
from models.check import report
from models.cli import models as commands
from models.compile import compile_served
from models.import_cross_encoder import PairGraph, PairOptions, import_cross_encoder

from . import checkpoints, lookup_pair

# torch.export and its ONNX exporter warn about each other's deprecations.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
QUERY = "red leather purse"
TEXTS = ["leather purse", "", "new black shoes", "Ünknown & odd–ly long", "text " * 90, "男鞋"]
MIT = PairOptions(licence="MIT")


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cross")


@pytest.fixture(scope="module")
def made(work: Path) -> Callable[[str], tuple[Path, Path]]:
    """By kind: a checkpoint and the folder it was imported to, made once."""
    done: dict[str, tuple[Path, Path]] = {}

    def make(kind: str) -> tuple[Path, Path]:
        if kind not in done:
            source, out = checkpoints.cross_encoder(work / kind, kind), work / f"{kind}-served"
            import_cross_encoder(str(source), out, MIT)
            done[kind] = source, out
        return done[kind]

    return make


def reader(folder: Path) -> Any:
    options = {"model": str(folder), "max_tokens": 512, "threads": 1}
    return PluginManager().create("rankers", "cross-encoder", options).reader


@pytest.mark.parametrize("kind", checkpoints.CROSS_ENCODERS)
def test_it_reads_as_transformers_does(kind: str, made: Callable[[str], tuple[Path, Path]]) -> None:
    """A batch of transformers' own, with its mask, its segments and its padding."""
    source, out = made(kind)
    model = AutoModelForSequenceClassification.from_pretrained(source).eval()
    tokenizer = AutoTokenizer.from_pretrained(source)
    types = getattr(model.config, "type_vocab_size", 0) > 1
    given = tokenizer(
        [QUERY] * len(TEXTS),
        TEXTS,
        padding=True,
        truncation=True,
        max_length=40,
        return_tensors="pt",
        return_token_type_ids=types,
    )
    with torch.inference_mode():
        logits = model(**given).logits.numpy()
    expected = logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]
    assert np.ptp(expected) > 0.1, "texts that it tells apart"
    served = reader(out)
    np.testing.assert_allclose(served.read(QUERY, TEXTS), expected, atol=1e-4)
    alone = [served.read(QUERY, [text])[0] for text in TEXTS]
    np.testing.assert_allclose(alone, expected, atol=1e-4)


def test_what_the_manifest_says(made: Callable[[str], tuple[Path, Path]]) -> None:
    source, out = made("xlm_r")
    manifest = load_manifest(out)
    assert (manifest.name, manifest.version, manifest.licence) == ("xlm_r", "1", "MIT")
    assert manifest.provenance == "Hugging Face xlm_r, xlm-roberta"
    assert manifest.spaces == {}
    assert manifest.pair is not None
    assert (manifest.pair.max_tokens, manifest.pair.pad_id) == (40, 1)
    assert sorted(manifest.files) == [manifest.pair.tokenizer, manifest.pair.file]
    assert str(source.parent) not in (out / "manifest.json").read_text()
    session = onnxruntime.InferenceSession(out / manifest.pair.file)
    (given,), (found,) = session.get_inputs(), session.get_outputs()
    assert (given.name, found.name) == ("input_ids", "relevance")
    assert all(isinstance(axis, str) for axis in given.shape), "any batch, any length"


@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_a_variant_keeps_the_order(
    precision: Any, made: Callable[[str], tuple[Path, Path]], tmp_path: Path
) -> None:
    _, out = made("wide")
    compile_served(out, tmp_path / precision, precision)
    size = [(folder / "pair.onnx").stat().st_size for folder in (out, tmp_path / precision)]
    assert size[1] < size[0] * 0.65
    lines = list(report(tmp_path / precision, out, None, None))
    assert [line.kept for line in lines] == [True, True], [str(line) for line in lines]
    assert lines[0].error > 0, "another graph"


def test_its_speed_can_be_measured(made: Callable[[str], tuple[Path, Path]]) -> None:
    found = speeds(made("wide")[1], threads=1)
    assert found["20 products p95 ms"] >= found["20 products p50 ms"] > 0
    assert not any(name.startswith(("query", "photo", "reading")) for name in found)


def test_the_command(made: Callable[[str], tuple[Path, Path]], tmp_path: Path) -> None:
    source, _ = made("bert")
    (source / "README.md").write_text("---\nlicense: mit\n---\n# Tiny\n")
    arguments = ["import-cross-encoder", str(source), str(tmp_path / "out"), "--name", "tiny"]
    result = CliRunner().invoke(commands, arguments)
    assert result.exit_code == 0, result.output
    assert result.output.count("error ≤ 0.001") == 2
    assert load_manifest(tmp_path / "out").licence == "mit", "from the model card"
    (shown,) = re.findall(r"^\[plugins.*\nmodel = .*$", result.output, re.MULTILINE)
    options = tomllib.loads(shown)["plugins"]["options"]["cross-encoder"]
    assert PluginManager().create("rankers", "cross-encoder", options).reader.read("a", ["b"])
    again = CliRunner().invoke(commands, arguments)
    assert isinstance(again.exception, InvalidModel)
    assert "name another folder" in str(again.exception)


def refused(source: Path, tmp_path: Path, options: PairOptions = MIT) -> str:
    """The message; and nothing is left behind."""
    with pytest.raises(InvalidModel) as caught:
        import_cross_encoder(str(source), tmp_path / "out", options)
    assert not list(tmp_path.glob("out*"))
    return str(caught.value)


def test_what_is_served_must_be_what_torch_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = checkpoints.cross_encoder(tmp_path / "bert", "bert")
    right = PairGraph.forward
    monkeypatch.setattr(PairGraph, "forward", lambda graph, ids: right(graph, ids) * 1.01)
    assert "what is served is not what torch gives: pairs: torch" in refused(source, tmp_path)


def test_a_text_encoder_is_none(tmp_path: Path) -> None:
    source = checkpoints.bert(tmp_path / "bert")
    assert "no classifier" in refused(source, tmp_path)


def test_more_labels_than_yes_and_no(tmp_path: Path) -> None:
    source = checkpoints.cross_encoder(tmp_path / "bert", "bert")
    config = json.loads((source / "config.json").read_text())
    labels = {str(i): name for i, name in enumerate("ESCI")}
    (source / "config.json").write_text(json.dumps(config | {"id2label": labels}))
    assert "4 labels: a cross-encoder has one, or two" in refused(source, tmp_path)


def test_the_tokenizer_of_a_larger_model(tmp_path: Path) -> None:
    source = checkpoints.cross_encoder(tmp_path / "bert", "bert")
    checkpoints.word_piece(source, more=("purple", "violet", "mauve", "lilac"))
    assert "has the id 101, the model embeds 100" in refused(source, tmp_path)


def test_a_licence_must_be_known(tmp_path: Path) -> None:
    source = checkpoints.cross_encoder(tmp_path / "bert", "bert")
    assert "say it with --licence" in refused(source, tmp_path, PairOptions())


def test_the_overlap_model_of_other_tests_is_the_one_in_golden(root: Path, tmp_path: Path) -> None:
    lookup_pair.write_overlap(tmp_path)
    golden = root / "tests" / "plugins" / "golden" / "pair-overlap"
    assert load_manifest(golden) == load_manifest(tmp_path)
