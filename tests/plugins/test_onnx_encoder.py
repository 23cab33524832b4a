"""Encoder ``onnx`` on the shipped model: contract, golden vectors, sharing, bad directories."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine import Encoder, InvalidModel, InvalidSettings, PluginManager, UnsupportedModality
from engine.manifest import FILE_NAME, load_manifest, save_manifest
from engine.testing.encoder_contract import EncoderContract, cosines, picture
from plugins.onnx_encoder import WEIGHTS

SHIPPED = WEIGHTS / "product-clip"


def make(model: str = "product-clip", **options: object) -> Encoder:
    encoder: Encoder = PluginManager().create("encoders", "onnx", {"model": model, **options})
    return encoder


@pytest.fixture(scope="module")
def shipped_joint() -> Encoder:
    return make(threads=2)


@pytest.fixture(scope="module")
def shipped_sentence() -> Encoder:
    return make(space="sentence", threads=2)


class TestJoint(EncoderContract):
    @pytest.fixture
    def encoder(self, shipped_joint: Encoder) -> Encoder:
        return shipped_joint


class TestSentence(EncoderContract):
    @pytest.fixture
    def encoder(self, shipped_sentence: Encoder) -> Encoder:
        return shipped_sentence


def test_the_shipped_model_is_complete() -> None:
    manifest = load_manifest(SHIPPED)
    assert manifest.licence == "Apache-2.0"
    assert manifest.provenance
    assert manifest.quality
    assert set(manifest.spaces["joint"].min_score) == {"text", "image"}
    assert set(manifest.spaces["sentence"].min_score) == {"text"}
    size = sum(path.stat().st_size for path in SHIPPED.iterdir())
    assert size <= 39_000_000, "weights count against the repository for ever"


def test_golden_texts(shipped_joint: Encoder, shipped_sentence: Encoder, golden: Path) -> None:
    """The vectors of the release, so that an index outlives an upgrade of the runtime and a move
    to another processor, whose int8 kernels may round activations differently."""
    stored = np.load(golden)
    texts = [str(text) for text in stored["texts"]]
    for encoder, name in ((shipped_joint, "joint"), (shipped_sentence, "sentence")):
        assert cosines(encoder.encode_texts(texts, "query"), stored[name]).min() > 0.999


def test_golden_images(shipped_joint: Encoder, golden: Path) -> None:
    stored = np.load(golden)
    images = [picture((96, 128), seed=seed) for seed in range(len(stored["images"]))]
    assert cosines(shipped_joint.encode_images(images), stored["images"]).min() > 0.999


@pytest.fixture
def golden() -> Path:
    return Path(__file__).parent / "golden" / "product-clip.npz"


def test_words_find_what_they_mean(shipped_sentence: Encoder) -> None:
    query, sofa, hose = shipped_sentence.encode_texts(["couch", "three-seat sofa", "hose"], "query")
    assert query @ sofa > query @ hose + 0.2


def test_words_and_pictures_share_a_space(shipped_joint: Encoder, root: Path) -> None:
    photos = root / "api" / "demo" / "images"
    rows = shipped_joint.encode_images(
        [Image.open(photos / f"vnd-{name}.jpg") for name in ("orchid", "hi-top-basketball-shoe")]
    )
    texts = shipped_joint.encode_texts(["orchid flowers", "basketball shoe"], "query")
    assert (texts @ rows.T).argmax(axis=1).tolist() == [0, 1]


def test_texts_are_cut_at_max_tokens(shipped_joint: Encoder) -> None:
    limit = shipped_joint.info.max_tokens
    long, longer = "shoe " * (limit + 10), "shoe " * (limit + 10) + "hat " * 50
    rows = shipped_joint.encode_texts([long, longer], "document")
    assert cosines(rows[:1], rows[1:]).min() > 0.9999


def test_two_spaces_share_one_model_and_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    joint, sentence = make(), make(space="sentence")
    runs: list[int] = []
    texts = joint._model.texts  # type: ignore[attr-defined]
    assert texts is sentence._model.texts  # type: ignore[attr-defined]
    plain = texts._run
    monkeypatch.setattr(texts, "_run", lambda key: runs.append(len(key)) or plain(key))
    joint.encode_texts(["a query nobody asked before"], "query")
    sentence.encode_texts(["a query nobody asked before"], "query")
    assert runs == [1]


def test_a_text_space_has_no_pictures(shipped_sentence: Encoder) -> None:
    assert shipped_sentence.info.modalities == ("text",)
    with pytest.raises(UnsupportedModality, match="no image tower"):
        shipped_sentence.encode_images([picture()])


def test_an_embedding_does_not_depend_on_threads(shipped_joint: Encoder) -> None:
    one = make(threads=1)
    assert one.info == shipped_joint.info
    rows = one.encode_texts(["red shoes"], "query")
    assert cosines(rows, shipped_joint.encode_texts(["red shoes"], "query")).min() > 0.9999


@pytest.mark.parametrize("options", [{"threads": 0}, {"threads": "many"}, {"modell": "x"}])
def test_bad_options(options: dict[str, object]) -> None:
    with pytest.raises(InvalidSettings, match="onnx"):
        make(**options)


def test_an_unknown_space() -> None:
    with pytest.raises(InvalidModel, match="no space 'audio'; it has: "):
        make(space="audio")


def test_an_unknown_model(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match="no model at"):
        make(str(tmp_path / "nowhere"))


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "model"))


def test_a_directory_serves_as_the_shipped_one_does(shipped_joint: Encoder, copied: Path) -> None:
    encoder = make(str(copied))
    assert encoder.info == shipped_joint.info
    images = [picture(seed=1)]
    same = cosines(encoder.encode_images(images), shipped_joint.encode_images(images))
    assert same.min() > 0.9999


def test_a_damaged_graph(copied: Path) -> None:
    graph = copied / load_manifest(copied).text.file  # type: ignore[union-attr]
    data = bytearray(graph.read_bytes())
    data[len(data) // 2] ^= 0xFF
    graph.write_bytes(data)
    with pytest.raises(InvalidModel, match="damaged"):
        make(str(copied))


@pytest.mark.parametrize("which", ["graph", "tokenizer"])
def test_a_file_that_is_not_what_it_claims(copied: Path, which: str) -> None:
    """Hashes right, content wrong: a model that somebody exported badly."""
    manifest = load_manifest(copied)
    assert manifest.text is not None
    name = manifest.text.file if which == "graph" else manifest.text.tokenizer
    (copied / name).write_bytes(b"not a model")
    save_manifest(copied, manifest)
    with pytest.raises(InvalidModel, match=name):
        make(str(copied))


def test_a_loaded_model_outlives_its_files(copied: Path) -> None:
    """Whatever happens to the folder, what serves goes on; whoever opens it anew is told."""
    encoder = make(str(copied))
    before = encoder.encode_texts(["red shoes"], "query")
    (copied / "text.onnx").write_bytes(b"half copied")
    with pytest.raises(InvalidModel, match=r"text\.onnx: .* copy the model again"):
        load_manifest(copied)
    document = json.loads((copied / FILE_NAME).read_text())
    (copied / FILE_NAME).write_text(json.dumps({**document, "format": 99}))
    with pytest.raises(InvalidModel, match=r"newer than this Entrepot reads .*: upgrade"):
        load_manifest(copied)
    again = encoder.encode_texts(["red shoes", "blue shoes"], "query")
    assert cosines(before, again[:1]).min() > 0.9999


def test_an_image_only_model(copied: Path) -> None:
    plain = json.loads((copied / FILE_NAME).read_text())
    text = plain.pop("text")
    plain["files"] = {
        name: digest
        for name, digest in plain["files"].items()
        if name not in (text["file"], text["tokenizer"])
    }
    (copied / FILE_NAME).write_text(json.dumps(plain), encoding="utf-8")
    encoder = make(str(copied))
    assert encoder.info.modalities == ("image",)
    with pytest.raises(UnsupportedModality, match="no text tower"):
        encoder.encode_texts(["shoe"], "query")


def test_shipped_graphs_name_no_file_of_the_machine_that_made_them() -> None:
    for file in sorted(SHIPPED.glob("*.onnx")):
        graph = file.read_bytes()
        assert b'.py", line' not in graph, file.name
        assert b"site-packages" not in graph, file.name
