"""Training learns what belongs together, goes on where it stopped, and never sees what is held
out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from open_clip.model import CustomTextCLIP
from PIL import Image
from torch.nn import functional

from models.data import training_photos, validation_ids
from models.features import embed_captions, embed_photos
from models.objective import contrastive, matches
from models.towers import build_clip, frozen_maps, image_features, trained_state
from models.training import Recipe, Trainer, dev_figures, embed, load_training_set, split, train

QUICK = Recipe(
    size=32,
    epochs=4,
    batch=16,
    views=2,
    head_lr=3e-3,
    drop_path=0.0,
    average=0.5,
)


def test_held_out_products_never_train(data: Path) -> None:
    photos = training_photos(data)
    products = {photo.product for photo in photos}
    assert not products & {f"fashion-{id}" for id in validation_ids(data)}
    names = {photo.path.name for photo in photos if photo.path.parent.name == "grocery"}
    assert names == {"0.jpg", "1.jpg", "2.jpg", "10.jpg", "11.jpg", "12.jpg"}
    assert sum(photo.path.parent.name == "clothing" for photo in photos) == 12
    assert all(photo.titles and photo.kinds for photo in photos)


def test_products_are_not_split(data: Path) -> None:
    photos = training_photos(data)
    train_rows, dev = split(photos, seed=1)
    assert sorted([*train_rows, *dev]) == list(range(len(photos)))
    assert not {photos[i].product for i in train_rows} & {photos[i].product for i in dev}
    again = split(photos, seed=1)
    np.testing.assert_array_equal(again[0], train_rows)


def test_training_lowers_the_loss_and_leaves_the_frozen_parts(data: Path, tmp_path: Path) -> None:
    model = build_clip()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    material = load_training_set(model, data, tmp_path, QUICK)
    rows = np.arange(len(material.photos))
    said: list[str] = []
    trainer = Trainer(model, material, rows, replace(QUICK, epochs=20, kinds=0.0))
    trainer.run(tmp_path / "run.pt", said.append)
    losses = [float(line.split("loss ")[1].split()[0]) for line in said]
    assert losses[-1] < 0.9 * np.log(QUICK.batch), losses
    changed = {n for n, t in model.state_dict().items() if not torch.equal(t, before[n])}
    assert changed <= trained_state(model).keys()
    assert any("trunk.blocks.6" in name for name in changed)
    assert any("layer.5" in name for name in changed)


def test_it_goes_on_where_it_stopped(data: Path, tmp_path: Path) -> None:
    """Stopped after half of the steps and resumed, it ends where it would have ended: batches,
    rates, moments, dropped paths and mean weights are the same."""
    recipe = QUICK
    material = load_training_set(build_clip(), data, tmp_path, recipe)
    rows = np.arange(len(material.photos))

    def trainer() -> Trainer:
        return Trainer(build_clip(drop_path=0.2), material, rows, recipe)

    whole = trainer()
    whole.run(tmp_path / "whole.pt", print)
    half = trainer()
    steps, half.steps = half.steps, half.steps // 2
    half.run(tmp_path / "half.pt", print)
    assert half.step == steps // 2
    rest = trainer()
    rest.run(tmp_path / "half.pt", print)
    assert rest.step == whole.step == steps
    for name, tensor in trained_state(whole.model).items():
        torch.testing.assert_close(trained_state(rest.model)[name], tensor, atol=1e-5, rtol=1e-4)


def test_chunks_have_the_gradients_of_the_whole_batch(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one pass over all photos."""
    monkeypatch.setattr("models.training.CHUNK", 4)
    model = build_clip()
    recipe = QUICK
    material = load_training_set(model, data, tmp_path, recipe)
    trainer = Trainer(model, material, np.arange(len(material.photos)), recipe)
    batch = trainer.rows[:10]
    rng = np.random.default_rng((recipe.seed, 1, 0))
    whole = functional.normalize(image_features(model, trainer._maps(batch, rng)), dim=-1)
    trainer._loss(whole, batch, rng).backward()
    torch.nn.utils.clip_grad_norm_(trainer.trained, 1.0)
    expected = [p.grad.clone() for p in trainer.trained]
    trainer._update(batch)
    for parameter, grad in zip(trainer.trained, expected, strict=True):
        torch.testing.assert_close(parameter.grad, grad, atol=1e-6, rtol=1e-3)


def test_training_is_repeatable(data: Path, tmp_path: Path) -> None:
    recipe = replace(QUICK, epochs=1)
    first, figures = train(data, tmp_path / "a", recipe, print)
    second, _ = train(data, tmp_path / "b", recipe, print)
    for name, tensor in trained_state(first).items():
        torch.testing.assert_close(trained_state(second)[name], tensor, atol=1e-5, rtol=1e-4)
    assert figures == {}


