"""The product CLIP's own served form: names, spaces, preprocessing."""

from __future__ import annotations

from pathlib import Path

from open_clip.model import CustomTextCLIP

from engine.manifest import ImageTower, Manifest, Space, TextTower

from .served import ImagePart, TextPart, write_served
from .towers import (
    IMAGE_SIZE,
    JOINT_DIM,
    MAX_TOKENS,
    MEAN,
    STD,
    TEXT_FEATURES,
    ImageGraph,
    TextGraph,
    tokenizer_path,
)

PROVENANCE = (
    "EfficientNet-Lite0 (ImageNet) and all-MiniLM-L6-v2, their upper layers trained on Fashion "
    "Product Images, GroceryStoreDataset, Clothing and the demo shop's photos and titles"
)


def export_product_clip(
    model: CustomTextCLIP, folder: Path, *, version: str, provenance: str = PROVENANCE
) -> Manifest:
    """Write the served directory, in float32; see :func:`models.served.write_served`."""
    text = TextTower("text.onnx", "tokenizer.json", MAX_TOKENS, ("sentence", "joint"))
    image = ImageTower("image.onnx", IMAGE_SIZE, MEAN, STD, ("joint",))
    return write_served(
        folder,
        name="product-clip",
        version=version,
        licence="Apache-2.0",
        provenance=provenance,
        spaces={"joint": Space(JOINT_DIM), "sentence": Space(TEXT_FEATURES)},
        text=TextPart(TextGraph(model), text, tokenizer_path()),
        image=ImagePart(ImageGraph(model), image),
    )
