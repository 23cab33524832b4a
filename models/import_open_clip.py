"""Any OpenCLIP model as an :class:`Imported`: built-in name, local folder or ``hf-hub:`` id."""

from __future__ import annotations

import difflib
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import open_clip
import torch
from open_clip.hf_model import HFTextEncoder
from open_clip.pretrained import download_pretrained_from_hf, get_pretrained_cfg
from open_clip.transform import PreprocessCfg, image_transform_v2
from open_clip.transformer import text_global_pool
from torch import Tensor, nn
from torch.nn import functional as F

from engine import InvalidModel
from engine.manifest import ImageTower, Space, TextTower

from .hub import brief, card_licence, fetching
from .imported import Imported, Reference
from .served import IMAGE_FILE, TEXT_FILE, TOKENIZER_FILE, ImagePart, TextPart
from .tokenizer_files import TokenizerFile, open_clip_tokenizer

HUB = "hf-hub:"
CONFIG = "open_clip_config.json"
REMEDY = (
    "Where there is a network: `hf download ORG/REPO --local-dir FOLDER`; then import that FOLDER, "
    f"which has {CONFIG}, or import NAME with --pretrained FILE"
)
LOCAL_REMEDY = (
    f"It must hold {CONFIG}, the weights and, if its text tower is Hugging Face's, the tokenizer "
    "and that tower's config.json in a folder named as its hf_model_name"
)
_RESIZE = {"shortest": "crop", "longest": "longest", "squash": "squash"}


def is_open_clip(source: str) -> bool:
    """A ``hf-hub:`` id, a folder with OpenCLIP's config, or a name that OpenCLIP knows."""
    if source.startswith(HUB) or (Path(source) / CONFIG).is_file():
        return True
    return source.replace("/", "-") in open_clip.list_models()


def closest(source: str) -> list[str]:
    """OpenCLIP names like ``source``, for a message about a wrong one."""
    return difflib.get_close_matches(source, open_clip.list_models(), n=4)


def load_open_clip(source: str, pretrained: str, tokenizer_file: Path) -> Imported:
    """Build the model with its weights; its ``tokenizer.json`` is written to ``tokenizer_file``.

    Raises:
        InvalidModel: no weights named, not fetched, or not of this architecture; pictures that
            are not square; a tokenizer or a text tower that cannot be served.
    """
    model, tokenizer, licence = _load(source, pretrained)
    texts = open_clip_tokenizer(tokenizer)
    module, pad_to = _text_module(model, texts)
    preprocess = PreprocessCfg(**model.visual.preprocess_cfg)
    transform = image_transform_v2(preprocess, is_train=False)
    text = TextTower(
        TEXT_FILE, TOKENIZER_FILE, texts.max_tokens, ("joint",), texts.pad_id, pad_to=pad_to
    )
    with torch.inference_mode():
        dim = int(model.encode_text(tokenizer(["a"])).shape[-1])

    def text_row(value: str) -> Any:
        with torch.inference_mode():
            return model.encode_text(tokenizer([value]))[0].numpy()

    def image_row(image: Any) -> Any:
        with torch.inference_mode():
            return model.encode_image(transform(image)[None])[0].numpy()

    name = _name(source, pretrained)
    return Imported(
        name=name,
        provenance=f"OpenCLIP {source if source.startswith(HUB) else name}",
        licence=licence,
        spaces={"joint": Space(dim)},
        text=TextPart(module, text, texts.save(tokenizer_file)),
        image=ImagePart(_Image(model.visual), _image_tower(preprocess)),
        reference=Reference(lambda value: tokenizer([value])[0].tolist(), text_row, image_row),
    )


class _Image(nn.Module):
    """An image tower with unit rows."""

    def __init__(self, visual: nn.Module) -> None:
        super().__init__()
        self.visual = visual

    def forward(self, pixels: Tensor) -> Tensor:
        return F.normalize(_latent(self.visual(pixels)), dim=-1)


