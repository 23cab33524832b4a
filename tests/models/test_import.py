"""``entrepot models import``: what is served is what torch gives; what cannot be is refused."""

from __future__ import annotations

import json
import re
import shutil
import socket
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import open_clip
import pytest
import torch
from click.testing import CliRunner
from transformers import AutoModel, AutoTokenizer

from engine import Encoder, InvalidModel, PluginManager, Vectors
from engine.manifest import Manifest, load_manifest
from engine.testing.encoder_contract import TEXTS, EncoderContract, cosines
from models import importing
from models.cli import models as commands
from models.imported import pictures
from models.importing import ImportOptions, import_model

from . import checkpoints

# torch.export and its ONNX exporter warn about each other's deprecations.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore:.*weights_only:UserWarning"
)
SOME = [*TEXTS, "Red-leather PURSE, “new” & 50% off_", "don't"]
MIT = ImportOptions(licence="MIT")


def served(folder: Path, space: str) -> Encoder:
    options = {"model": str(folder), "space": space}
    encoder: Encoder = PluginManager().create("encoders", "onnx", options)
    return encoder


def both_ways(encoder: Encoder, texts: list[str]) -> tuple[Vectors, Vectors]:
    """Alone, and in a batch."""
    alone = [encoder.encode_texts([text], "query") for text in texts]
    return np.concatenate(alone), encoder.encode_texts(texts, "query")


def unit(rows: Any) -> Vectors:
    return torch.nn.functional.normalize(rows, dim=-1).numpy()


@pytest.fixture(scope="module", autouse=True)
def no_network() -> Iterator[None]:
    """What lies in a folder is imported without a word to any hub."""

    def asked(host: object, *_: object, **__: object) -> None:
        pytest.fail(f"asked for {host}")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", asked)
        yield


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("import")


@pytest.fixture(scope="module", params=checkpoints.CLIPS)
def clip(request: pytest.FixtureRequest, work: Path) -> tuple[Path, Path]:
    """An OpenCLIP checkpoint and the folder it was imported to."""
    source = checkpoints.CLIPS[request.param](work / request.param)
    out = work / f"{request.param}-served"
    import_model(str(source), out, MIT)
    return source, out


@pytest.fixture(scope="module")
def bert(work: Path) -> tuple[Path, Path]:
    source, out = checkpoints.bert(work / "bert"), work / "bert-served"
    import_model(str(source), out, MIT)
    return source, out


@pytest.fixture(scope="module")
def sentence(work: Path) -> tuple[Path, Path]:
    """XLM-R as sentence-transformers has it."""
    source = checkpoints.sentence_transformer(work / "sentence")
    import_model(str(source), work / "sentence-served", ImportOptions())
    return source, work / "sentence-served"


class TestClipContract(EncoderContract):
    """The engine's own tests of an encoder, for every imported CLIP."""

    @pytest.fixture
    def encoder(self, clip: tuple[Path, Path]) -> Encoder:
        return served(clip[1], "joint")


class TestSentenceContract(EncoderContract):
    @pytest.fixture
    def encoder(self, sentence: tuple[Path, Path]) -> Encoder:
        return served(sentence[1], "sentence")