def test_dev_figures_of_a_perfect_and_of_a_mistaken_model(
    model: CustomTextCLIP, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photos embedded as their own titles, and each as the title of the one before it."""
    material = load_training_set(model, data, tmp_path, QUICK)
    kept, dev = np.arange(6), np.arange(6, 12)
    with torch.inference_mode():
        named = np.asarray([material.titles[i][0] for i in (*dev, *kept)])
        rows = embed(model, material.texts, named)
    monkeypatch.setattr("models.training.image_features", lambda *_: rows)
    perfect = {"R@1": 1.0, "R@10": 1.0, "MRR": 1.0}
    assert dev_figures(model, material, kept, dev) == perfect
    monkeypatch.setattr("models.training.image_features", lambda *_: rows.roll(1, 0))
    found = dev_figures(model, material, kept, dev)
    assert found["R@1"] == 0.0
    assert 1 / 12 <= found["MRR"] <= 1 / 2


def test_maps_are_computed_once_per_view(data: Path, tmp_path: Path) -> None:
    """The second call reads the cache; view 0 is what serving sees, another view is another."""
    model = build_clip()
    paths = [photo.path for photo in training_photos(data)[:5]]
    first = embed_photos(model, paths, 64, 0, tmp_path)
    assert first.shape[:3] == (5, 8, 8)
    (file,) = tmp_path.iterdir()
    touched = file.stat().st_mtime_ns
    np.testing.assert_array_equal(embed_photos(model, paths, 64, 0, tmp_path), first)
    assert file.stat().st_mtime_ns == touched
    assert not np.array_equal(embed_photos(model, paths, 64, 1, tmp_path), first)


def test_cached_parts_give_the_whole_towers_embedding(data: Path, tmp_path: Path) -> None:
    model = build_clip()
    path = training_photos(data)[0].path
    with Image.open(path) as file:
        side = file.convert("RGB").resize((64, 64), Image.Resampling.BICUBIC)
    pixels = torch.from_numpy(np.asarray(side, dtype=np.float32) / 127.5 - 1.0)
    pixels = pixels.permute(2, 0, 1).unsqueeze(0)
    with torch.inference_mode():
        whole = model.visual(pixels)
        parts = image_features(model, frozen_maps(model, pixels))
        cached = embed_photos(model, [path], 64, 0, tmp_path)
        from_cache = image_features(model, torch.tensor(cached).float().permute(0, 3, 1, 2))
    torch.testing.assert_close(parts, whole, atol=1e-4, rtol=1e-4)
    # bfloat16 in the cache
    assert float(functional.cosine_similarity(from_cache, whole).min()) > 0.99


def test_captions_keep_their_order_and_know_no_neighbours() -> None:
    model = build_clip()
    texts = [f"title {i} " + "with many words " * (i % 5) for i in range(130)]
    states = embed_captions(model, texts)
    asked = np.asarray([3, 129, 3, 64])
    with torch.inference_mode():
        rows = embed(model, states, asked)
        alone = torch.cat([embed(model, states, asked[i : i + 1]) for i in range(4)])
    torch.testing.assert_close(rows[0], rows[2])
    # bfloat16, in batches of other shapes
    assert float(functional.cosine_similarity(rows, alone).min()) > 0.999


@given(st.integers(2, 8), st.integers(0, 2**16))
def test_the_loss_of_plain_pairs_is_clips(n: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    x, y = (functional.normalize(torch.randn(n, 4, generator=generator), dim=-1) for _ in range(2))
    logits, target = x @ y.T * 10, torch.arange(n)
    expected = (
        functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
    ) / 2
    found = contrastive(x, y, torch.eye(n, dtype=torch.bool), torch.tensor(10.0))
    torch.testing.assert_close(found, expected)


def test_equal_captions_are_matches() -> None:
    """Two photos of one caption: either is right, so exact embeddings cost ln 2 at most."""
    x = functional.normalize(torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]), dim=-1)
    right = matches([[5], [5], [7]], np.asarray([5, 5, 7]))
    found = contrastive(x, x, right, torch.tensor(100.0))
    assert float(found) == pytest.approx(2 / 3 * np.log(2), abs=1e-3)


def test_a_caption_drawn_for_another_photo_can_be_right() -> None:
    """Photo 0 is a "red shoe" (1) and a "men's shoe" (2), photo 1 a men's shoe alone."""
    right = matches([[1, 2], [2], [3]], np.asarray([1, 2, 3]))
    assert right.tolist() == [[True, True, False], [False, True, False], [False, False, True]]
    x = torch.eye(3)
    logits = x * 2.0
    rows = -functional.log_softmax(logits, dim=1)
    columns = -functional.log_softmax(logits.T, dim=1)
    to_texts = (rows[0, :2].mean() + rows[1, 1] + rows[2, 2]) / 3
    to_images = (columns[0, 0] + columns[1, :2].mean() + columns[2, 2]) / 3
    found = contrastive(x, x, right, torch.tensor(2.0))
    torch.testing.assert_close(found, (to_texts + to_images) / 2)
