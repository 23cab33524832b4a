"""Any BERT-style text encoder of Hugging Face as an :class:`Imported`.

BERT, RoBERTa, XLM-R, MPNet, DistilBERT, ELECTRA, ALBERT and their kin, and the encoders of T5:
whatever ``AutoModel`` loads that takes ids and a mask. Of a sentence-transformers folder the
pooling, the dense layers, the length, the lower case and the prompts are honoured.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from msgspec import Struct
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import MODEL_FOR_TEXT_ENCODING_MAPPING, AutoModel, AutoModelForTextEncoding

from engine import InvalidModel
from engine.manifest import Space, TextTower

from .hub import card_licence
from .hugging_face import (
    load_config,
    load_tokenizer,
    load_weights,
    model_folder,
    model_name,
    most_tokens,
    provenance,
    read_json,
)
from .imported import Imported, Reference
from .served import TEXT_FILE, TOKENIZER_FILE, TextPart
from .tokenizer_files import encoder_tokenizer

POOLINGS = ("mean", "cls", "max")


class Layout(Struct):
    """What sentence-transformers notes beside a model; its defaults where there is none."""

    folder: Path
    pooling: str = ""
    dense: tuple[Path, ...] = ()
    max_tokens: int = 0
    lower: bool = False
    query_prefix: str = ""
    document_prefix: str = ""


def load_encoder(source: str, pooling: str, tokenizer_file: Path) -> Imported:
    """Read a folder or a hub id; its ``tokenizer.json`` is written to ``tokenizer_file``.

    ``pooling`` (one of :data:`POOLINGS`) is for a model that does not say; mean if empty.

    Raises:
        InvalidModel: not fetched, no such architecture, weights of another, no tokenizer, or
            modules that cannot be served.
    """
    root = model_folder(source)
    layout = _layout(root)
    if pooling and layout.pooling and pooling != layout.pooling:
        raise InvalidModel(
            f"{source}: the model is pooled by {layout.pooling!r}, not {pooling!r}: leave "
            "--pooling out",
            field="pooling",
        )
    layout.pooling = layout.pooling or pooling or "mean"
    model, tokenizer = _model(layout.folder), load_tokenizer(layout.folder)
    limit = most_tokens(model, tokenizer, layout.max_tokens)
    texts = encoder_tokenizer(tokenizer, limit, lower=layout.lower)
    graph = _Graph(model, layout.pooling, [_dense(path) for path in layout.dense], texts.pad_id)
    tower = TextTower(
        TEXT_FILE,
        TOKENIZER_FILE,
        limit,
        ("sentence",),
        texts.pad_id,
        query_prefix=layout.query_prefix,
        document_prefix=layout.document_prefix,
    )
    reference = _reference(graph, tokenizer, limit, layout.lower)
    return Imported(
        name=model_name(source, root),
        provenance=f"{provenance(source, root)}, {model.config.model_type}, "
        f"{layout.pooling} pooling",
        licence=card_licence(root / "README.md"),
        spaces={"sentence": Space(len(reference.text("a")))},
        text=TextPart(graph, tower, texts.save(tokenizer_file)),
        image=None,
        reference=reference,
    )


class _Graph(nn.Module):
    """Ids to unit rows; the mask follows from the padding id, positions from the mask."""

    def __init__(self, model: nn.Module, pooling: str, dense: list[nn.Module], pad_id: int) -> None:
        super().__init__()
        self.model, self.pooling, self.pad_id = model, pooling, pad_id
        self.dense = nn.Sequential(*dense)

    def forward(self, input_ids: Tensor) -> Tensor:
        return F.normalize(self.features(input_ids, (input_ids != self.pad_id).long()), dim=-1)

    def features(self, input_ids: Tensor, mask: Tensor, **more: Tensor) -> Tensor:
        """``[n, t]`` twice → ``[n, dim]``, not of unit length."""
        rows = self.model(input_ids=input_ids, attention_mask=mask, **more).last_hidden_state
        keep = mask.unsqueeze(-1).to(rows.dtype)
        if self.pooling == "cls":
            pooled = rows[:, 0]
        elif self.pooling == "max":
            pooled = rows.masked_fill(keep == 0, -1e9).amax(dim=1)
        else:
            pooled = (rows * keep).sum(dim=1) / keep.sum(dim=1).clamp(min=1e-9)
        return self.dense(pooled)


def _reference(graph: _Graph, tokenizer: Any, limit: int, lower: bool) -> Reference:
    """transformers' own tokens, mask and segment ids, one text at a time."""

    def encode(text: str) -> Any:
        value = text.lower() if lower else text
        return tokenizer([value], truncation=True, max_length=limit, return_tensors="pt")

    def row(text: str) -> Any:
        given = dict(encode(text))
        with torch.inference_mode():
            ids, mask = given.pop("input_ids"), given.pop("attention_mask")
            return graph.features(ids, mask, **given)[0].numpy()

    return Reference(lambda text: encode(text)["input_ids"][0].tolist(), row)


