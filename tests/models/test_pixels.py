"""What an imported image tower looks at is what OpenCLIP shows it, to the pixel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from open_clip.transform import PreprocessCfg, image_transform_v2
from PIL import Image

from engine import ImageTower
from engine.preprocess import pixels
from models.imported import pictures

MODES = {"shortest": "crop", "longest": "longest", "squash": "squash"}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [32, 47])
def test_resized_as_open_clip_does(mode: str, interpolation: str, size: int) -> None:
    mean, std = (0.5, 0.4, 0.3), (0.3, 0.4, 0.5)
    cfg = PreprocessCfg(
        size=size, mean=mean, std=std, interpolation=interpolation, resize_mode=mode
    )
    transform = image_transform_v2(cfg, is_train=False)
    tower = ImageTower("", size, mean, std, (), MODES[mode], interpolation)  # type: ignore[arg-type]
    photos = [*pictures(), Image.new("RGB", (size, size), "red")]
    expected = torch.stack([transform(photo) for photo in photos]).numpy()
    np.testing.assert_allclose(pixels(photos, tower), expected, atol=1e-5)


@pytest.mark.parametrize("size", [(401, 20), (20, 401)])
def test_a_strip_is_cut_before_it_is_scaled(size: tuple[int, int]) -> None:
    """And keeps its centre: half a pixel further along at most."""
    tower = ImageTower("", 40, (0.0,) * 3, (1.0,) * 3, (), "crop")  # type: ignore[arg-type]
    ramp = np.linspace(0, 255, 401).astype(np.uint8)
    shape = (20, 401) if size[0] == 401 else (401, 20)
    flat = np.broadcast_to(ramp[None, :] if shape[0] == 20 else ramp[:, None], shape)
    (seen,) = pixels([Image.fromarray(np.ascontiguousarray(flat))], tower)
    assert seen.mean() == pytest.approx(127.5 / 255, abs=2 / 255)