class _OwnText(nn.Module):
    """OpenCLIP's own text transformer, of ``CLIP`` or ``CustomTextCLIP``, with unit rows.

    Where tokens see only those before them and the row is that of the end token, what follows
    it changes nothing, and a text may have any length.
    """

    def __init__(self, tower: Any, pool: str, end: int) -> None:
        super().__init__()
        self.token_embedding, self.transformer = tower.token_embedding, tower.transformer
        self.positional_embedding, self.ln_final = tower.positional_embedding, tower.ln_final
        self.text_projection, self.pool, self.end = tower.text_projection, pool, end
        self.register_buffer("mask", tower.attn_mask, persistent=False)

    def forward(self, input_ids: Tensor) -> Tensor:
        length = input_ids.shape[1]
        mask = None if self.mask is None else self.mask[:length, :length]
        rows = self.token_embedding(input_ids) + self.positional_embedding[:length]
        rows = self.ln_final(self.transformer(rows, attn_mask=mask))
        pooled = text_global_pool(rows, input_ids, self.pool, self.end)
        if isinstance(self.text_projection, nn.Linear):
            pooled = self.text_projection(pooled)
        elif self.text_projection is not None:
            pooled = pooled @ self.text_projection
        return F.normalize(pooled, dim=-1)


class _WholeText(nn.Module):
    """A text tower that runs as it is (CoCa), with unit rows."""

    def __init__(self, text: nn.Module) -> None:
        super().__init__()
        self.text = text

    def forward(self, input_ids: Tensor) -> Tensor:
        return F.normalize(_latent(self.text(input_ids)), dim=-1)


class _MaskedText(nn.Module):
    """A Hugging Face text tower, whose mask follows from the padding id."""

    def __init__(self, text: HFTextEncoder) -> None:
        super().__init__()
        self.text = text

    def forward(self, input_ids: Tensor) -> Tensor:
        mask = (input_ids != self.text.config.pad_token_id).long()
        out = self.text.transformer(input_ids=input_ids, attention_mask=mask)
        return F.normalize(self.text.proj(self.text.pooler(out, mask)), dim=-1)


def _text_module(model: nn.Module, texts: TokenizerFile) -> tuple[nn.Module, int]:
    """The text graph, and the length that its texts are padded to (0: any)."""
    tower = getattr(model, "text", model)
    if isinstance(tower, HFTextEncoder):
        if tower.config.pad_token_id != texts.pad_id:
            raise InvalidModel(
                f"the text tower takes {tower.config.pad_token_id} for padding, its tokenizer "
                f"{texts.pad_id}: they do not belong together",
                field="source",
            )
        return _MaskedText(tower), 0
    length = int(tower.context_length)
    if getattr(tower, "cls_emb", None) is not None or getattr(tower, "use_pad_mask", False):
        return _WholeText(tower), length
    pool = getattr(model, "text_pool_type", None) or tower.pool_type
    end = getattr(model, "text_eos_id", None) or tower.eos_id
    any_length = tower.attn_mask is not None and pool in ("argmax", "eos")
    return _OwnText(tower, pool, end), 0 if any_length else length


def _latent(output: Any) -> Tensor:
    """CoCa's towers give tokens too."""
    return output[0] if isinstance(output, tuple) else output


def _image_tower(cfg: PreprocessCfg) -> ImageTower:
    height, width = (cfg.size, cfg.size) if isinstance(cfg.size, int) else cfg.size
    if height != width:
        raise InvalidModel(f"pictures of {width} × {height}: only square ones", field="source")
    if cfg.resize_mode == "longest" and cfg.fill_color:
        raise InvalidModel(f"fill_color {cfg.fill_color}: only black (0)", field="source")
    plain = {
        "file": IMAGE_FILE,
        "size": width,
        "mean": cfg.mean,
        "std": cfg.std,
        "spaces": ["joint"],
        "resize": _RESIZE[cfg.resize_mode],
        "resample": "bilinear" if cfg.interpolation == "bilinear" else "bicubic",
    }
    return msgspec.convert(plain, ImageTower)


