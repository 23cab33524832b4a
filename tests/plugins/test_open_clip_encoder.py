"""Encoder ``open_clip`` on small random models; needs torch, but for the last tests."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine import Encoder, EncoderError, InvalidModel, InvalidSettings, PluginManager
from engine.testing.encoder_contract import EncoderContract, cosines, picture

TINY = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1},
}
torch_only = pytest.mark.models


def make(**options: object) -> Encoder:
    encoder: Encoder = PluginManager().create("encoders", "open_clip", options)
    return encoder


def save_random(folder: Path, seed: int = 0) -> Path:
    """A tiny CLIP with random weights, as OpenCLIP writes checkpoints."""
    torch, open_clip_model = (importlib.import_module(n) for n in ("torch", "open_clip.model"))
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    model = open_clip_model.CLIP(
        TINY["embed_dim"],
        vision_cfg=open_clip_model.CLIPVisionCfg(**TINY["vision_cfg"]),
        text_cfg=open_clip_model.CLIPTextCfg(**TINY["text_cfg"]),
    )
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    config: dict[str, Any] = {"model_cfg": TINY, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5]}}
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random(tmp_path_factory.mktemp("tiny-clip"))


@pytest.fixture(scope="module")
def tiny(folder: Path) -> Encoder:
    return make(model=f"local-dir:{folder}", batch=4, threads=2)


@torch_only
class TestContract(EncoderContract):
    @pytest.fixture
    def encoder(self, tiny: Encoder) -> Encoder:
        return tiny


@torch_only
def test_info_tells_what_the_model_is(folder: Path) -> None:
    info = make(model=f"local-dir:{folder}").info
    assert (info.dim, info.image_size, info.max_tokens) == (32, 32, 77)
    assert info.modalities == ("text", "image")


@torch_only
def test_fingerprint_follows_the_weights(folder: Path, tmp_path: Path) -> None:
    same = save_random(tmp_path / "same")
    other = save_random(tmp_path / "other", seed=1)
    fingerprints = [make(model=f"local-dir:{f}").info.fingerprint for f in (folder, same, other)]
    assert fingerprints[0] == fingerprints[1] != fingerprints[2]


@torch_only
def test_embeds_as_open_clip_does(folder: Path) -> None:
    torch, open_clip = (importlib.import_module(name) for name in ("torch", "open_clip"))
    model, preprocess = open_clip.create_model_from_pretrained(f"local-dir:{folder}")
    texts, image = ["red shoes", "garden hose"], picture((50, 90))
    with torch.inference_mode():
        tokens = open_clip.get_tokenizer(f"local-dir:{folder}")(texts)
        text = model.eval().encode_text(tokens, normalize=True).numpy()
        photo = model.encode_image(preprocess(image)[None], normalize=True).numpy()
    encoder = make(model=f"local-dir:{folder}")
    assert cosines(encoder.encode_texts(texts, "query"), text).min() > 0.99999
    assert cosines(encoder.encode_images([image]), photo).min() > 0.99999


@torch_only
def test_a_long_strip_is_embedded_by_its_middle(folder: Path) -> None:
    strip = Image.new("RGB", (4000, 20), "white")
    strip.paste("navy", (1900, 0, 2100, 20))
    encoder = make(model=f"local-dir:{folder}")
    rows = encoder.encode_images([strip, Image.new("RGB", (20, 20), "navy")])
    np.testing.assert_allclose(rows[0], rows[1], atol=1e-4)


@torch_only
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "no-such-model"}, "no-such-model"),
        ({"model": "RN50"}, "RN50"),
        ({"model": "RN50", "pretrained": "no-such-file.pt"}, "no-such-file"),
        ({"model": "local-dir:no-such-folder"}, "no-such-folder"),
    ],
)
def test_a_model_that_cannot_be_loaded(options: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidModel, match=message):
        make(**options)


@torch_only
def test_a_damaged_checkpoint(folder: Path, tmp_path: Path) -> None:
    broken = save_random(tmp_path / "broken")
    weights = broken / "open_clip_pytorch_model.bin"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InvalidModel, match="broken"):
        make(model=f"local-dir:{broken}")


def test_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> None:
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    plugins = PluginManager()
    monkeypatch.setattr("importlib.import_module", absent)
    with pytest.raises(EncoderError, match=r"needs torch.*entrepot\[models\]"):
        plugins.create("encoders", "open_clip", {"model": "RN50"})


def test_the_model_must_be_named() -> None:
    with pytest.raises(InvalidSettings, match="model"):
        make()
