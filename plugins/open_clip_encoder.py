"""Encoder ``open_clip``: any OpenCLIP model, straight from its checkpoint (extra ``models``).

For trying models out and for machines with a GPU; a model that is to be served on a CPU is
better exported and served by encoder ``onnx``, which needs no torch.
"""

from __future__ import annotations

import hashlib
import importlib
import threading
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, Struct
from PIL import Image

from engine import (
    Encoder,
    EncoderError,
    EncoderInfo,
    InvalidModel,
    Register,
    Role,
    Vectors,
    hookimpl,
)

LONGEST = 16
"""Aspect ratio beyond which a picture is cut before it is resized: OpenCLIP scales the shorter
side up and would make gigabytes of a long thin strip, only to keep its central square."""
PROBE = "A red-leather PURSE, size 7½ – 紅色 👜"


class OpenClipOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """``model`` is an OpenCLIP name (``ViT-B-32``), ``hf-hub:org/repo`` or ``local-dir:path``;
    ``pretrained``, for a plain name only, a tag (``laion2b_s34b_b79k``) or a checkpoint file.
    ``device`` is torch's (``cpu``, ``cuda``); ``precision`` OpenCLIP's (``fp32``, ``bf16``).
    ``threads`` bounds torch on the CPU (0: leave it alone; torch counts them per process)."""

    model: str
    pretrained: str = ""
    device: str = "cpu"
    precision: str = "fp32"
    batch: Annotated[int, Meta(ge=1, le=4096)] = 32
    threads: Annotated[int, Meta(ge=0, le=64)] = 0


class OpenClipEncoder:
    """An OpenCLIP model as an :class:`engine.Encoder`; queries and documents are alike.

    Raises:
        EncoderError: OpenCLIP is not installed.
        InvalidModel: no such model, no weights for it, or a checkpoint that does not fit.
    """

    def __init__(self, options: OpenClipOptions) -> None:
        self._torch, open_clip = _stack()
        if options.threads:
            self._torch.set_num_threads(options.threads)
        self._options = options
        self._model, self._preprocess, self._tokenize = _load(open_clip, options)
        # Hugging Face's fast tokenizers must not be called from two threads at once.
        self._tokenizing = threading.Lock()
        self._info = self._describe()

    @property
    def info(self) -> EncoderInfo:
        return self._info

    def encode_texts(self, texts: Sequence[str], role: Role) -> Vectors:
        return self._encode(texts, self._text_batch)

    def encode_images(self, images: Sequence[Image.Image]) -> Vectors:
        return self._encode(images, self._image_batch)

    def close(self) -> None:
        """Nothing to release: the weights go with the encoder."""

    def _encode(self, items: Sequence[Any], run: Callable[[Sequence[Any]], Any]) -> Vectors:
        """Unit rows ``[n, dim]``, ``options.batch`` items at a time."""
        step = self._options.batch
        rows = [np.zeros((0, self._info.dim), dtype=np.float32)]
        with self._torch.inference_mode():
            for start in range(0, len(items), step):
                rows.append(run(items[start : start + step]).float().cpu().numpy())
        joined = np.concatenate(rows)
        norms = np.linalg.norm(joined, axis=1, keepdims=True)
        return np.asarray(joined / np.maximum(norms, 1e-12), dtype=np.float32)

    def _text_batch(self, texts: Sequence[str]) -> Any:
        with self._tokenizing:
            ids = self._tokenize(list(texts))
        return self._model.encode_text(ids.to(self._options.device))

    def _image_batch(self, images: Sequence[Image.Image]) -> Any:
        pixels = self._torch.stack([self._preprocess(_bounded(image)) for image in images])
        dtype = next(self._model.visual.parameters()).dtype
        return self._model.encode_image(pixels.to(self._options.device, dtype))

    def _describe(self) -> EncoderInfo:
        size = getattr(self._model.visual, "image_size", 0)
        with self._torch.inference_mode():
            dim = int(self._text_batch([PROBE]).shape[-1])
        return EncoderInfo(
            name=f"open_clip/{self._options.model}",
            version=self._options.pretrained or "1",
            dim=dim,
            modalities=("text", "image"),
            fingerprint=self._fingerprint(),
            max_tokens=int(getattr(self._tokenize, "context_length", 0) or 0),
            image_size=int(size[0] if isinstance(size, (tuple, list)) else size),
        )

    def _fingerprint(self) -> str:
        """Hash of every tensor, of how a probe text is tokenized, and of the image transform
        (without the addresses that functions print)."""
        digest = hashlib.sha256(self._options.precision.encode())
        for name, tensor in sorted(self._model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.float().cpu().contiguous().numpy().tobytes())
        digest.update(self._tokenize([PROBE]).numpy().tobytes())
        steps = getattr(self._preprocess, "transforms", [self._preprocess])
        for step in steps:
            digest.update(getattr(step, "__name__", repr(step)).encode())
        return digest.hexdigest()[:32]


def _stack() -> tuple[Any, Any]:
    """torch and open_clip: imported when such an encoder is built, for they take seconds."""
    try:
        return importlib.import_module("torch"), importlib.import_module("open_clip")
    except ModuleNotFoundError as error:
        raise EncoderError(
            f"encoder 'open_clip' needs {error.name}: pip install 'entrepot[models]'"
        ) from error


def _load(open_clip: Any, options: OpenClipOptions) -> tuple[Any, Any, Any]:
    """The model in evaluation mode, its image transform and its tokenizer."""
    named = f"{options.model!r}" + (f" ({options.pretrained})" if options.pretrained else "")
    try:
        model, preprocess = open_clip.create_model_from_pretrained(
            options.model,
            options.pretrained or None,
            precision=options.precision,
            device=options.device,
        )
        return model.eval(), preprocess, open_clip.get_tokenizer(options.model)
    except Exception as error:  # OpenCLIP, torch, the hub and pickle share no base
        reason = " ".join(str(error).split())[:300]
        raise InvalidModel(f"OpenCLIP cannot load {named}: {reason}", field="model") from error


def _bounded(image: Image.Image) -> Image.Image:
    """RGB, its longer side cut about the centre to :data:`LONGEST` times the shorter."""
    rgb = image if image.mode == "RGB" else image.convert("RGB")
    width, height = (min(side, LONGEST * min(rgb.size)) for side in rgb.size)
    if (width, height) == rgb.size:
        return rgb
    left, top = (rgb.width - width) // 2, (rgb.height - height) // 2
    return rgb.crop((left, top, left + width, top + height))


@hookimpl
def register_encoders(register: Register[Encoder]) -> None:
    register("open_clip", OpenClipEncoder, OpenClipOptions)