def _load(source: str, pretrained: str) -> tuple[Any, Any, str]:
    """Model, tokenizer and licence."""
    folder = Path(source)
    if folder.is_dir():
        text, local = _local_text(folder), f"local-dir:{folder}"
        distant = bool(text.get("hf_model_name")) and not Path(text["hf_model_name"]).is_dir()
        with fetching(f"OpenCLIP folder {source!r}", LOCAL_REMEDY, ask=distant):
            model = _create(local, None, **({} if distant else {"text_cfg": text}))
            return model, open_clip.get_tokenizer(local), card_licence(folder / "README.md")
    if source.startswith(HUB):
        with fetching(f"OpenCLIP model {source!r}", REMEDY):
            model = _create(source, None)
            return model, open_clip.get_tokenizer(source), _card(source.removeprefix(HUB))
    name = source.replace("/", "-")
    cfg = get_pretrained_cfg(name, pretrained)
    if not cfg and not Path(pretrained).is_file():
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name)) or "none"
        wrong = f"{pretrained!r} is neither a tag nor a file" if pretrained else "name its weights"
        raise InvalidModel(
            f"OpenCLIP model {source!r}: {wrong}: --pretrained TAG or FILE (tags: {tags})",
            field="pretrained",
        )
    text = open_clip.get_model_config(name)["text_cfg"]
    distant = bool(cfg or text.get("hf_model_name") or text.get("hf_tokenizer_name"))
    remedy = REMEDY if cfg else f"{Path(pretrained).name} must hold the weights of a {source}"
    with fetching(f"OpenCLIP model {source!r} ({pretrained})", remedy, ask=distant):
        # OpenCLIP only warns where a tag was trained with QuickGELU and the name is without.
        model = _create(name, pretrained, force_quick_gelu=bool(cfg.get("quick_gelu")))
        licence = _card(cfg["hf_hub"].rpartition("/")[0]) if cfg.get("hf_hub") else ""
        return model, open_clip.get_tokenizer(name), licence


def _create(name: str, pretrained: str | None, **options: Any) -> Any:
    """The model in evaluation mode, in float32.

    Raises:
        InvalidModel: the weights are of another architecture.
    """
    try:
        model = open_clip.create_model(name, pretrained, require_pretrained=True, **options)
    except RuntimeError as error:
        if "state_dict" not in str(error):
            raise
        raise InvalidModel(
            f"{pretrained or name}: weights of another architecture: {brief(error)}. Name the "
            "model that they were trained as",
            field="source",
        ) from error
    return model.float().eval()


def _local_text(folder: Path) -> dict[str, Any]:
    """The text tower's settings; the config of a Hugging Face tower may lie in ``folder`` too."""
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        text = dict(config["model_cfg"]["text_cfg"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidModel(
            f"{folder / CONFIG}: not OpenCLIP's config: {brief(error)}", field="source"
        ) from error
    if name := text.get("hf_model_name"):
        beside = folder / name
        text |= {"hf_model_name": str(beside) if beside.is_dir() else name}
        text["hf_model_pretrained"] = False  # its weights are in the checkpoint
    return text


def _card(repository: str) -> str:
    """The licence in a repository's model card; none is no reason to stop."""
    try:
        return card_licence(Path(download_pretrained_from_hf(repository, "README.md")))
    except OSError:
        return ""


def _name(source: str, pretrained: str) -> str:
    """``org/repo`` → ``repo``; a folder's own name; ``ViT-B-32-laion2b_s34b_b79k``."""
    plain = Path(source).resolve().name if Path(source).is_dir() else source
    plain = plain.removeprefix(HUB).rpartition("/")[2] if HUB in source else plain
    tag = f"-{Path(pretrained).stem}" if pretrained else ""
    return re.sub(r"[^\w.]+", "-", plain + tag)
