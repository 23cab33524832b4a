"""Small random checkpoints of several architectures, stored as their libraries store them."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoModel,
    AutoModelForSequenceClassification,
    BertConfig,
    DebertaV2Config,
    DistilBertConfig,
    ElectraConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    XLMRobertaConfig,
)

LETTERS = string.ascii_lowercase + string.digits + "-'%&#:é"
WORDS = ("red", "shoes", "leather", "purse", "long", "text", "new", "black")
SMALL = {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 48}
PREPROCESS = {"mean": [0.5, 0.4, 0.3], "std": [0.3, 0.4, 0.5], "interpolation": "bicubic"}


def vit_clip(folder: Path, seed: int = 0) -> Path:
    """OpenAI's layout: ``CLIP``, byte-level BPE, end token by argmax, shorter side and crop."""
    model: dict[str, Any] = {
        "embed_dim": 24,
        "quick_gelu": True,
        "vision_cfg": {
            "image_size": 32,
            "layers": 1,
            "width": 32,
            "head_width": 16,
            "patch_size": 8,
        },
        "text_cfg": {
            "context_length": 77,
            "vocab_size": 49408,
            "width": 16,
            "heads": 2,
            "layers": 2,
        },
    }
    return _save_open_clip(folder, model, PREPROCESS | {"resize_mode": "shortest"}, seed)


def siglip(folder: Path) -> Path:
    """SigLIP's: every text padded to 16 tokens and seen with its padding, pictures squashed."""
    model: dict[str, Any] = {
        "embed_dim": 64,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": {
            "image_size": 160,
            "timm_model_name": "test_vit",
            "timm_pool": "map",
            "timm_proj": "none",
        },
        "text_cfg": {
            "context_length": 16,
            "vocab_size": 80,
            "hf_tokenizer_name": "tiny",
            "tokenizer_kwargs": {"clean": "canonicalize"},
            "width": 32,
            "heads": 2,
            "layers": 1,
            "no_causal_mask": True,
            "proj_bias": True,
            "pool_type": "last",
        },
    }
    sentencepiece(folder, start="", pad="</s>", max_tokens=16)
    return _save_open_clip(folder, model, PREPROCESS | {"resize_mode": "squash"})


def custom_text(folder: Path) -> Path:
    """``CustomTextCLIP``: a timm image tower, a Hugging Face text tower whose config is beside."""
    BertConfig(
        vocab_size=100, num_hidden_layers=1, max_position_embeddings=32, **SMALL
    ).save_pretrained(folder / "tiny-bert")
    word_piece(folder)
    model: dict[str, Any] = {
        "embed_dim": 24,
        "vision_cfg": {
            "image_size": 64,
            "timm_model_name": "test_efficientnet",
            "timm_pool": "avg",
            "timm_proj": "linear",
        },
        "text_cfg": {
            "context_length": 20,
            "hf_model_name": "tiny-bert",
            "hf_tokenizer_name": "tiny-bert",
            "hf_pooler_type": "mean_pooler",
            "hf_proj_type": "mlp",
        },
    }
    preprocess = PREPROCESS | {"resize_mode": "longest", "interpolation": "bilinear"}
    return _save_open_clip(folder, model, preprocess)


def bert(folder: Path, seed: int = 0) -> Path:
    """BERT alone: no notes of sentence-transformers."""
    word_piece(folder)
    config = BertConfig(vocab_size=100, num_hidden_layers=2, max_position_embeddings=40, **SMALL)
    return _save_encoder(folder, config, seed)


def xlm_r(folder: Path) -> Path:
    """XLM-R: padding is 1, and the first position is the one after it."""
    sentencepiece(folder, start="<s>", pad="<pad>", max_tokens=24)
    config = XLMRobertaConfig(
        vocab_size=80, num_hidden_layers=2, max_position_embeddings=26, pad_token_id=1, **SMALL
    )
    return _save_encoder(folder, config)


def sentence_transformer(folder: Path, **pooling: object) -> Path:
    """XLM-R in sentence-transformers' layout: pooling, a dense layer, prompts, a length."""
    xlm_r(folder)
    kinds = {"Transformer": "", "Pooling": "1_Pooling", "Dense": "2_Dense", "Normalize": "3_N"}
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (kind, path) in enumerate(kinds.items())
    ]
    _json(folder / "modules.json", modules)
    _json(folder / "sentence_bert_config.json", {"max_seq_length": 12, "do_lower_case": True})
    first = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    _json(
        folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 32} | (pooling or first)
    )
    activation = "torch.nn.modules.activation.Tanh"
    dense = {"in_features": 32, "out_features": 20, "activation_function": activation}
    _json(folder / "2_Dense" / "config.json", dense | {"bias": True})
    torch.manual_seed(3)
    tensors = {"linear.weight": torch.randn(20, 32) / 6, "linear.bias": torch.randn(20)}
    save_file(tensors, folder / "2_Dense" / "model.safetensors")
    prompts = {"query": "query: ", "passage": "passage: "}
    _json(folder / "config_sentence_transformers.json", {"prompts": prompts})
    (folder / "README.md").write_text("---\nlanguage: en\nlicense: mit\n---\n# Tiny\n")
    return folder


