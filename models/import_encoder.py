"""Any BERT-style text encoder of Hugging Face as an :class:`Imported`.

BERT, RoBERTa, XLM-R, MPNet, DistilBERT, ELECTRA, ALBERT and their kin, and the encoders of T5:
whatever ``AutoModel`` loads that takes ids and a mask. Of a sentence-transformers folder the
pooling, the dense layers, the length, the lower case and the prompts are honoured.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from msgspec import Struct
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import (
    MODEL_FOR_TEXT_ENCODING_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForTextEncoding,
    AutoTokenizer,
)

from engine import InvalidModel
from engine.manifest import Space, TextTower

from .hub import brief, card_licence, fetching, offline
from .imported import Imported, Reference
from .served import TEXT_FILE, TOKENIZER_FILE, TextPart
from .tokenizer_files import encoder_tokenizer

FILES = ("*.json", "*.txt", "*.model", "README.md")
OLD_WEIGHTS = ("pytorch_model*.bin", "*/pytorch_model.bin")
REMEDY = (
    "Where there is a network: `hf download ORG/REPO --local-dir FOLDER`; then import that FOLDER. "
    "An OpenCLIP model is imported as hf-hub:ORG/REPO"
)
LONGEST = 512
"""Tokens of a text where neither the model nor its tokenizer sets a limit."""
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
    root = _folder(source)
    layout = _layout(root)
    if pooling and layout.pooling and pooling != layout.pooling:
        raise InvalidModel(
            f"{source}: the model is pooled by {layout.pooling!r}, not {pooling!r}: leave "
            "--pooling out",
            field="pooling",
        )
    layout.pooling = layout.pooling or pooling or "mean"
    model, tokenizer = _model(layout.folder), _tokenizer(layout.folder)
    limit = _max_tokens(layout, model, tokenizer)
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
        name=root.resolve().name if Path(source).is_dir() else source.rpartition("/")[2],
        provenance=f"Hugging Face {root.resolve().name if Path(source).is_dir() else source}, "
        f"{model.config.model_type}, {layout.pooling} pooling",
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


def _folder(source: str) -> Path:
    if Path(source).is_dir():
        return Path(source)
    with fetching(f"Hugging Face model {source!r}", REMEDY):
        folder = Path(snapshot_download(source, allow_patterns=[*FILES, "*.safetensors"]))
        if not any(folder.rglob("*.safetensors")):
            snapshot_download(source, allow_patterns=list(OLD_WEIGHTS))
        return folder


def _layout(root: Path) -> Layout:
    """Read ``modules.json`` of sentence-transformers, any version."""
    modules = _json(root / "modules.json") or []
    kinds = [(str(m["type"]).rpartition(".")[2], root / m["path"]) for m in modules]
    layout = Layout(next((path for kind, path in kinds if kind == "Transformer"), root))
    for kind, path in kinds:
        if kind == "Pooling":
            layout.pooling = _pooling(path / "config.json")
        elif kind == "Dense":
            layout.dense += (path,)
        elif kind not in ("Transformer", "Normalize"):
            raise InvalidModel(f"{root}: a module of kind {kind} cannot be served", field="source")
    bert = _json(layout.folder / "sentence_bert_config.json") or {}
    layout.max_tokens = int(bert.get("max_seq_length") or 0)
    layout.lower = bool(bert.get("do_lower_case"))
    prompts = (_json(root / "config_sentence_transformers.json") or {}).get("prompts") or {}
    layout.query_prefix = prompts.get("query") or ""
    layout.document_prefix = prompts.get("document") or prompts.get("passage") or ""
    return layout


def _pooling(file: Path) -> str:
    """``pooling_mode`` (from version 6), or the ``pooling_mode_…`` that is true (before)."""
    config = _json(file) or {}
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
    config = _json(folder / "config.json") or {}
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
    """The encoder in float32 with plain attention, all of its weights loaded.

    Raises:
        InvalidModel: no such architecture, or weights that do not fill it.
    """
    with _reading(folder, "the model"):
        config = AutoConfig.from_pretrained(folder)
        if hasattr(config, "text_config") or hasattr(config, "vision_config"):
            raise InvalidModel(
                f"{folder}: {config.model_type!r} has an image tower: import its OpenCLIP form, "
                "a name (ViT-B-32 --pretrained openai) or hf-hub:ORG/REPO",
                field="source",
            )
        encoder_only = type(config) in MODEL_FOR_TEXT_ENCODING_MAPPING  # T5's without its decoder
        kind = AutoModelForTextEncoding if encoder_only else AutoModel
        model, found = kind.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
    # The pooler is BERT's head for next-sentence prediction; no pooling here uses it.
    missing = sorted(key for key in found["missing_keys"] if not key.startswith("pooler."))
    wrong = missing + sorted(str(key[0]) for key in found["mismatched_keys"])
    if wrong:
        raise InvalidModel(
            f"{folder}: weights of another architecture than {model.config.model_type!r} in "
            f"config.json: {len(wrong)} tensors are missing or of another shape, as {wrong[0]}",
            field="source",
        )
    return model.eval()


def _tokenizer(folder: Path) -> Any:
    with _reading(folder, "its tokenizer"):
        return AutoTokenizer.from_pretrained(folder)


@contextmanager
def _reading(folder: Path, what: str) -> Iterator[None]:
    """transformers' errors, of which there are many kinds, as one of ours."""
    try:
        with offline():
            yield
    except InvalidModel:
        raise
    except Exception as error:
        raise InvalidModel(
            f"{folder}: transformers cannot load {what}: {brief(error)}", field="source"
        ) from error


def _max_tokens(layout: Layout, model: nn.Module, tokenizer: Any) -> int:
    """The least of what sentence-transformers, the tokenizer and the positions allow."""
    limits = [layout.max_tokens, getattr(model.config, "max_position_embeddings", 0) or 0]
    # Tokenizers without a limit claim 10³⁰.
    limits += [tokenizer.model_max_length] if tokenizer.model_max_length < 10**6 else []
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # RoBERTa and its kin count positions from the one after that of the padding.
            used = 0 if module.padding_idx is None else module.padding_idx + 1
            limits.append(module.num_embeddings - used)
    return int(min((limit for limit in limits if limit > 0), default=LONGEST))


def _json(file: Path) -> Any:
    """A file's content; None where there is none."""
    return json.loads(file.read_text("utf-8")) if file.is_file() else None
