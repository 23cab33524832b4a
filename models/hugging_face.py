"""Models of Hugging Face as transformers stores them: folder, weights, tokenizer, length.

What a text encoder and a cross-encoder have in common when they are imported.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from torch import nn
from transformers import AutoConfig, AutoTokenizer

from engine import InvalidModel

from .hub import brief, fetching, offline

FILES = ("*.json", "*.txt", "*.model", "README.md")
OLD_WEIGHTS = ("pytorch_model*.bin", "*/pytorch_model.bin")
REMEDY = (
    "Where there is a network: `hf download ORG/REPO --local-dir FOLDER`; then import that FOLDER. "
    "An OpenCLIP model is imported as hf-hub:ORG/REPO"
)
LONGEST = 512
"""Tokens of a text where neither the model nor its tokenizer sets a limit."""


def model_folder(source: str) -> Path:
    """``source`` itself where it is a folder; else what the hub has under that id.

    Raises:
        InvalidModel: it could not be fetched.
    """
    if Path(source).is_dir():
        return Path(source)
    with fetching(f"Hugging Face model {source!r}", REMEDY):
        folder = Path(snapshot_download(source, allow_patterns=[*FILES, "*.safetensors"]))
        if not any(folder.rglob("*.safetensors")):
            snapshot_download(source, allow_patterns=list(OLD_WEIGHTS))
        return folder


def model_name(source: str, root: Path) -> str:
    """The folder's name, or that of the repository."""
    return root.resolve().name if Path(source).is_dir() else source.rpartition("/")[2]


def provenance(source: str, root: Path) -> str:
    """Where the model comes from, without a path of this machine."""
    return f"Hugging Face {root.resolve().name if Path(source).is_dir() else source}"


def load_config(folder: Path) -> Any:
    """Raises InvalidModel where transformers cannot read it."""
    with reading(folder, "the model"):
        return AutoConfig.from_pretrained(folder)


def load_weights(kind: Any, folder: Path, unused: tuple[str, ...] = ()) -> Any:
    """The model of transformers' class ``kind`` in float32 with plain attention, all of its
    weights loaded but those whose names begin as one of ``unused`` does.

    Raises:
        InvalidModel: no such architecture, or weights that do not fill it.
    """
    with reading(folder, "the model"):
        model, found = kind.from_pretrained(
            folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
    missing = sorted(key for key in found["missing_keys"] if not key.startswith(unused))
    wrong = missing + sorted(str(key[0]) for key in found["mismatched_keys"])
    if wrong:
        raise InvalidModel(
            f"{folder}: weights of another architecture than {model.config.model_type!r} in "
            f"config.json: {len(wrong)} tensors are missing or of another shape, as {wrong[0]}",
            field="source",
        )
    return model.eval()


def load_tokenizer(folder: Path) -> Any:
    """transformers' own tokenizer; raises InvalidModel where there is none."""
    with reading(folder, "its tokenizer"):
        return AutoTokenizer.from_pretrained(folder)


@contextmanager
def reading(folder: Path, what: str) -> Iterator[None]:
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


def most_tokens(model: nn.Module, tokenizer: Any, noted: int = 0) -> int:
    """The least of what was ``noted`` (0: nothing), the tokenizer and the positions allow."""
    limits = [noted, getattr(model.config, "max_position_embeddings", 0) or 0]
    # Tokenizers without a limit claim 10³⁰.
    limits += [tokenizer.model_max_length] if tokenizer.model_max_length < 10**6 else []
    for name, module in model.named_modules():
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            # RoBERTa and its kin count positions from the one after that of the padding.
            used = 0 if module.padding_idx is None else module.padding_idx + 1
            limits.append(module.num_embeddings - used)
    return int(min((limit for limit in limits if limit > 0), default=LONGEST))


def read_json(file: Path) -> Any:
    """A file's content; None where there is none."""
    return json.loads(file.read_text("utf-8")) if file.is_file() else None