def _layout(root: Path) -> Layout:
    """Read ``modules.json`` of sentence-transformers, any version."""
    modules = read_json(root / "modules.json") or []
    kinds = [(str(m["type"]).rpartition(".")[2], root / m["path"]) for m in modules]
    layout = Layout(next((path for kind, path in kinds if kind == "Transformer"), root))
    for kind, path in kinds:
        if kind == "Pooling":
            layout.pooling = _pooling(path / "config.json")
        elif kind == "Dense":
            layout.dense += (path,)
        elif kind not in ("Transformer", "Normalize"):
            raise InvalidModel(f"{root}: a module of kind {kind} cannot be served", field="source")
    bert = read_json(layout.folder / "sentence_bert_config.json") or {}
    layout.max_tokens = int(bert.get("max_seq_length") or 0)
    layout.lower = bool(bert.get("do_lower_case"))
    prompts = (read_json(root / "config_sentence_transformers.json") or {}).get("prompts") or {}
    layout.query_prefix = prompts.get("query") or ""
    layout.document_prefix = prompts.get("document") or prompts.get("passage") or ""
    return layout


def _pooling(file: Path) -> str:
    """``pooling_mode`` (from version 6), or the ``pooling_mode_…`` that is true (before)."""
    config = read_json(file) or {}
    flags = {"cls_token": "cls", "mean_tokens": "mean", "max_tokens": "max"}
    mode = config.get("pooling_mode") or [
        flags.get(name.removeprefix("pooling_mode_"), name)
        for name, on in config.items()
        if name.startswith("pooling_mode_") and on
    ]
    named = mode if isinstance(mode, str) else "+".join(mode)
    if named not in POOLINGS:
        raise InvalidModel(
            f"{file}: pooling {named!r} cannot be served: only {', '.join(POOLINGS)}",
            field="source",
        )
    if config.get("include_prompt") is False:
        raise InvalidModel(
            f"{file}: a prompt left out of the mean cannot be served", field="source"
        )
    return named


def _dense(folder: Path) -> nn.Module:
    """A linear layer with its activation, as sentence-transformers stores one."""
    config = read_json(folder / "config.json") or {}
    bias = bool(config.get("bias", True))
    linear = nn.Linear(config["in_features"], config["out_features"], bias=bias)
    weights = folder / "model.safetensors"
    tensors = (
        load_file(weights)
        if weights.exists()
        else torch.load(folder / "pytorch_model.bin", map_location="cpu", weights_only=True)
    )
    linear.load_state_dict({k.removeprefix("linear."): v.float() for k, v in tensors.items()})
    name = str(config.get("activation_function", "torch.nn.modules.activation.Tanh"))
    activation = getattr(nn, name.rpartition(".")[2], None)
    if activation is None or not name.startswith("torch.nn.modules."):
        raise InvalidModel(f"{folder}: activation {name} cannot be served", field="source")
    return nn.Sequential(linear, activation())


def _model(folder: Path) -> Any:
    """The encoder, with all of its weights.

    Raises:
        InvalidModel: no such architecture, or weights that do not fill it.
    """
    config = load_config(folder)
    if hasattr(config, "text_config") or hasattr(config, "vision_config"):
        raise InvalidModel(
            f"{folder}: {config.model_type!r} has an image tower: import its OpenCLIP form, "
            "a name (ViT-B-32 --pretrained openai) or hf-hub:ORG/REPO",
            field="source",
        )
    encoder_only = type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING  # T5's without its decoder
    kind = AutoModelForTextEncoding if encoder_only else AutoModel
    # The pooler is BERT's head for next-sentence prediction; no pooling here uses it.
    return load_weights(kind, folder, unused=("pooler.",))
