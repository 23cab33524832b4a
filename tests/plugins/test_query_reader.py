"""Reading queries with a tiny tower, whose every answer can be told beforehand.

It is a lookup of tags by token, made by ``tests/models/lookup_query.py``.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import InvalidModel, Span
from engine.manifest import FILE_NAME, load_manifest, save_manifest
from plugins.onnx_encoder import WEIGHTS
from plugins.query_reader import LONGEST, QueryReader, Reading

LOOKUP = Path(__file__).parent / "golden" / "query-lookup"


@pytest.fixture(scope="module")
def reader() -> QueryReader:
    return QueryReader(LOOKUP, threads=1)


def found(reading: Reading) -> list[tuple[str, str]]:
    return [(span.label, span.value) for span in reading.spans]


def test_a_query_is_read(reader: QueryReader) -> None:
    reading = reader.read("Red  NIKE running shoes for women")
    assert reading.spans == [
        Span(0, 3, "color", "Red", pytest.approx(0.9)),
        Span(5, 9, "creator", "NIKE", pytest.approx(0.9)),
        Span(10, 23, "core_product_type", "running shoes", pytest.approx((0.7 * 0.6) ** 0.5)),
        Span(28, 33, "department", "women", pytest.approx(0.9)),
    ]
    assert next(iter(reading.categories)) == "Shoes > Running"
    assert sum(reading.categories.values()) == pytest.approx(1.0)


def test_a_words_first_piece_decides(reader: QueryReader) -> None:
    """ "shoes" is "shoe" and "##s"; the second piece says O."""
    assert found(reader.read("running shoes")) == [("core_product_type", "running shoes")]


@pytest.mark.parametrize(
    ("text", "spans"),
    [
        ("navy blue dress", [("color", "navy blue"), ("core_product_type", "dress")]),
        ("blue dress", [("color", "blue"), ("core_product_type", "dress")]),
        ("shoe", [("core_product_type", "shoe")]),
        ("new balance", [("creator", "new balance")]),
        ("red\tred", [("color", "red"), ("color", "red")]),
        ("red,blue", [("color", "red,blue")]),
        ("zzz for", []),
    ],
)
def test_readings(reader: QueryReader, text: str, spans: list[tuple[str, str]]) -> None:
    assert found(reader.read(text)) == spans


def test_categories_are_the_likeliest_first(reader: QueryReader) -> None:
    categories = reader.read("dress").categories
    assert next(iter(categories)) == "Clothing > Dresses"
    assert list(categories.values()) == sorted(categories.values(), reverse=True)


@pytest.mark.parametrize("text", ["", " ", "\t\n", "\x00\x01", "\u200b", "　"])
def test_texts_without_words_say_nothing(reader: QueryReader, text: str) -> None:
    assert reader.read(text) == Reading([], {})


def test_words_that_the_tokenizer_sees_nothing_in_are_left_out(reader: QueryReader) -> None:
    text = "\x00 red \x01\x02 dress"
    spans = reader.read(text).spans
    assert [(span.label, text[span.start : span.end]) for span in spans] == [
        ("color", "red"),
        ("core_product_type", "dress"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "👟",
        "1234567890",
        "<b>red</b> &amp; <script>alert(1)</script>",
        "男士 黑色 皮鞋",
        "حذاء أحمر",
        "'; DROP TABLE products; --",
        "\ud83d red",
        "\u202ered\u202c",
        "a" * 5000,
        "é" * 300 + " red",
    ],
)
def test_odd_texts_are_read_soberly(reader: QueryReader, text: str) -> None:
    reading = reader.read(text)
    for span in reading.spans:
        assert span.value == text[span.start : span.end]
        assert 0.0 < span.confidence <= 1.0
    assert sum(reading.categories.values()) == pytest.approx(1.0)


def test_what_is_beyond_the_models_length_is_left_unread(reader: QueryReader) -> None:
    """16 tokens, of which two are the model's own: 14 words of one token."""
    words = ["for"] * 13 + ["red", "nike"]
    assert found(reader.read(" ".join(words))) == [("color", "red")]


