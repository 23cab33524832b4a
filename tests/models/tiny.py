"""Small random models in the served form: what export, compile and bench are tested with."""

from __future__ import annotations

from pathlib import Path
from string import ascii_lowercase

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from torch import Tensor, nn
from torch.nn.functional import normalize
from transformers import BertConfig, BertModel

from engine.manifest import ImageTower, Manifest, Space, TextTower
from models.served import ImagePart, TextPart, write_served

DIM = 64
SIDE = 32


def tiny_bert() -> BertModel:
    """Two layers, random but for the seed that was set."""
    config = BertConfig(
        vocab_size=128,
        hidden_size=DIM,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=64,
        initializer_range=0.2,
    )
    return BertModel(config, add_pooling_layer=False)


class TinyText(nn.Module):
    """Two layers of BERT, mean pooled, and a head: spaces ``sentence`` and ``joint``."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.bert = tiny_bert()
        self.head = nn.Linear(DIM, DIM)
        self.eval()

    def forward(self, input_ids: Tensor) -> tuple[Tensor, Tensor]:
        mask = (input_ids != 0).long()
        states = self.bert(input_ids=input_ids, attention_mask=mask).last_hidden_state
        weights = mask.unsqueeze(-1).float()
        pooled = (states * weights).sum(dim=1) / weights.sum(dim=1)
        return normalize(pooled, dim=-1), normalize(self.head(pooled), dim=-1)


class TinyImage(nn.Module):
    """A stem, three residual blocks of the EfficientNet-Lite kind, and a head."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Conv2d(3, 16, 3, stride=2, padding=1)
        self.blocks = nn.ModuleList(
            nn.Sequential(
                *(nn.Conv2d(16, 64, 1), nn.ReLU6()),
                *(nn.Conv2d(64, 64, 3, padding=1, groups=64), nn.ReLU6()),
                nn.Conv2d(64, 16, 1),
            )
            for _ in range(3)
        )
        self.head = nn.Sequential(nn.Conv2d(16, 64, 1), nn.ReLU6())
        self.project = nn.Linear(64, DIM)
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.stem(pixels).clamp(0.0, 6.0)
        for block in self.blocks:
            x = x + block(x)
        return normalize(self.project(self.head(x).mean(dim=(2, 3))), dim=-1)


def tiny_tokenizer(file: Path) -> Path:
    """Letters as word pieces, written to ``file``."""
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *ascii_lowercase]
    pieces += [f"##{letter}" for letter in ascii_lowercase]
    vocabulary = {piece: i for i, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(file))
    return file


def write_tiny(folder: Path, *, pad_to: int = 0) -> Manifest:
    """The served folder of :class:`TinyText` and :class:`TinyImage`."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    spaces = ("sentence", "joint")
    text = TextTower("text.onnx", "tokenizer.json", pad_to or 48, spaces, pad_to=pad_to)
    image = ImageTower("image.onnx", SIDE, (0.5,) * 3, (0.5,) * 3, ("joint",))
    return write_served(
        folder,
        name="tiny",
        version="1",
        licence="CC0-1.0",
        provenance="random",
        spaces={"joint": Space(DIM, {"text": 0.5, "image": 0.5}), "sentence": Space(DIM)},
        text=TextPart(TinyText(), text, tiny_tokenizer(folder.parent / "tiny-tokenizer.json")),
        image=ImagePart(TinyImage(), image),
    )
