"""Training learns, folds its standardization away, and never sees what is held out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.data import training_photos, validation_ids
from models.features import embed_photos, embed_texts
from models.heads import Heads, Recipe, TrainingSet, train_heads
from models.towers import IMAGE_FEATURES, TEXT_FEATURES, build_clip
from models.training import dev_recall, split

# torch.export and its ONNX exporter warn about each other's deprecations.
EXPORTS = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
QUICK = Recipe(epochs=30, batch=64, dropout=0.0)


def related(n: int = 128) -> TrainingSet:
    """Photo and caption features that are two noisy views of one hidden thing."""
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(n, 16))
    texts = (hidden @ rng.normal(size=(16, TEXT_FEATURES))).astype(np.float32)
    clean = hidden @ rng.normal(size=(16, IMAGE_FEATURES)) + 3.0
    views = [(clean + rng.normal(scale=0.1, size=clean.shape)).astype(np.float32) for _ in range(2)]
    return TrainingSet(views, texts, [[i] for i in range(n)])


def test_held_out_products_never_train(data: Path) -> None:
    photos = training_photos(data)
    products = {photo.product for photo in photos}
    assert not products & {f"fashion-{id}" for id in validation_ids(data)}
    names = {photo.path.name for photo in photos if photo.path.parent.name == "grocery"}
    assert names == {"0.jpg", "1.jpg", "2.jpg", "10.jpg", "11.jpg", "12.jpg"}
    assert sum(photo.path.parent.name == "clothing" for photo in photos) == 12
    assert all(photo.captions and all(photo.captions) for photo in photos)


def test_products_are_not_split(data: Path) -> None:
    photos = training_photos(data)
    train, dev = split(photos, seed=1)
    assert sorted([*train, *dev]) == list(range(len(photos)))
    assert not {photos[i].product for i in train} & {photos[i].product for i in dev}
    assert split(photos, seed=1) == (train, dev)


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_heads_learn_what_belongs_together(head: str) -> None:
    data = related()
    model = build_clip(head)
    before = dev_recall(model, data, range(128))
    train_heads(model, data, QUICK)
    assert before < 0.3
    assert dev_recall(model, data, range(128)) > 0.95


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_folding_changes_no_embedding(head: str) -> None:
    data, model = related(), build_clip(head)
    heads = Heads(model, data, QUICK).eval()
    images, texts = torch.from_numpy(data.images[0]), torch.from_numpy(data.texts)
    with torch.inference_mode():
        expected = heads.images(images), heads.texts(texts)
    heads.fold()
    with torch.inference_mode():
        plain = model.visual.head(images), model.text.proj(texts)
    for want, got in zip(expected, plain, strict=True):
        unit = torch.nn.functional.normalize(got, dim=-1)
        assert float((want * unit).sum(dim=-1).min()) > 0.99999


def test_training_is_repeatable() -> None:
    weights = []
    for _ in range(2):
        model = build_clip("linear")
        train_heads(model, related(), Recipe(epochs=2, batch=64))
        weights.append(model.text.proj.weight.detach().numpy().copy())
    np.testing.assert_allclose(weights[0], weights[1], atol=1e-6)


@EXPORTS
def test_features_are_computed_once(data: Path, tmp_path: Path) -> None:
    """The second call reads the cache; another view is another set of features."""
    model = build_clip()
    paths = [photo.path for photo in training_photos(data)[:5]]
    first = embed_photos(model, paths, 0, tmp_path)
    assert first.shape == (5, IMAGE_FEATURES)
    (tmp_path / "trunk.onnx").write_bytes(b"unreadable")
    np.testing.assert_array_equal(embed_photos(model, paths, 0, tmp_path), first)
    with pytest.raises(Exception, match=r"trunk\.onnx"):
        embed_photos(model, paths, 1, tmp_path)


@EXPORTS
def test_text_features_keep_their_order(tmp_path: Path) -> None:
    model = build_clip()
    texts = [f"title {i} " + "with many words " * (i % 5) for i in range(70)]
    rows = embed_texts(model, texts, tmp_path)
    assert rows.shape == (70, TEXT_FEATURES)
    np.testing.assert_allclose(embed_texts(model, texts[33:34], tmp_path)[0], rows[33], atol=1e-4)
