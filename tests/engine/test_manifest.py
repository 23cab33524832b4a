"""The served-model directory: written, verified, and refused where it is not whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine import InvalidModel
from engine.manifest import (
    FILE_NAME,
    FORMAT,
    ImageTower,
    Manifest,
    QueryTower,
    Space,
    TextTower,
    file_digest,
    load_manifest,
    save_manifest,
)

HALF = (0.5, 0.5, 0.5)
FILES = ("text.onnx", "image.onnx", "tokenizer.json")
WHOLE = Manifest(
    format=FORMAT,
    name="toy",
    version="1.2",
    licence="Apache-2.0",
    provenance="made for this test",
    spaces={"joint": Space(8, {"text": 0.1, "image": 0.4}), "sentence": Space(4)},
    files=dict.fromkeys(FILES, ""),
    text=TextTower("text.onnx", "tokenizer.json", 64, ("sentence", "joint")),
    image=ImageTower("image.onnx", 32, HALF, HALF, ("joint",)),
)


QUERY = QueryTower("query.onnx", "words.json", 32, ("O", "B-color", "I-color"), ("Bags", "Hats"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole model directory, its files only by name what they say."""
    for name in FILES:
        (tmp_path / name).write_bytes(name.encode() * 100)
    save_manifest(tmp_path, WHOLE)
    return tmp_path


def rewrite(folder: Path, **changes: Any) -> None:
    path = folder / FILE_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | changes), encoding="utf-8")


def test_read_as_written(folder: Path) -> None:
    manifest = load_manifest(folder)
    assert manifest.files == {name: file_digest(folder / name) for name in FILES}
    assert msgspec.structs.replace(manifest, files=WHOLE.files) == WHOLE


def test_the_file_is_for_people_too(folder: Path) -> None:
    text = (folder / FILE_NAME).read_text(encoding="utf-8")
    assert text.startswith('{\n  "format"')
    assert text.endswith("}\n")


def test_info_of_each_space(folder: Path) -> None:
    manifest = load_manifest(folder)
    joint, sentence = manifest.info("joint"), manifest.info("sentence")
    assert (joint.name, joint.version, joint.dim) == ("toy", "1.2", 8)
    assert joint.modalities == ("text", "image")
    assert (joint.max_tokens, joint.image_size) == (64, 32)
    assert joint.min_score == {"text": 0.1, "image": 0.4}
    assert (sentence.name, sentence.dim, sentence.modalities) == ("toy/sentence", 4, ("text",))
    assert (sentence.image_size, sentence.min_score) == (0, {})
    assert sentence.fingerprint != joint.fingerprint


def test_an_unknown_space_names_the_known(folder: Path) -> None:
    with pytest.raises(InvalidModel, match="no space 'video'; it has: joint, sentence"):
        load_manifest(folder).info("video")


def _weights(folder: Path) -> None:
    (folder / "image.onnx").write_bytes(b"other weights")


def _tokenizer(folder: Path) -> None:
    (folder / "tokenizer.json").write_bytes(b"{}")


def _text_length(folder: Path) -> None:
    tower = json.loads((folder / FILE_NAME).read_text())["text"]
    rewrite(folder, text=tower | {"max_tokens": 32})


def _pixels(folder: Path) -> None:
    tower = json.loads((folder / FILE_NAME).read_text())["image"]
    rewrite(folder, image=tower | {"resize": "crop"})


@pytest.mark.parametrize("change", [_weights, _tokenizer, _text_length, _pixels])
def test_fingerprint_follows_what_decides_embeddings(
    folder: Path, change: Callable[[Path], None]
) -> None:
    before = load_manifest(folder).info("joint").fingerprint
    change(folder)
    manifest = msgspec.json.decode((folder / FILE_NAME).read_bytes(), type=Manifest)
    assert save_manifest(folder, manifest).info("joint").fingerprint != before


@pytest.mark.parametrize(
    "change", [{"pad_to": 64}, {"query_prefix": "query: "}, {"document_prefix": "passage: "}]
)
def test_fingerprint_follows_later_fields_too(folder: Path, change: dict[str, object]) -> None:
    before = load_manifest(folder)
    rewrite(folder, text=json.loads((folder / FILE_NAME).read_text())["text"] | change)
    after = load_manifest(folder)
    assert after.info("sentence").fingerprint != before.info("sentence").fingerprint


def test_fingerprints_outlive_new_fields() -> None:
    """Those of the first release, so that its indexes are good for every later one."""
    manifest = msgspec.structs.replace(WHOLE, files={name: name for name in FILES})
    assert manifest.info("joint").fingerprint == "8aed9756eb544c526dda04f6e2bcad70"
    assert manifest.info("sentence").fingerprint == "f444c37b7cb26b1767ae8d010e89570f"


def test_a_manifest_of_the_first_release_can_be_read(folder: Path) -> None:
    text = json.loads((folder / FILE_NAME).read_text())["text"]
    first = ("file", "tokenizer", "max_tokens", "spaces", "pad_id")
    rewrite(folder, text={name: text[name] for name in first})
    assert load_manifest(folder).text == WHOLE.text