def test_long_texts_are_cut_before_they_are_tokenized(
    reader: QueryReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[list[list[str]]] = []

    class Tokenizer:
        def encode_batch(self, texts: list[list[str]], is_pretokenized: bool) -> Any:
            given.append(texts)
            return plain.encode_batch(texts, is_pretokenized=is_pretokenized)

    plain = reader._tokenizer
    monkeypatch.setattr(reader, "_tokenizer", Tokenizer())
    assert found(reader.read("red " * 100_000)) == [("color", "red")] * 14
    assert sum(map(len, given[0][0])) <= LONGEST


def test_many_are_read_as_one_by_one(reader: QueryReader) -> None:
    texts = ["red dress", "", "new balance running shoes for women", "blue", "\x00", "dress " * 40]
    alone = [reader.read(text) for text in texts]
    together = reader.read_many(texts)
    assert [found(reading) for reading in together] == [found(reading) for reading in alone]
    for a, b in zip(alone, together, strict=True):
        sure = [[span.confidence for span in reading.spans] for reading in (a, b)]
        assert sure[0] == pytest.approx(sure[1], abs=1e-6)
        assert a.categories == pytest.approx(b.categories, abs=1e-6)
    assert reader.read_many([]) == []


@given(text=st.text(max_size=60))
def test_any_text_can_be_read(reader: QueryReader, text: str) -> None:
    for span in reader.read(text).spans:
        assert span.value == text[span.start : span.end] != ""


class Fixed:
    """A runtime that gives what it was told, whatever it is asked."""

    def __init__(self, *parts: Callable[[tuple[int, int]], np.ndarray]) -> None:
        self.parts = parts

    def run(self, outputs: list[str], inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        n, t = inputs["input_ids"].shape
        return [part((n, t)) for part in self.parts]


def tags(shape: tuple[int, int], value: float = 1.0) -> np.ndarray:
    rows = np.zeros((*shape, 9), dtype=np.float32)
    rows[..., 1] = value
    return rows


def categories(shape: tuple[int, int]) -> np.ndarray:
    return np.full((shape[0], 3), 1 / 3, dtype=np.float32)


def test_another_runtime_of_the_same_tower(reader: QueryReader) -> None:
    other = reader.over(Fixed(tags, categories))
    assert found(other.read("for us")) == [("color", "for"), ("color", "us")]
    assert found(reader.read("for us")) == []


def test_probabilities_that_are_no_numbers(reader: QueryReader) -> None:
    broken = reader.over(Fixed(lambda shape: tags(shape, float("nan")), categories))
    with pytest.raises(InvalidModel, match=r"query\.onnx gives probabilities that are no numbers"):
        broken.read("red")


def test_a_graph_of_other_labels_than_the_manifests() -> None:
    with pytest.raises(InvalidModel, match=r"not a query tower: .* gives \(2, .*, 8\)"):
        QueryReader(LOOKUP, open_session=lambda path: Fixed(lambda s: tags(s)[..., :8], categories))


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(LOOKUP, tmp_path / "model"))


def rewrite(folder: Path, **changes: Any) -> None:
    path = folder / FILE_NAME
    plain = json.loads(path.read_text())
    path.write_text(json.dumps(plain | {"query": plain["query"] | changes}), encoding="utf-8")


@pytest.fixture(scope="module")
def shipped() -> QueryReader:
    return QueryReader(WEIGHTS / "query-bert", threads=1)


def test_the_shipped_model_is_complete() -> None:
    manifest = load_manifest(WEIGHTS / "query-bert")
    assert manifest.licence == "Apache-2.0"
    assert manifest.provenance
    assert manifest.towers == (manifest.query,)
    size = sum(path.stat().st_size for path in (WEIGHTS / "query-bert").iterdir())
    assert size <= 17_000_000, "weights count against the repository for ever"
    assert b".py" not in (WEIGHTS / "query-bert" / "query.onnx").read_bytes()


def test_the_shipped_model_reads(shipped: QueryReader) -> None:
    reading = shipped.read("red nike running shoes for women")
    assert set(found(reading)) >= {
        ("color", "red"),
        ("creator", "nike"),
        ("core_product_type", "running shoes"),
    }
    assert 0.0 < sum(reading.categories.values()) <= 1.0 + 1e-6


def test_the_shipped_model_reads_alone_as_in_a_batch(shipped: QueryReader) -> None:
    texts = ["navy dress", "waterproof mens hiking boots size 12 wide", "lego", "👟 42.5"]
    for alone, batch in zip(
        [shipped.tagged([t])[0] for t in texts], shipped.tagged(texts), strict=True
    ):
        np.testing.assert_allclose(alone.tags, batch.tags, atol=1e-4)
        np.testing.assert_allclose(alone.categories, batch.categories, atol=1e-4)


def test_a_tower_without_categories(copied: Path) -> None:
    rewrite(copied, categories=[])
    reading = QueryReader(copied, threads=1).read("red dress")
    assert found(reading) == [("color", "red"), ("core_product_type", "dress")]
    assert reading.categories == {}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": ["O", "B-color"]}, r"query\.onnx: not a query tower: .*: export it again"),
        ({"categories": ["one"]}, r"query\.onnx: not a query tower: .*: export it again"),
        ({"labels": ["O", "color"]}, "label 'color'"),
    ],
)
def test_a_manifest_that_does_not_fit(copied: Path, changes: dict[str, Any], words: str) -> None:
    rewrite(copied, **changes)
    with pytest.raises(InvalidModel, match=words):
        QueryReader(copied)


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(InvalidModel, match="no model at"):
        QueryReader(tmp_path / "nowhere")


def test_a_model_that_reads_no_queries() -> None:
    with pytest.raises(InvalidModel, match="product-clip has no query tower: name a folder"):
        QueryReader(WEIGHTS / "product-clip")


@pytest.mark.parametrize("name", ["query.onnx", "tokenizer.json"])
def test_a_damaged_model(copied: Path, name: str) -> None:
    (copied / name).write_bytes(b"half copied")
    with pytest.raises(InvalidModel, match=f"{name}: .*copy the model again"):
        QueryReader(copied)


@pytest.mark.parametrize("name", ["query.onnx", "tokenizer.json"])
def test_a_file_that_is_not_what_it_claims(copied: Path, name: str) -> None:
    """Hashes right, content wrong: a model that somebody exported badly."""
    manifest = load_manifest(copied)
    (copied / name).write_bytes(b"not a model")
    save_manifest(copied, manifest)
    with pytest.raises(InvalidModel, match=name):
        QueryReader(copied)