def test_a_clip_embeds_as_open_clip_does(
    clip: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, out = clip
    monkeypatch.chdir(source)  # where OpenCLIP finds a text tower's config by its name
    local = f"local-dir:{source}"
    model, transform = open_clip.create_model_from_pretrained(local)
    with torch.inference_mode():
        text = unit(model.eval().encode_text(open_clip.get_tokenizer(local)(SOME)))
        photos = unit(model.encode_image(torch.stack([transform(p) for p in pictures()])))
    encoder = served(out, "joint")
    for rows in both_ways(encoder, SOME):
        assert cosines(rows, text).min() > 0.9999
    assert cosines(encoder.encode_images(pictures()), photos).min() > 0.9999
    alone = [encoder.encode_images([photo]) for photo in pictures()]
    assert cosines(np.concatenate(alone), photos).min() > 0.9999


def test_a_bert_embeds_as_transformers_does(bert: tuple[Path, Path]) -> None:
    source, out = bert
    model, tokenizer = AutoModel.from_pretrained(source), AutoTokenizer.from_pretrained(source)
    given = tokenizer(SOME, padding=True, truncation=True, max_length=40, return_tensors="pt")
    with torch.inference_mode():
        rows = model.eval()(**given).last_hidden_state
    mask = given["attention_mask"][:, :, None]
    expected = unit((rows * mask).sum(1) / mask.sum(1))
    for found in both_ways(served(out, "sentence"), SOME):
        assert cosines(found, expected).min() > 0.9999


def test_sentence_transformers_notes_are_honoured(sentence: tuple[Path, Path]) -> None:
    """First token, dense layer and tanh, lower case, twelve tokens, prompts by role."""
    source, out = sentence
    model, tokenizer = AutoModel.from_pretrained(source), AutoTokenizer.from_pretrained(source)
    torch.manual_seed(3)
    weight, bias = torch.randn(20, 32) / 6, torch.randn(20)
    encoder = served(out, "sentence")
    for role, prompt in (("query", "query: "), ("document", "passage: ")):
        texts = [(prompt + text).lower() for text in SOME]
        given = tokenizer(texts, padding=True, truncation=True, max_length=12, return_tensors="pt")
        with torch.inference_mode():
            first = model.eval()(**given).last_hidden_state[:, 0]
        expected = unit(torch.tanh(first @ weight.T + bias))
        found = encoder.encode_texts(SOME, role)  # type: ignore[arg-type]
        assert cosines(found, expected).min() > 0.9999
    assert encoder.info.max_tokens == 12
    queries, products = (encoder.encode_texts(["shoes"], r) for r in ("query", "document"))
    assert not np.allclose(queries, products, atol=1e-2)


def test_what_the_manifests_say(clip: tuple[Path, Path], sentence: tuple[Path, Path]) -> None:
    source, out = clip
    manifest = load_manifest(out)
    text, image = manifest.text, manifest.image
    assert text is not None
    assert image is not None
    assert (manifest.name, manifest.licence, list(manifest.spaces)) == (
        source.name,
        "MIT",
        ["joint"],
    )
    assert str(source.parent) not in (out / "manifest.json").read_text()
    expected = {
        "vit_clip": ("crop", "bicubic", 32, 77, 0, 0),
        "siglip": ("squash", "bicubic", 160, 16, 1, 16),
        "custom_text": ("longest", "bilinear", 64, 20, 0, 0),
    }
    towers = (image.resize, image.resample, image.size, text.max_tokens, text.pad_id, text.pad_to)
    assert towers == expected[source.name]
    assert (image.mean, image.std) == ((0.5, 0.4, 0.3), (0.3, 0.4, 0.5))
    other = load_manifest(sentence[1])
    assert other.licence == "mit", "from the model card"
    assert other.text is not None
    assert (other.text.pad_id, other.text.query_prefix) == (1, "query: ")


def test_graphs_take_ids_and_pixels_only(clip: tuple[Path, Path]) -> None:
    manifest = load_manifest(clip[1])
    for tower, name in ((manifest.text, "input_ids"), (manifest.image, "pixels")):
        assert tower is not None
        session = onnxruntime.InferenceSession(clip[1] / tower.file)
        assert [i.name for i in session.get_inputs()] == [name]
        assert [o.name for o in session.get_outputs()] == ["joint"]
    length = onnxruntime.InferenceSession(clip[1] / "text.onnx").get_inputs()[0].shape[1]
    assert (length == 16) if manifest.text.pad_to else isinstance(length, str)  # type: ignore[union-attr]


def test_the_command(bert: tuple[Path, Path], tmp_path: Path, fast: None) -> None:
    arguments = ["import", str(bert[0]), str(tmp_path / "out"), "--licence", "MIT"]
    result = CliRunner().invoke(commands, arguments)
    assert result.exit_code == 0, result.output
    assert "texts: torch, served alone" in result.output
    assert result.output.count("worst ≥ 0.9999") == 2
    (shown,) = re.findall(r"^plugin = .*\noptions = .*$", result.output, re.MULTILINE)
    options = {"model": str(tmp_path / "out"), "space": "sentence"}
    assert tomllib.loads(shown) == {"plugin": "onnx", "options": options}
    again = CliRunner().invoke(commands, arguments)
    assert isinstance(again.exception, InvalidModel)
    assert "name another folder" in str(again.exception)


@pytest.fixture
def fast(bert: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies the exported BERT instead of exporting again: export takes seconds."""

    def copy(folder: Path, **_: object) -> Manifest:
        shutil.copytree(bert[1], folder, dirs_exist_ok=True)
        return load_manifest(folder)

    monkeypatch.setattr(importing, "write_served", copy)


def test_another_result_than_torchs_is_not_written(tmp_path: Path, fast: None) -> None:
    other = checkpoints.bert(tmp_path / "other", seed=1)
    with pytest.raises(InvalidModel, match="not what torch gives: texts: torch, served alone: cos"):
        import_model(str(other), tmp_path / "out", MIT)
    assert [path.name for path in tmp_path.iterdir()] == ["other"]


def refused(source: object, tmp_path: Path, options: ImportOptions = MIT) -> str:
    """The message; and nothing is left behind."""
    with pytest.raises(InvalidModel) as caught:
        import_model(str(source), tmp_path / "out", options)
    assert not list(tmp_path.glob("out*"))
    return str(caught.value)


@pytest.mark.parametrize(
    ("source", "pretrained"),
    [("ViT-B-32", "laion2b_s34b_b79k"), ("hf-hub:acme/clip", ""), ("acme/bert", "")],
)
def test_no_network(
    source: str, pretrained: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told at once: the hub's client alone would try for 24 s a file."""
    tries: list[object] = []

    def unreachable(host: object, *_: object, **__: object) -> None:
        tries.append(host)
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unreachable)
    message = refused(source, tmp_path, ImportOptions(pretrained=pretrained, licence="MIT"))
    assert source in message
    assert "cannot be reached" in message
    assert "hf download ORG/REPO --local-dir FOLDER" in message
    assert len(tries) <= 1


def test_weights_of_another_architecture(tmp_path: Path) -> None:
    source = checkpoints.vit_clip(tmp_path / "clip")
    config = json.loads((source / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"]["layers"] = 3
    (source / "open_clip_config.json").write_text(json.dumps(config))
    message = refused(source, tmp_path)
    assert "weights of another architecture" in message
    assert "transformer.resblocks.2" in message
    weights = str(source / "open_clip_model.safetensors")
    message = refused("ViT-S-32-alt", tmp_path, ImportOptions(pretrained=weights, licence="MIT"))
    assert "open_clip_model.safetensors must hold the weights of a ViT-S-32-alt" in message


def test_an_encoder_with_weights_of_another(tmp_path: Path) -> None:
    source = checkpoints.bert(tmp_path / "bert")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 4}))
    assert "32 tensors are missing or of another shape" in refused(source, tmp_path)
    (source / "config.json").write_text(json.dumps(config | {"model_type": "brt"}))
    assert "transformers cannot load the model" in refused(source, tmp_path)
    (source / "config.json").write_text(json.dumps({"model_type": "clip"}))
    assert "import its OpenCLIP form" in refused(source, tmp_path)