def test_fingerprint_ignores_what_does_not(folder: Path) -> None:
    """Names, figures and noise floors, and for a text-only space the image tower."""
    before = load_manifest(folder)
    rewrite(folder, name="other", licence="MIT", quality={"R@1": 0.5}, speed={"text ms": 3.0})
    (folder / "image.onnx").rename(folder / "photos.onnx")
    tower = msgspec.structs.replace(before.image, file="photos.onnx")  # type: ignore[type-var]
    files = {"text.onnx": "", "photos.onnx": "", "tokenizer.json": ""}
    after = save_manifest(folder, msgspec.structs.replace(before, image=tower, files=files))
    assert after.info("joint").fingerprint == before.info("joint").fingerprint
    (folder / "photos.onnx").write_bytes(b"other weights")
    changed = save_manifest(folder, after)
    assert changed.info("sentence").fingerprint == before.info("sentence").fingerprint
    assert changed.info("joint").fingerprint != before.info("joint").fingerprint


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match=r"no model at .*nowhere"):
        load_manifest(tmp_path / "nowhere")


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(InvalidModel, match=f"{name}.*copy the model again"):
        load_manifest(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file(folder: Path, name: str) -> None:
    data = bytearray((folder / name).read_bytes())
    data[50] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(InvalidModel, match=f"{name}.*damaged"):
        load_manifest(folder)


def test_a_cut_file(folder: Path) -> None:
    (folder / "text.onnx").write_bytes((folder / "text.onnx").read_bytes()[:-1])
    with pytest.raises(InvalidModel, match=r"text\.onnx.*damaged"):
        load_manifest(folder)


def test_a_newer_format(folder: Path) -> None:
    """Told apart from a damaged manifest, whatever else the newer format holds."""
    (folder / FILE_NAME).write_text(json.dumps({"format": FORMAT + 1, "towers": []}))
    with pytest.raises(InvalidModel, match=f"format {FORMAT + 1} is newer .*upgrade"):
        load_manifest(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": "one"}', '{"format": 1}', "\x00"])
def test_not_a_manifest(folder: Path, text: str) -> None:
    (folder / FILE_NAME).write_text(text)
    with pytest.raises(InvalidModel, match="not a model manifest"):
        load_manifest(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [("spaces", {"joint": {}}), ("text", {"file": "x"}), ("name", 5), ("files", ["text.onnx"])],
)
def test_a_field_of_the_wrong_kind_is_named(folder: Path, field: str, value: object) -> None:
    rewrite(folder, **{field: value})
    with pytest.raises(InvalidModel, match=rf"not a model manifest.*\$\.{field}"):
        load_manifest(folder)


def test_files_stay_inside_the_folder(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path.parent / "outside.onnx"
    outside.write_bytes(b"weights")
    for name in ("../outside.onnx", str(outside)):
        rewrite(folder, files={name: file_digest(outside)})
        with pytest.raises(InvalidModel, match="outside the model's folder"):
            load_manifest(folder)


@pytest.mark.parametrize("whole", ["files", "spaces"])
def test_towers_name_only_what_is_described(folder: Path, whole: str) -> None:
    described = json.loads((folder / FILE_NAME).read_text())[whole]
    rewrite(folder, **{whole: dict(list(described.items())[1:])})
    with pytest.raises(InvalidModel, match="export it again"):
        load_manifest(folder)


@pytest.fixture
def with_query(folder: Path) -> Path:
    """The directory with a query tower beside the two others."""
    for name in (QUERY.file, QUERY.tokenizer):
        (folder / name).write_bytes(name.encode() * 100)
    files = dict.fromkeys((*FILES, QUERY.file, QUERY.tokenizer), "")
    save_manifest(folder, msgspec.structs.replace(WHOLE, files=files, query=QUERY))
    return folder


def test_a_query_tower_is_read_as_written(with_query: Path) -> None:
    manifest = load_manifest(with_query)
    assert manifest.query == QUERY
    assert [tower.file for tower in manifest.towers] == ["text.onnx", "image.onnx", "query.onnx"]
    assert QUERY.outputs == ("tags", "categories")
    assert msgspec.structs.replace(QUERY, categories=()).outputs == ("tags",)


def test_a_query_tower_leaves_embeddings_and_their_fingerprints_alone(with_query: Path) -> None:
    after = load_manifest(with_query)
    before = msgspec.structs.replace(after, query=None)
    for space in ("joint", "sentence"):
        assert after.info(space) == before.info(space)


def test_a_folder_with_a_query_tower_alone_has_no_spaces(with_query: Path) -> None:
    rewrite(with_query, spaces={}, text=None, image=None)
    manifest = load_manifest(with_query)
    assert manifest.towers == (QUERY,)
    with pytest.raises(InvalidModel, match="no space 'joint'; it has: none"):
        manifest.info("joint")


@pytest.mark.parametrize("name", [QUERY.file, QUERY.tokenizer])
def test_files_of_a_query_tower_are_described_and_verified(with_query: Path, name: str) -> None:
    files = json.loads((with_query / FILE_NAME).read_text())["files"]
    rewrite(with_query, files={file: digest for file, digest in files.items() if file != name})
    with pytest.raises(InvalidModel, match=f"does not describe {name}: export it again"):
        load_manifest(with_query)
    rewrite(with_query, files=files)
    (with_query / name).write_bytes(b"other")
    with pytest.raises(InvalidModel, match=f"{name}: .*damaged"):
        load_manifest(with_query)