def cross_encoder(folder: Path, kind: str) -> Path:
    """A sequence classifier of :data:`CROSS_ENCODERS`, and a tokenizer with a template for
    pairs."""
    config = CROSS_ENCODERS[kind]
    if config.model_type == "xlm-roberta":
        sentencepiece(folder, start="<s>", pad="<pad>", max_tokens=40)
    else:
        word_piece(folder)
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(config)
    _stir(model)
    with torch.no_grad():
        model.classifier.get_parameter(
            "out_proj.weight" if hasattr(model.classifier, "out_proj") else "weight"
        ).mul_(20.0)  # so that it tells texts apart
    model.save_pretrained(folder)
    return folder


LAYERS: dict[str, Any] = {"num_hidden_layers": 2, "num_labels": 1}
PLACES: dict[str, Any] = {"vocab_size": 100, "max_position_embeddings": 40}
CROSS_ENCODERS: dict[str, PreTrainedConfig] = {
    "bert": BertConfig(**PLACES, **LAYERS, **SMALL),
    "electra": ElectraConfig(**PLACES, embedding_size=16, **(LAYERS | {"num_labels": 2}), **SMALL),
    "distilbert": DistilBertConfig(
        **PLACES, dim=32, n_heads=2, hidden_dim=48, n_layers=2, num_labels=1
    ),
    "xlm_r": XLMRobertaConfig(
        vocab_size=80, max_position_embeddings=42, pad_token_id=1, **LAYERS, **SMALL
    ),
    "deberta": DebertaV2Config(
        **PLACES,
        **LAYERS,
        **SMALL,
        type_vocab_size=0,
        position_biased_input=False,
        relative_attention=True,
        position_buckets=8,
        pos_att_type=["p2c", "c2p"],
        norm_rel_ebd="layer_norm",
        share_att_key=True,
    ),
    "wide": BertConfig(
        **PLACES, **LAYERS, hidden_size=64, num_attention_heads=2, intermediate_size=128
    ),
}
"""Small ones with segments, without, with relative positions only; "wide" enough for int8."""
CLIPS: dict[str, Callable[[Path], Path]] = {
    "vit_clip": vit_clip,
    "siglip": siglip,
    "custom_text": custom_text,
}


def word_piece(folder: Path, more: tuple[str, ...] = ()) -> None:
    """BERT's tokenizer, lower-casing: whole words, else letters."""
    pieces = (
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        *WORDS,
        *LETTERS,
        *("##" + c for c in LETTERS),
        *more,
    )
    ids = {piece: i for i, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(folder)


def sentencepiece(folder: Path, *, start: str, pad: str, max_tokens: int) -> None:
    """A unigram tokenizer as XLM-R's and T5's: words, else letters, else unknown."""
    pieces = ["<s>", "<pad>" if start else "</s>", "</s>" if start else "<x>", "<unk>", "▁"]
    scores = [(piece, 0.0) for piece in pieces] + [(f"▁{word}", -4.0) for word in WORDS]
    scores += [(letter, -8.0) for letter in LETTERS + "男鞋"]
    tokenizer = Tokenizer(models.Unigram(scores, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    end = pieces.index("</s>")
    tokenizer.post_processor = TemplateProcessing(
        single=f"{start} $A </s>".strip(),
        pair=f"{start} $A </s> </s> $B </s>".strip(),
        special_tokens=[("<s>", 0), ("</s>", end)],
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        eos_token="</s>",
        unk_token="<unk>",
        model_max_length=max_tokens,
    ).save_pretrained(folder)


def _save_open_clip(
    folder: Path, model: dict[str, Any], preprocess: dict[str, Any], seed: int = 0
) -> Path:
    """As ``open_clip.push_to_hf_hub`` writes a repository."""
    folder.mkdir(parents=True, exist_ok=True)
    _json(folder / "open_clip_config.json", {"model_cfg": model, "preprocess_cfg": preprocess})
    built = {key: value for key, value in model.items() if key != "custom_text"}
    if (folder / "tiny-bert").is_dir():
        text = {"hf_model_name": str(folder / "tiny-bert"), "hf_model_pretrained": False}
        built["text_cfg"] = model["text_cfg"] | text
    custom = "custom_text" in model or "hf_model_name" in model["text_cfg"]
    torch.manual_seed(seed)
    made = (open_clip.CustomTextCLIP if custom else open_clip.CLIP)(**built)
    _stir(made)
    tensors = {name: tensor.contiguous() for name, tensor in made.state_dict().items()}
    save_file(tensors, folder / "open_clip_model.safetensors")
    return folder


def _save_encoder(folder: Path, config: PreTrainedConfig, seed: int = 0) -> Path:
    torch.manual_seed(seed)
    model = AutoModel.from_config(config)
    _stir(model)
    model.save_pretrained(folder)
    return folder


def _stir(model: torch.nn.Module) -> None:
    """Biases start at zero and norms at one: an embedding must depend on every parameter."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)


def _json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")