def test_damaged_weights(tmp_path: Path) -> None:
    clip, bert = checkpoints.vit_clip(tmp_path / "clip"), checkpoints.bert(tmp_path / "bert")
    for file in (clip / "open_clip_model.safetensors", bert / "model.safetensors"):
        file.write_bytes(file.read_bytes()[:1000])
    assert str(clip) in refused(clip, tmp_path)
    assert "cannot load the model" in refused(bert, tmp_path)


def test_the_tokenizer_of_a_larger_model(tmp_path: Path) -> None:
    source = checkpoints.bert(tmp_path / "bert")
    checkpoints.word_piece(source, more=("purple", "violet", "mauve", "lilac"))
    assert "has the id 101, the model embeds 100" in refused(source, tmp_path)


def test_no_tokenizer(tmp_path: Path) -> None:
    for source in (checkpoints.bert(tmp_path / "bert"), checkpoints.siglip(tmp_path / "siglip")):
        for file in source.glob("tokenizer*"):
            file.unlink()
        assert re.search("no tokenizer files|backend tokenizer", refused(source, tmp_path))


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("ViT-B-33", MIT, "nor an OpenCLIP name.*OpenCLIP has ViT-B-32"),
        ("ViT-B-32", MIT, "name its weights: --pretrained TAG or FILE .*laion2b_s34b_b79k"),
        ("ViT-B-32", ImportOptions(pretrained="x.pt"), "'x.pt' is neither a tag nor a file"),
        ("./nowhere", MIT, "neither a folder"),
    ],
)
def test_a_source_that_is_nothing(
    source: str, options: ImportOptions, message: str, tmp_path: Path
) -> None:
    assert re.search(message, refused(source, tmp_path, options))


def test_options_that_do_not_fit(bert: tuple[Path, Path], tmp_path: Path) -> None:
    source = bert[0]
    weights = source / "model.safetensors"
    assert "name its architecture" in refused(weights, tmp_path)
    given = ImportOptions(pretrained="openai")
    assert "leave --pretrained out" in refused(source, tmp_path, given)
    assert "pooling is one of mean, cls" in refused(source, tmp_path, ImportOptions(pooling="x"))
    assert "say it with --licence" in refused(source, tmp_path, ImportOptions())


@pytest.mark.parametrize(
    ("pooling", "message"),
    [
        (
            {"pooling_mode": "lasttoken"},
            "pooling 'lasttoken' cannot be served: only mean, cls, max",
        ),
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": True}, "'cls.mean'"),
        ({"pooling_mode": "mean", "include_prompt": False}, "a prompt left out of the mean"),
    ],
)
def test_poolings_that_cannot_be_served(
    pooling: dict[str, object], message: str, tmp_path: Path
) -> None:
    source = checkpoints.sentence_transformer(tmp_path / "st", **pooling)
    assert re.search(message, refused(source, tmp_path))
